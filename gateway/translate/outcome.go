package translate

// Outcome is what Envoy made of what came of one object.
type Outcome struct {
	State OutcomeState
	// Message are Envoy's own words when it refused.
	Message string
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
