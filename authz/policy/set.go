package policy

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Set is all policies of a feed, compiled. It never changes.
type Set struct {
	indexes  map[place]*index
	problems []PolicyProblem
	inspects bool
	// decisions save the hot path from allocating.
	decisions sync.Pool
}

// place is what policies attach to.
type place struct {
	kind    string
	key     feedv1.Key
	section string
}

// Problems are what is wrong with the policies, by policy and field.
func (s *Set) Problems() []PolicyProblem { return slices.Clone(s.problems) }

// Inspects reports whether TLS can be inspected where these policies count.
func (s *Set) Inspects() bool { return s != nil && s.inspects }

// rejection is a policy that denies because it was not accepted.
type rejection struct {
	policy feedv1.Key
	why    string
}

// attached is one policy as a builder has it.
type attached struct {
	key      feedv1.Key
	mode     v1alpha1.PolicyMode
	rules    []*rule
	rejected string
}

// builder gathers policies by what they attach to.
type builder struct {
	byPlace  map[place][]*attached
	byKey    map[feedv1.Key]*attached
	fields   map[string]*fieldSet
	problems []PolicyProblem
}

func newBuilder() *builder {
	return &builder{
		byPlace: map[place][]*attached{},
		byKey:   map[feedv1.Key]*attached{},
		fields:  map[string]*fieldSet{},
	}
}

func (b *builder) add(p *feedv1.Policy, c compiled) {
	a := &attached{key: p.Key, mode: p.Mode, rules: c.rules, rejected: c.rejected}
	if twin, ok := b.byKey[p.Key]; ok {
		// Which of the two is meant cannot be known.
		a.rejected, twin.rejected = "there are two policies of this name", "there are two policies of this name"
	}
	b.byKey[p.Key] = a
	for _, problem := range c.problems {
		b.problems = append(b.problems, PolicyProblem{Policy: p.Key, Problem: problem})
	}
	for _, r := range c.rules {
		r.fields, r.callerFields = b.shared(r.fields), b.shared(r.callerFields)
	}
	for _, t := range p.Targets {
		at := place{t.Kind, t.Key, t.Section}
		if !slices.Contains(b.byPlace[at], a) {
			b.byPlace[at] = append(b.byPlace[at], a)
		}
	}
}

// shared is one fieldSet for all rules that read the same.
func (b *builder) shared(f *fieldSet) *fieldSet {
	key := strings.Join(f.names, "\x00")
	if have, ok := b.fields[key]; ok {
		return have
	}
	b.fields[key] = f
	return f
}

func (b *builder) set() *Set {
	s := &Set{indexes: make(map[place]*index, len(b.byPlace)), problems: b.problems}
	s.decisions.New = func() any { return new(decision) }
	for at, list := range b.byPlace {
		if at.section != "" {
			// A section is also under what guards the whole.
			list = union(list, b.byPlace[place{at.kind, at.key, ""}])
		}
		s.indexes[at] = newIndex(list)
	}
	slices.SortFunc(s.problems, comparePolicyProblems)
	return s
}

func union(a, b []*attached) []*attached {
	out := slices.Clone(a)
	for _, p := range b {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// index is the policies of one level, found by what a hop is.
type index struct {
	// rules are sorted by policy and name; postings mean places in it.
	rules []*rule
	// rejected is the first policy that was not accepted; nil: none.
	rejected *rejection
	// enforcing: some policy counts. reporting: some does not.
	enforcing, reporting bool

	restrict, allow trees
	// namers say who may use MCP's base methods; their postings mean places in
	// named.
	namers backendTrees
	named  []*rule
}

// trees are the branches for rules of one kind of action.
type trees struct {
	tools, models, packages backendTrees
	http, hosts             *branch
}

// backendTrees are branches by backend; any are of rules that name none.
type backendTrees struct {
	by  map[string]*branch
	any *branch
}

func newIndex(list []*attached) *index {
	x := &index{}
	for _, a := range list {
		x.attach(a)
	}
	slices.SortFunc(x.rules, compareRules)
	x.restrict = x.plant(func(r *rule) bool { return !r.allows() })
	x.allow = x.plant((*rule).allows)
	x.plantNamers()
	return x
}

func (x *index) attach(a *attached) {
	if a.rejected != "" {
		x.enforcing = true
		if x.rejected == nil || compareKeys(a.key, x.rejected.policy) < 0 {
			x.rejected = &rejection{a.key, a.rejected}
		}
		return
	}
	x.enforcing = x.enforcing || a.mode != v1alpha1.ModeReport
	x.reporting = x.reporting || a.mode == v1alpha1.ModeReport
	x.rules = append(x.rules, a.rules...)
}

func (x *index) plant(which func(*rule) bool) trees {
	var tools, models, packages, http, hosts []posting
	for i, r := range x.rules {
		if !which(r) {
			continue
		}
		for j := range r.to.len() {
			p := posting{int32(i), int32(j)}
			switch r.kind {
			case v1alpha1.SurfaceTools:
				tools = append(tools, p)
			case v1alpha1.SurfaceModels:
				models = append(models, p)
			case v1alpha1.SurfacePackages:
				packages = append(packages, p)
			case v1alpha1.SurfaceHTTP:
				http = append(http, p)
			case v1alpha1.SurfaceHosts:
				hosts = append(hosts, p)
			}
		}
	}
	return trees{
		tools:    x.byBackend(tools, byName, byAgent, bySubject, byPeer),
		models:   x.byBackend(models, byName, byAgent, bySubject, byPeer),
		packages: x.byBackend(packages, byAgent, bySubject, byPeer),
		http:     grow(http, []dimension{byHost, byPath, byAgent, bySubject, byPeer}, fanFirst, x.keys),
		hosts:    grow(hosts, []dimension{byHost, byAgent, bySubject, byPeer}, fanFirst, x.keys),
	}
}

func (x *index) byBackend(ps []posting, dims ...dimension) backendTrees {
	groups, rest := map[string][]posting{}, []posting(nil)
	for _, p := range ps {
		refs := x.rules[p.rule].to.backends(int(p.entry))
		if len(refs) == 0 {
			rest = append(rest, p)
		}
		for _, ref := range refs {
			groups[ref] = append(groups[ref], p)
		}
	}
	t := backendTrees{by: map[string]*branch{}, any: grow(rest, dims, fanFirst, x.keys)}
	for ref, ps := range groups {
		t.by[ref] = grow(ps, dims, fanFirst, x.keys)
	}
	return t
}

func (x *index) keys(d dimension, p posting, dst []key) []key {
	r := x.rules[p.rule]
	if d >= byAgent {
		return r.from.keys(d, dst)
	}
	return r.to.keys(d, int(p.entry), dst)
}

// keys are those of the caller.
func (f *from) keys(d dimension, dst []key) []key {
	switch d {
	case byAgent:
		return f.agents.keys(dst)
	case bySubject:
		return f.subjects.keys(dst)
	case byPeer:
		return f.peers.keys(dst)
	}
	return dst
}

// plantNamers keeps one rule of those that say the same of caller, transaction
// and duties and name the same servers: a thousand tools make no thousand
// namers.
func (x *index) plantNamers() {
	type same struct {
		signature, server string
		report            bool
	}
	seen := map[same]bool{}
	groups, rest := map[string][]posting{}, []posting(nil)
	for _, r := range x.rules {
		if r.kind != v1alpha1.SurfaceTools || r.action == v1alpha1.ActionDeny {
			continue
		}
		p := posting{rule: int32(len(x.named))}
		used := false
		for _, server := range r.servers() {
			if k := (same{r.signature, server, r.report}); !seen[k] {
				seen[k], used = true, true
				if server == "" {
					rest = append(rest, p)
				} else {
					groups[server] = append(groups[server], p)
				}
			}
		}
		if used {
			x.named = append(x.named, r)
		}
	}
	x.growNamers(groups, rest)
}

func (x *index) growNamers(groups map[string][]posting, rest []posting) {
	dims := []dimension{byAgent, bySubject, byPeer}
	keys := func(d dimension, p posting, dst []key) []key { return x.named[p.rule].from.keys(d, dst) }
	x.namers = backendTrees{by: map[string]*branch{}, any: grow(rest, dims, fan, keys)}
	for server, ps := range groups {
		x.namers.by[server] = grow(ps, dims, fan, keys)
	}
}

// servers are all that a rule names; the empty one: any.
func (r *rule) servers() []string {
	var out []string
	for i := range r.to.tools {
		if r.to.tools[i].servers == nil {
			return []string{""}
		}
		out = append(out, r.to.tools[i].servers...)
	}
	slices.SortFunc(out, cmp.Compare[string])
	return slices.Compact(out)
}
