package canary

import (
	"strings"
	"time"
)

// Names of what is proven.
const (
	Listeners = "listeners" // canaries can enter
	Deadline  = "deadline"  // a deadline fires
	Cut       = "cut"       // a cut cuts
	Relay     = "relay"     // a relay ends with its word
	Tunnels   = "tunnels"   // concurrent tunnels keep their own targets
)

// Verdict is how an attempt ended.
type Verdict struct {
	// Took is how long the canaries took, from when they could enter.
	Took time.Duration
	// Failed are those that did not pass, in the order of their names above;
	// none: all did.
	Failed []Failure
}

// Failure is one canary that did not pass.
type Failure struct {
	// Canary is a name of what is proven.
	Canary string
	// Saw is what was seen instead.
	Saw string
}

// Passed reports whether all passed.
func (v Verdict) Passed() bool { return len(v.Failed) == 0 }

// String says it to a person.
func (v Verdict) String() string {
	if v.Passed() {
		return "passed in " + v.Took.Round(time.Millisecond).String()
	}
	var out []string
	for _, f := range v.Failed {
		out = append(out, f.Canary+": "+f.Saw)
	}
	return strings.Join(out, "; ")
}
