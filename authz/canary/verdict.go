package canary

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Names of what is proven.
const (
	Listeners = "listeners" // canaries can enter
	Deadline  = "deadline"  // a deadline fires
	Cut       = "cut"       // a cut cuts
	Relay     = "relay"     // a relay ends with its word
	Tunnels   = "tunnels"   // concurrent tunnels keep their own targets
	Meter     = "meter"     // no more passes than a budget has room for
	Flight    = "flight"    // TLS passes that was read, and none else
	Refused   = "refused"   // what is refused is told so, and goes nowhere
)

// proofNames are their names in order, but for Listeners: without that there are
// no others.
func proofNames() []string { return []string{Deadline, Cut, Relay, Tunnels, Meter, Flight, Refused} }

// Verdict is how an attempt ended.
type Verdict struct {
	// Took is how long the canaries took, from when they could enter.
	Took time.Duration
	// Patience is how long it waited for what has to come; 0: no canary could
	// enter.
	Patience time.Duration
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

// findings collects what canaries see.
type findings struct {
	mu   sync.Mutex
	seen map[string]map[string]bool // guarded by mu; by canary
}

// add takes what a canary saw on a way; nil: what it should. What a tunnel led
// astray says of tunnels, whatever it was to prove.
func (f *findings) add(name, way string, err error) {
	if err == nil {
		return
	}
	if errors.As(err, new(astray)) {
		name = Tunnels
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[string]map[string]bool{}
	}
	if f.seen[name] == nil {
		f.seen[name] = map[string]bool{}
	}
	f.seen[name][way+": "+err.Error()] = true
}

// failures are what was seen, in order.
func (f *findings) failures() []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Failure
	for _, name := range proofNames() {
		if seen := f.seen[name]; len(seen) > 0 {
			out = append(out, Failure{name, strings.Join(slices.Sorted(maps.Keys(seen)), "; ")})
		}
	}
	return out
}
