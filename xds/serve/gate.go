package serve

import (
	"slices"
	"time"
)

// gateSteps bounds how often a gate's time starts again.
const gateSteps = 10

// gate is the wait of a listener or route table for clusters that are new to
// the Envoy: without them it would answer 503.
type gate struct {
	// on is the cluster that is missing.
	on Key
	// until moves on when on does, but never past limit.
	until, limit time.Time
}

// waits reports whether ed must wait, and if so puts the slot aside.
func (s *stream) waits(sl *slot, ed *edition, now time.Time) bool {
	if t := sl.key.TypeURL; (t != TypeListener && t != TypeRoute) || ed.stopgap {
		return false
	}
	on, missing := s.missing(ed.refs, sl.gate.on)
	if !missing {
		return false
	}
	g := &sl.gate
	if g.limit.IsZero() {
		g.limit = now.Add(gateSteps * s.limits.gate)
	}
	if g.on != on {
		g.on, g.until = on, now.Add(s.limits.gate)
		if g.until.After(g.limit) {
			g.until = g.limit
		}
	}
	if !now.Before(g.until) {
		s.counts.Overdue++
		return false
	}
	sl.sub.gated[sl] = struct{}{}
	s.gateAt = earlier(s.gateAt, g.until)
	return true
}

// missing is the first cluster of refs that is not there. The search begins
// where it ended last, so that a long list is not read for each cluster again.
func (s *stream) missing(refs []Key, from Key) (Key, bool) {
	i, _ := slices.BinarySearchFunc(refs, from, Key.compare)
	for _, part := range [][]Key{refs[i:], refs[:i]} {
		for _, r := range part {
			if r.TypeURL == TypeCluster && !s.clusterReady(r) {
				return r, true
			}
		}
	}
	return Key{}, false
}

// clusterReady reports whether requests may be sent to a cluster, as far as it
// depends on this server: the Envoy accepted it, and was told its endpoints.
func (s *stream) clusterReady(k Key) bool {
	sub := s.subs[TypeCluster]
	if sub == nil || sub.slots[k.Name] == nil {
		return true
	}
	sl := sub.slots[k.Name]
	if !sl.has.real() {
		_, st := s.wanted(sl)
		return st == standingMissing || st == standingFaulty
	}
	for _, r := range sl.has.refs {
		if r.TypeURL == TypeEndpoint && s.held(r) == nil {
			return false
		}
	}
	return true
}

// openGates lets go on what waits no longer.
func (s *stream) openGates(now time.Time) {
	due := !s.gateAt.IsZero() && !now.Before(s.gateAt)
	if !s.gatesMoved && !due {
		return
	}
	s.gatesMoved, s.gateAt = false, time.Time{}
	for _, sub := range s.order {
		for sl := range sub.gated {
			if s.clusterReady(sl.gate.on) || !now.Before(sl.gate.until) {
				delete(sub.gated, sl)
				sub.queue.push(sl, false)
				continue
			}
			s.gateAt = earlier(s.gateAt, sl.gate.until)
		}
	}
}
