package policy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Severity says what a Problem does.
type Severity uint8

const (
	// Warning: the policy counts as it is.
	Warning Severity = iota
	// Error: the policy is not accepted, and denies.
	Error
)

func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// Reason is the kind of a Problem, in the form of a condition's reason.
type Reason string

const (
	// ReasonInvalid: a field does not hold what it must.
	ReasonInvalid Reason = "Invalid"
	// ReasonNotAvailable: this version does not do it.
	ReasonNotAvailable Reason = "NotAvailable"
	// ReasonNeverMatches: the rule, or a part of it, can match nothing.
	ReasonNeverMatches Reason = "NeverMatches"
	// ReasonCondition: an expression in when is not well-formed.
	ReasonCondition Reason = "ConditionInvalid"
	// ReasonCost: the expressions in when may cost more than is allowed.
	ReasonCost Reason = "ConditionTooCostly"
	// ReasonTooWide: a pattern opens more than anybody can mean.
	ReasonTooWide Reason = "TooWide"
	// ReasonNoEffect: the field changes nothing where it stands.
	ReasonNoEffect Reason = "NoEffect"
)

// Problem is one thing that is wrong with a policy.
type Problem struct {
	// Field is its path: spec.rules[0].to.tools[1].names[0].
	Field    string
	Reason   Reason
	Severity Severity
	// Message is one sentence without a full stop, for a person.
	Message string
}

// String is severity, field and message.
func (p Problem) String() string {
	return fmt.Sprintf("%s: %s: %s (%s)", p.Severity, p.Field, p.Message, p.Reason)
}

// PolicyProblem is a Problem of one policy of a Set.
type PolicyProblem struct {
	Policy feedv1.Key
	Problem
}

func comparePolicyProblems(a, b PolicyProblem) int {
	return cmp.Or(compareKeys(a.Policy, b.Policy), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
}

func compareKeys(a, b feedv1.Key) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// firstError is the first Problem that rejects; ok is false when none does.
func firstError(ps []Problem) (p Problem, ok bool) {
	i := slices.IndexFunc(ps, func(p Problem) bool { return p.Severity == Error })
	if i < 0 {
		return Problem{}, false
	}
	return ps[i], true
}
