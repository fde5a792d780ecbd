package serve

import (
	"strconv"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// next gives the next response, or nil and when to ask again if nothing
// happens before; zero: not by time. Each response holds one resource, so that
// its nonce says which one was refused.
func (s *stream) next(now time.Time) (resp *discoveryv3.DeltaDiscoveryResponse, wake time.Time) {
	s.openGates(now)
	s.sweep(now)
	if len(s.flights) >= s.limits.names {
		// A client that never answers gets no more.
		return nil, time.Time{}
	}
	for _, sub := range s.order {
		for sl := sub.queue.pop(); sl != nil; sl = sub.queue.pop() {
			if ed := s.due(sl); ed != nil && !s.waits(sl, ed, now) {
				return s.send(sl, ed, now), time.Time{}
			}
		}
	}
	return nil, earlier(s.sweepAt, s.gateAt)
}

// earlier is the first of two times; zero: never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func (s *stream) send(sl *slot, ed *edition, now time.Time) *discoveryv3.DeltaDiscoveryResponse {
	s.nonce++
	nonce := strconv.FormatUint(s.nonce, 10)
	s.flights[nonce] = flight{sl, ed}
	s.cat.launch(ed)
	if sl.flight != nil {
		// Its removal, which will be done before this is read.
		sl.has = sl.flight
	}
	sl.flight, sl.force, sl.gate = ed, false, gate{}
	s.counts.Sent++
	if sl.key.TypeURL == TypeCluster && sl.has.real() {
		s.rewarm(ed, now)
	}
	resp := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: sl.key.TypeURL, Nonce: nonce}
	if ed.body == nil {
		resp.RemovedResources = []string{sl.key.Name}
		return resp
	}
	resp.Resources = []*discoveryv3.Resource{{Name: sl.key.Name, Version: ed.version, Resource: ed.body}}
	return resp
}

// rewarm sends the endpoints of a cluster again after its update: the new form
// of the cluster waits for them, and Envoy, which has the name subscribed for
// the old one, does not ask.
func (s *stream) rewarm(cluster *edition, now time.Time) {
	sub := s.subs[TypeEndpoint]
	if sub == nil {
		return
	}
	for _, r := range cluster.refs {
		if r.TypeURL != TypeEndpoint {
			continue
		}
		if sl := sub.slots[r.Name]; sl != nil && (sl.has != nil || sl.flight != nil) {
			sl.force = true
			s.review(sl, now)
		}
	}
}
