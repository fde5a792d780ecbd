package guard

import (
	"time"

	"github.com/hopgate/hopgate/authz/leash"
)

const (
	// cutBatch is how many hops are cut in one go, and cutPause for how long new
	// decisions have the way to themselves after that.
	cutBatch = 32
	cutPause = time.Millisecond
	// cutFlying is how many may have been told and not be over yet: Envoy, which
	// works for a quarter of a millisecond on each, does not look at what comes
	// after them before.
	cutFlying = 4 * cutBatch
	// cutPatience is how long one is waited for, and cutAltogether how long all
	// are: one whose client does not read, or that has no place for its word,
	// delays no other.
	cutPatience   = 100 * time.Millisecond
	cutAltogether = 3 * time.Second
)

// pace has very many hops end as fast as Envoy ends them, and no faster: what
// it is told beyond that would only wait there, before every new decision.
type pace struct {
	told   int
	waited time.Duration
	// flying are those that were told and may not be over, oldest first.
	flying []flight
}

type flight struct {
	hop  *leash.Hop
	told time.Time
}

// end tells a hop that it ends; nil: it need not.
func (p *pace) end(h *leash.Hop, tell func()) {
	if tell == nil {
		return
	}
	tell()
	p.flying = append(p.flying, flight{h, time.Now()})
	if p.told++; p.told%cutBatch == 0 {
		p.rest()
	}
}

// rest waits for a moment, and until few are on their way.
func (p *pace) rest() {
	for begun := time.Now(); ; {
		<-time.After(cutPause)
		now := time.Now()
		p.land(now)
		if len(p.flying) <= cutFlying || p.waited > cutAltogether {
			p.waited += now.Sub(begun)
			return
		}
	}
}

// land leaves out those that are over, or were waited for for long enough.
func (p *pace) land(now time.Time) {
	still := p.flying[:0]
	for _, f := range p.flying {
		if !f.hop.Over() && now.Sub(f.told) < cutPatience {
			still = append(still, f)
		}
	}
	clear(p.flying[len(still):])
	p.flying = still
}
