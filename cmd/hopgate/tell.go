package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/gateway/controller"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/translate"
)

// teller tells people what is wrong: each thing once when it comes, and that it
// has gone. It is safe for concurrent use.
type teller struct {
	say func(string)

	mu       sync.Mutex
	problems map[string]bool         // guarded by mu; that stand in the files
	faults   map[source.Ref][]string // guarded by mu; of objects
	canaries map[string]bool         // guarded by mu; that do not pass
}

func newTeller(say func(string)) *teller {
	return &teller{say: say, problems: map[string]bool{}, faults: map[source.Ref][]string{}}
}

func (t *teller) changed(r controller.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Problems != nil {
		t.files(r.Problems)
	}
	for _, s := range r.Statuses {
		t.object(s)
	}
	for _, ref := range r.Gone {
		delete(t.faults, ref)
	}
}

func (t *teller) files(ps []source.Problem) {
	now := map[string]bool{}
	for _, p := range ps {
		text := string(p.Severity) + ": " + p.String()
		if !t.problems[text] && !now[text] {
			t.say(text)
		}
		now[text] = true
	}
	for _, text := range slices.Sorted(maps.Keys(t.problems)) {
		if !now[text] {
			t.say("mended: " + text)
		}
	}
	t.problems = now
}

// proven tells of what is not proven of Envoy: nothing is let through until it
// is. What was seen may differ each time, and is told with the first.
func (t *teller) proven(v canary.Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := map[string]bool{}
	for _, f := range v.Failed {
		if !t.canaries[f.Canary] {
			t.say(fmt.Sprintf("error: nothing is let through: Envoy fails the canary %s: %s", f.Canary, f.Saw))
		}
		now[f.Canary] = true
	}
	for _, name := range slices.Sorted(maps.Keys(t.canaries)) {
		if !now[name] {
			t.say("mended: Envoy passes the canary " + name)
		}
	}
	t.canaries = now
}

// object tells what is new about one. That Envoy has not answered yet, or that a
// socket was not opened yet, is nothing to tell: it will, or readiness says so.
func (t *teller) object(s translate.Status) {
	had := t.faults[s.Ref]
	var now []string
	waiting := false
	for _, f := range s.Faults() {
		if f.Reason == "Pending" && (f.Type == "Programmed" || f.Type == "hopgate.dev/NamesAnswered") {
			waiting = true
			continue
		}
		text := fmt.Sprintf("%s: %s", s.Ref, fault(f.Place, f.Type, f.Reason, f.Message))
		if !slices.Contains(had, text) {
			t.say(text)
		}
		now = append(now, text)
	}
	switch {
	case len(now) > 0:
		t.faults[s.Ref] = now
	case len(had) > 0 && !waiting:
		t.say(fmt.Sprintf("%s: is good again", s.Ref))
		delete(t.faults, s.Ref)
	}
}

// fault is what is not good about an object, as far as there are words for it.
func fault(place, typ, reason, message string) string {
	out := message
	if reason != "" {
		out = reason + ": " + out
	}
	if typ != "" {
		out = typ + " is not good: " + out
	}
	if place != "" {
		out = place + ": " + out
	}
	return out
}
