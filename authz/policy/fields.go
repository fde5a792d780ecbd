package policy

import (
	"encoding/json"
	"slices"
	"strings"
)

// MaxSeenBytes is the most that Seen renders: names and values together.
const MaxSeenBytes = 4 << 10

// fieldOverhead is what a field costs in a record beside its name and value.
const fieldOverhead = 24

// Field is one value that rules read.
type Field struct {
	// Name is as rules write it: agent, args.repo, tctx.region.
	Name string
	// Value is JSON; nil: it was not there.
	Value json.RawMessage
	// Cut: it was there and did not fit.
	Cut bool
}

func (f *Field) shown() string {
	switch {
	case f.Cut:
		return "(too long)"
	case f.Value == nil:
		return "none"
	}
	return string(f.Value)
}

// fieldSet is what a rule reads, sorted. Rules that read the same share one.
type fieldSet struct{ names []string }

// fieldSets is a union of a few sets without a copy of them.
type fieldSets struct {
	first [6]*fieldSet
	n     int
	more  []*fieldSet
}

func (s *fieldSets) add(f *fieldSet) {
	if f == nil || slices.Contains(s.first[:s.n], f) || slices.Contains(s.more, f) {
		return
	}
	if s.n < len(s.first) {
		s.first[s.n] = f
		s.n++
		return
	}
	s.more = append(s.more, f)
}

// one is the names where there is but one set; nil: there are none, or more.
func (s *fieldSets) one() []string {
	if s.n != 1 {
		return nil
	}
	return s.first[0].names
}

func (s *fieldSets) names() []string { return s.appendNames(nil) }

// appendNames appends the names of all sets, sorted, to a list that is empty.
func (s *fieldSets) appendNames(out []string) []string {
	for _, f := range s.first[:s.n] {
		out = append(out, f.names...)
	}
	for _, f := range s.more {
		out = append(out, f.names...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// plainValue is the value of a field that is no text; nil: it is not known.
func (q *Question) plainValue(name string) any {
	if q.Claims == nil {
		return nil
	}
	if name == varScopes {
		return q.Claims.Scopes
	}
	path, ok := strings.CutPrefix(name, varTctx)
	if !ok {
		return nil
	}
	return q.contextValue(strings.TrimPrefix(path, "."))
}

func (q *Question) contextValue(path string) any {
	if path == "" {
		return q.Claims.Context
	}
	m := contextMatch{path: path, names: strings.Split(path, ".")}
	return m.find(q.Claims.Context)
}

// fieldsOf is what a rule reads, sorted.
func fieldsOf(r *rule) []string {
	out := callerFields(r)
	add := func(given bool, name string) {
		if given {
			out = append(out, name)
		}
	}
	for i := range r.to.tools {
		add(r.to.tools[i].names != nil, varTool)
		for j := range r.to.tools[i].args {
			out = append(out, r.to.tools[i].args[j].field)
		}
	}
	for i := range r.to.models {
		add(r.to.models[i].names != nil, varModel)
	}
	for i := range r.to.http {
		add(r.to.http[i].hosts != nil, varHost)
		add(r.to.http[i].paths != nil, varPath)
		out = append(out, r.to.http[i].fieldsOfWords()...)
	}
	add(len(r.to.hosts) > 0, varHost)
	for _, c := range r.when {
		out = append(out, c.reads.fields...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// callerFields is what from and transaction read, sorted.
func callerFields(r *rule) []string {
	var out []string
	if r.from.peers != nil {
		out = append(out, varPeer)
	}
	if r.from.agents != nil {
		out = append(out, varAgent)
	}
	if r.from.subjects != nil {
		out = append(out, varSubject)
	}
	if len(r.txn.scopes) > 0 {
		out = append(out, varScopes)
	}
	for i := range r.txn.context {
		out = append(out, r.txn.context[i].field)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
