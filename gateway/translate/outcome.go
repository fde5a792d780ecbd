package translate

import "slices"

// Outcome is what Envoy made of what came of one object.
type Outcome struct {
	State OutcomeState
	// Message are Envoy's own words when it refused.
	Message string
	// Parts are those that it refused, sorted, where not all was at fault: a
	// Gateway has one for each port. None: the whole.
	Parts []RefusedPart
}

// RefusedPart is a part of what came of an object.
type RefusedPart struct {
	// Name is that of the listener in the graph.
	Name    string
	Message string
}

func (o Outcome) equal(p Outcome) bool {
	return o.State == p.State && o.Message == p.Message && slices.Equal(o.Parts, p.Parts)
}

// refusal is what Envoy said of a part when it refused it.
func (o Outcome) refusal(part string) (message string, refused bool) {
	if o.State != OutcomeRefused {
		return "", false
	}
	for _, p := range o.Parts {
		if p.Name == part {
			return p.Message, true
		}
	}
	return o.Message, len(o.Parts) == 0
}

// OutcomeState says whether Envoy took it.
type OutcomeState string

const (
	// OutcomeUnknown: Envoy has not answered.
	OutcomeUnknown OutcomeState = ""
	// OutcomeTaken: Envoy runs it.
	OutcomeTaken OutcomeState = "Taken"
	// OutcomeRefused: Envoy runs the version before, or nothing.
	OutcomeRefused OutcomeState = "Refused"
)
