package policy

import "github.com/hopgate/hopgate/gateway/api/wire"

// eval is the work on one Question at one target. It is a part of a decision.
type eval struct {
	q *Question
	// undone is q to who undoes the encoded slashes of its path; nil: it has none.
	undone *Question
	t      *wire.Target
	// act is made when the first condition is run.
	act *activation
	// fault is the first thing that could not be judged in the rule at hand.
	fault fault
	// reached is set when the rule at hand got as far as the request itself:
	// caller, transaction, backend, method and name hold.
	reached bool
	// lack is the code of what the request lacks to match the rule at hand.
	lack string
	// notes takes down conditions; nil: nobody reads them.
	notes *notes
}

// fault is what could not be judged and why. Neither holds a value of the
// request.
type fault struct{ field, problem string }

func (f fault) String() string { return f.field + ": " + f.problem }

// begin makes e ready for the next rule.
func (e *eval) begin() { e.fault, e.reached, e.lack = fault{}, false, "" }

// unsure notes why.
func (e *eval) unsure(field, problem string) truth {
	if e.fault.field == "" {
		e.fault = fault{field, problem}
	}
	return unsure
}

// settled reports whether a rule that stands at t need not be looked at any
// more: never while somebody reads the notes.
func (e *eval) settled(t truth) bool { return t == no && e.notes == nil }

func (e *eval) activation() *activation {
	if e.act == nil {
		e.act = newActivation(e.q)
	}
	return e.act
}
