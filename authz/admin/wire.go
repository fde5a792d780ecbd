package admin

import (
	"fmt"
	"time"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/leash"
)

// Ask is an order as a person gives it.
type Ask struct {
	Verb contain.Verb `json:"verb"`
	Kind contain.Kind `json:"kind"`
	// Domain is NAMESPACE/NAME or NAME; empty: the only one that is believed.
	Domain string `json:"trustDomain,omitempty"`
	Value  string `json:"value"`
	// For is how long; empty: for a revocation as long as anything that was
	// given can live, for a quarantine DefaultQuarantine.
	For    string          `json:"for,omitempty"`
	Except []contain.Place `json:"except,omitempty"`
	Reason string          `json:"reason,omitempty"`
}

// DefaultQuarantine is how long a quarantine lasts that does not say.
const DefaultQuarantine = time.Hour

// maxFor is the longest life of an order.
const maxFor = 366 * 24 * time.Hour

// Done is what became of an order.
type Done struct {
	Order contain.Order `json:"order"`
	// Ended are the live streams that were ended by it.
	Ended int `json:"ended"`
}

// Filter chooses streams: every field that is set must be equal. The zero
// Filter chooses all.
type Filter struct{ Domain, Txn, Subject, Agent, Peer, Rule, Token string }

// Fits reports whether s is chosen. Agent is any link of the chain of actors.
func (f Filter) Fits(s *leash.Stream) bool {
	agent := f.Agent == "" || f.Agent == s.Agent
	for _, a := range s.Actors {
		agent = agent || a == f.Agent
	}
	return agent && f.fits(f.Domain, s.Domain) && f.fits(f.Txn, s.Txn) && f.fits(f.Subject, s.Subject) &&
		f.fits(f.Peer, s.Peer) && f.fits(f.Rule, s.Rule) && f.fits(f.Token, s.Token)
}

func (Filter) fits(want, have string) bool { return want == "" || want == have }

type streamsAnswer struct {
	Streams []leash.Stream `json:"streams"`
}

type ordersAnswer struct {
	Orders []contain.Order `json:"orders"`
}

type liftAnswer struct {
	Order contain.Order `json:"order"`
}

type errorAnswer struct {
	Error string `json:"error"`
}

// life reads For.
func (a *Ask) life(def time.Duration) (time.Duration, error) {
	if a.For == "" {
		return def, nil
	}
	d, err := time.ParseDuration(a.For)
	if err != nil || d <= 0 || d > maxFor {
		return 0, fmt.Errorf("read for: %q is not a duration up to %s, as 1h30m", a.For, maxFor)
	}
	return d, nil
}
