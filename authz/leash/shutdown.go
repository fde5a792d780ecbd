package leash

import "github.com/hopgate/hopgate/authz/audit"

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
			r.finish(s.hops, h, true)
		}
		s.mu.Unlock()
	}
}

// howEnded is howOf, but for a hop that the gateway took down with it.
func (h *Hop) howEnded() audit.End {
	if h.down {
		return audit.EndShutdown
	}
	return howOf(h.cutBy, h.log)
}
