package policy

import "github.com/hopgate/hopgate/gateway/api/feedv1"

// Outcome is what rules say of a hop. It is a value: nothing it leads to is
// changed later, and it keeps no Set alive. The zero Outcome denies.
type Outcome struct {
	Effect Effect
	// Code says why; empty on Allow.
	Code string
	// Level, Policy and Rule decided. Level is KIND/NAMESPACE/NAME, with
	// /SECTION. On Allow they are those of the innermost level that has a say;
	// where no rule matched, Policy and Rule are empty.
	Level  string
	Policy feedv1.Key
	Rule   string
	// Detail is a sentence for a person, where there is more to say than Code:
	// why a policy was rejected, what of a rule could not be judged. It holds no
	// value of the request.
	Detail string
	Duties Duties
	// TokenHelps: there was no token, and with one some rule could allow this.
	TokenHelps bool
	// Errors are rules that could not be judged, at most 16, by level and name.
	Errors []RuleError
	// Would is what levels with Report policies would say if those counted.
	Would []Would

	seen fieldSets
}

// RuleError is a rule that could not be judged.
type RuleError struct {
	Policy feedv1.Key
	Rule   string
	// Error holds no value of the request.
	Error string
}

// Would is the verdict of a level if its Report policies counted. Level is
// empty for the limits, which are of all levels together.
type Would struct {
	Level  string
	Effect Effect
	Code   string
	Policy feedv1.Key
	Rule   string
}

// maxErrors bounds what one hop makes a record hold.
const maxErrors = 16

// SeenNames are the fields that applicable rules read, sorted, as rules write
// them. A rule is applicable when caller, transaction, backend, method and name
// hold.
func (o *Outcome) SeenNames() []string { return o.seen.names() }

// Seen renders them with the values of q, the Question that was decided, in at
// most MaxSeenBytes. They are valid until r is used again.
func (o *Outcome) Seen(q *Question, r *Rendering) []Field {
	r.fields, r.values = r.fields[:0], r.values[:0]
	names := o.seen.one()
	if names == nil {
		r.names = o.seen.appendNames(r.names[:0])
		names = r.names
	}
	r.render(q, names, MaxSeenBytes)
	return r.fields
}
