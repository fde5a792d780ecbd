package leash

import (
	"context"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
)

// settlePoll is how often Settle looks.
const settlePoll = 10 * time.Millisecond

// Settle waits until every hop has ended, or ctx has.
func (r *Register) Settle(ctx context.Context) {
	t := time.NewTicker(settlePoll)
	defer t.Stop()
	for r.Len() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Shutdown ends every hop that is left, when nobody will speak of it any more:
// one that was cut as it was cut, one that was logged as it was logged, any
// other because the gateway went down. Nothing may be entered afterwards.
func (r *Register) Shutdown() {
	for i := range r.shard {
		s := &r.shard[i]
		s.mu.Lock()
		for _, h := range s.hops {
			if h.timer != nil {
				h.timer.Stop()
			}
			if h.cutBy.Code == "" && h.log == nil {
				h.down = true
			}
			r.finish(s, h, true)
		}
		s.mu.Unlock()
	}
}

// tunnelSlack is by how much the tunnel may end before what is inside of it
// expires: Envoy has a timer of its own for each.
const tunnelSlack = 50 * time.Millisecond

// howEnded is howOf, but for a hop that the gateway took down with it, for one
// whose hold could not be opened, for a WebSocket, whose end is that of its
// connection and looks to Envoy as if somebody broke it off, and for one inside
// a tunnel: both expire at one moment, and the tunnel's end looks to the inner
// hop like a client that left.
func (h *Hop) howEnded() audit.End {
	switch {
	case h.down:
		return audit.EndShutdown
	case h.left:
		return audit.EndClientLeft
	case h.Held && !h.live() && h.closed.IsZero() && h.log != nil && strings.HasPrefix(h.log.Details, holdFailed):
		return audit.EndHoldMissing
	}
	how := howOf(h.cutBy, h.log)
	if h.goodbye.Load() && (how == audit.EndUpstreamReset || how == audit.EndClientLeft) {
		return audit.EndDone
	}
	if how == audit.EndClientLeft && h.Parent != (ID{}) && !h.until.IsZero() && !h.closed.Before(h.until.Add(-tunnelSlack)) {
		return audit.EndExpired
	}
	return how
}
