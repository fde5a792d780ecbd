package serve

import (
	"slices"

	"github.com/hopgate/hopgate/gateway/graph"
)

// Revision counts the calls of Set; the first is 1.
type Revision uint64

// State is how far what an owner wants has come.
type State string

const (
	// StatePending: not all connected Envoys have answered, or there is none.
	StatePending State = "Pending"
	// StateProgrammed: all connected Envoys accepted all of the owner's parts.
	// An Envoy that connects later changes nothing, unless it refuses.
	StateProgrammed State = "Programmed"
	// StateRejected: a part is at fault.
	StateRejected State = "Rejected"
)

// Outcome is what became of an owner's parts, in all resources.
type Outcome struct {
	Owner graph.Owner
	State State
	// Revision is that of the Set which last changed a part of the owner.
	Revision Revision
	// Faults are sorted; none unless StateRejected.
	Faults []Fault
}

// Fault is one part that is not served.
type Fault struct {
	TypeURL, Name string
	// Message is what Envoy said, or our own check, on one line.
	Message string
	// Kept: an earlier version of the part is still served.
	Kept bool
}

func (o Outcome) equal(p Outcome) bool {
	return o.Owner == p.Owner && o.State == p.State && o.Revision == p.Revision && slices.Equal(o.Faults, p.Faults)
}

// Observer is told what became of owners.
type Observer interface {
	// Observe is called by Run, one call after the other, with the owners
	// whose outcome changed since the last call, sorted by owner, and only
	// the last outcome of each. An owner that left the desired set is not
	// spoken of again. Nothing waits for the call to end but the next one.
	Observe([]Outcome)
}

// partState is what became of an owner's part of e.
func (e *entry) partState(o graph.Owner) (State, Fault) {
	if e.atFault(o) {
		return StateRejected, Fault{
			TypeURL: e.key.TypeURL, Name: e.key.Name, Message: e.faults[o].words,
			Kept: versionOf(e.goodParts(), o) != "",
		}
	}
	if _, waits := e.pending[o]; waits {
		return StatePending, Fault{}
	}
	return StateProgrammed, Fault{}
}

// ledger keeps what was last said of each owner.
type ledger struct {
	owners map[graph.Owner]*account
	// stirred are owners to look at again.
	stirred map[graph.Owner]struct{}
	// unsaid are outcomes that the observer was not told.
	unsaid map[graph.Owner]Outcome
}

// account is one owner's.
type account struct {
	entries map[Key]*entry
	// revision is that of the Set which last changed a part of it.
	revision Revision
	last     Outcome
}

func newLedger() ledger {
	return ledger{owners: map[graph.Owner]*account{}, stirred: map[graph.Owner]struct{}{}, unsaid: map[graph.Owner]Outcome{}}
}

// add says that o has a new part in e.
func (l *ledger) add(o graph.Owner, e *entry, rev Revision) {
	a := l.owners[o]
	if a == nil {
		a = &account{entries: map[Key]*entry{}}
		l.owners[o] = a
	}
	a.entries[e.key], a.revision = e, rev
	l.stirred[o] = struct{}{}
}

// remove says that o has no part in k any more.
func (l *ledger) remove(o graph.Owner, k Key, rev Revision) {
	a := l.owners[o]
	if a == nil {
		return
	}
	delete(a.entries, k)
	a.revision = rev
	l.stirred[o] = struct{}{}
	if len(a.entries) == 0 {
		delete(l.owners, o)
		delete(l.unsaid, o)
	}
}

// balance works out the outcomes that may have changed.
func (l *ledger) balance() {
	for o := range l.stirred {
		a := l.owners[o]
		if a == nil {
			continue
		}
		if out := a.outcome(o); !out.equal(a.last) {
			a.last = out
			l.unsaid[o] = out
		}
	}
	clear(l.stirred)
}

// take gives what is unsaid, sorted.
func (l *ledger) take() []Outcome {
	if len(l.unsaid) == 0 {
		return nil
	}
	out := make([]Outcome, 0, len(l.unsaid))
	for _, u := range l.unsaid {
		out = append(out, u)
	}
	clear(l.unsaid)
	slices.SortFunc(out, func(a, b Outcome) int { return compareOwners(a.Owner, b.Owner) })
	return out
}

func (a *account) outcome(o graph.Owner) Outcome {
	out := Outcome{Owner: o, State: StateProgrammed, Revision: a.revision}
	for _, e := range a.entries {
		state, f := e.partState(o)
		switch {
		case state == StateRejected:
			out.State = StateRejected
			out.Faults = append(out.Faults, f)
		case state == StatePending && out.State == StateProgrammed:
			out.State = StatePending
		}
	}
	slices.SortFunc(out.Faults, func(a, b Fault) int {
		return Key{a.TypeURL, a.Name}.compare(Key{b.TypeURL, b.Name})
	})
	return out
}
