package policy

import (
	"cmp"
	"fmt"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// rule is one rule, compiled. It never changes.
type rule struct {
	policy feedv1.Key
	name   string
	action v1alpha1.RuleAction
	// report: its policy has mode Report.
	report bool
	kind   v1alpha1.SurfaceType
	from   from
	txn    transaction
	to     to
	when   []*condition
	duties Duties
	// fields are what it reads, callerFields what of it from and transaction
	// do. They are shared by rules that read the same.
	fields, callerFields *fieldSet
	// signature is equal for rules that say the same of caller, transaction
	// and duties.
	signature string
}

// allows reports whether r is an Allow rule. What an Allow rule cannot judge
// it does not match, and it needs every element; the others are the reverse.
func (r *rule) allows() bool { return r.action == v1alpha1.ActionAllow }

func compareRules(a, b *rule) int {
	return cmp.Or(compareKeys(a.policy, b.policy), cmp.Compare(a.name, b.name))
}

// eval says whether r matches. entries are the places of those that may match;
// nil: all of them. It is an AND: what is false settles it, and only then does
// what could not be judged count.
func (r *rule) eval(e *eval, entries []posting) truth {
	e.begin()
	t := r.caller(e)
	if e.settled(t) {
		return no
	}
	caller := t
	t = t.and(r.target(e, entries))
	// Notes are taken to the end: what comes after a no was not reached.
	e.reached = e.reached && caller != no
	if caller != yes {
		e.lack = ""
	}
	if e.settled(t) && e.lack == "" {
		return no
	}
	return r.conditions(e, t)
}

// conditions are when, of a rule that stands at t. One that lacks something is
// looked at to its end: only if all else holds is it that which it lacks.
func (r *rule) conditions(e *eval, t truth) truth {
	for i, c := range r.when {
		holds := e.condition(i, c)
		if e.undone != nil && r.allows() && c.readsPath() {
			holds = holds.and(e.conditionUndone(i, c))
		}
		if holds != yes {
			e.lack = ""
		}
		if t = t.and(holds); e.settled(t) && e.lack == "" {
			return no
		}
	}
	return t
}

// caller is from and transaction.
func (r *rule) caller(e *eval) truth {
	t := r.from.eval(e)
	if e.settled(t) {
		return no
	}
	return t.and(r.txn.eval(e, r.allows()))
}

// target is to. An Allow must hold for every backend that the hop may go to,
// the others for one of them.
func (r *rule) target(e *eval, entries []posting) truth {
	if !backed(r.kind) {
		return r.anyEntry(e, "", entries)
	}
	if len(e.t.Backends) == 0 {
		return e.note("backends", "one at least", "none", no)
	}
	if len(e.t.Backends) > 1 {
		// What was found is by one backend; the others have other entries.
		entries = nil
	}
	t, reached := truthOf(r.allows()), r.allows()
	for _, b := range e.t.Backends {
		e.reached = false
		one := r.anyEntry(e, b, entries)
		if r.allows() {
			t, reached = t.and(one), reached && e.reached
		} else {
			t, reached = t.or(one), reached || e.reached
		}
	}
	e.reached = reached
	return t
}

// backed reports whether rules of this kind name backends.
func backed(kind v1alpha1.SurfaceType) bool {
	return kind == v1alpha1.SurfaceTools || kind == v1alpha1.SurfaceModels || kind == v1alpha1.SurfacePackages
}

// anyEntry is an OR over entries.
func (r *rule) anyEntry(e *eval, backend string, entries []posting) truth {
	if e.notes != nil {
		return r.bestEntry(e, backend)
	}
	t := no
	if entries == nil {
		for i := range r.to.len() {
			t = t.or(r.entry(e, i, backend))
		}
		return t
	}
	for _, p := range entries {
		t = t.or(r.entry(e, int(p.entry), backend))
	}
	return t
}

// entry judges one entry. What could not be judged in it counts only if that
// is all there is to say.
func (r *rule) entry(e *eval, i int, backend string) truth {
	before := e.fault
	t := r.to.eval(e, i, backend, r.allows())
	if t != unsure {
		e.fault = before
	}
	return t
}

// bestEntry is anyEntry, and keeps the notes of the entry that came nearest.
func (r *rule) bestEntry(e *eval, backend string) truth {
	outer, best, t := e.notes, (*notes)(nil), no
	for i := range r.to.len() {
		e.notes = &notes{}
		t = t.or(r.entry(e, i, backend))
		if best == nil || e.notes.better(best) {
			best = e.notes
		}
	}
	e.notes = outer
	if best != nil {
		outer.list = append(outer.list, best.list...)
	}
	return t
}

// condition runs one expression of when.
func (e *eval) condition(i int, c *condition) truth {
	act := e.activation()
	problem := act.prepare(&c.reads)
	t := unsure
	if problem == "" {
		t, problem = c.eval(act)
	}
	if t == unsure {
		e.unsure(whenField(i), problem)
	}
	if e.notes != nil {
		e.noteCondition(i, c, t, problem)
	}
	return t
}

func whenField(i int) string { return fmt.Sprintf("when[%d]", i) }
