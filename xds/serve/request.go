package serve

import (
	"maps"
	"slices"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// maxTypes bounds the types of one stream.
	maxTypes = 32
	// maxName bounds a name, in bytes.
	maxName = 4096

	wildcard = "*"
)

// request takes one request: an answer to a response, a change of what the
// client subscribes to, or both. An error ends the stream; it is a gRPC status.
func (s *stream) request(req *discoveryv3.DeltaDiscoveryRequest, now time.Time) error {
	if err := s.meet(req); err != nil {
		return err
	}
	if err := s.checkSize(req); err != nil {
		return err
	}
	sub, first := s.subscription(req.GetTypeUrl())
	if req.GetResponseNonce() != "" {
		s.answer(req, now)
	}
	if first {
		s.open(sub, req, now)
	} else {
		s.unsubscribe(sub, req.GetResourceNamesUnsubscribe(), now)
		s.subscribe(sub, req.GetResourceNamesSubscribe(), now)
	}
	if len(sub.slots) > s.limits.names {
		return status.Errorf(codes.ResourceExhausted, "more than %d names of type %s", s.limits.names, shortType(sub.typeURL))
	}
	return nil
}

// meet reads who the client is, in its first request.
func (s *stream) meet(req *discoveryv3.DeltaDiscoveryRequest) error {
	if s.met {
		return nil
	}
	s.node = nodeOf(req.GetNode())
	if err := s.limits.floor.admit(s.node); err != nil {
		return err
	}
	s.met = true
	return nil
}

func (s *stream) checkSize(req *discoveryv3.DeltaDiscoveryRequest) error {
	t := req.GetTypeUrl()
	if t == "" {
		return status.Error(codes.InvalidArgument, "a request without a type")
	}
	if len(t) > maxName || s.subs[t] == nil && len(s.subs) == maxTypes {
		return status.Errorf(codes.ResourceExhausted, "more than %d types, or a long one", maxTypes)
	}
	if len(req.GetInitialResourceVersions()) > s.limits.names || len(req.GetResourceNamesSubscribe()) > s.limits.names {
		return status.Errorf(codes.ResourceExhausted, "more than %d names", s.limits.names)
	}
	for _, n := range req.GetResourceNamesSubscribe() {
		if n == "" || len(n) > maxName {
			return status.Errorf(codes.InvalidArgument, "a name of %d bytes", len(n))
		}
	}
	return nil
}

// answer takes an ACK or, by its error alone, a NACK. A nonce that is not
// waited for says nothing.
func (s *stream) answer(req *discoveryv3.DeltaDiscoveryRequest, now time.Time) {
	f, ok := s.flights[req.GetResponseNonce()]
	if !ok || f.slot.key.TypeURL != req.GetTypeUrl() {
		s.counts.Stale++
		return
	}
	delete(s.flights, req.GetResponseNonce())
	if f.slot.flight == f.edition {
		f.slot.flight = nil
	}
	if detail := req.GetErrorDetail(); detail != nil {
		s.refused(f, detail.GetMessage())
	} else {
		s.counts.Acked++
		f.slot.has, f.slot.may = f.edition, nil
		s.crossed(f)
		s.cat.accept(f.edition)
	}
	s.cat.land(f.edition)
	s.gatesMoved = true
	if !f.slot.dropped {
		s.review(f.slot, now)
	}
}

// crossed notes an answer to a subscription that has ended, where there is a
// new one to the name.
func (s *stream) crossed(f flight) {
	if cur := f.slot.sub.slots[f.slot.key.Name]; f.slot.dropped && cur != nil {
		cur.may = f.edition
	}
}

// refused: the Envoy still has what it had. A stopgap that is refused counts
// as told: there is nothing else to say.
func (s *stream) refused(f flight, said string) {
	s.counts.Refused++
	if f.edition.stopgap {
		f.slot.has = f.edition
		return
	}
	s.cat.reject(f.edition, refusalWords(f.slot.key.TypeURL, said), f.slot.has, s.id)
}

// open takes the first request of a type, which may say what the client has
// from an earlier stream.
func (s *stream) open(sub *subscription, req *discoveryv3.DeltaDiscoveryRequest, now time.Time) {
	names := req.GetResourceNamesSubscribe()
	sub.wildcard = slices.Contains(names, wildcard) || (len(names) == 0 && collective(sub.typeURL))
	for _, n := range names {
		if n != wildcard {
			sub.slot(n).named = true
		}
	}
	versions := req.GetInitialResourceVersions()
	for _, n := range slices.Sorted(maps.Keys(versions)) {
		s.remember(sub, n, versions[n])
	}
	if sub.wildcard {
		s.fill(sub)
	}
	s.reviewAll(sub, now)
}

// remember notes what the client has. It has it because it accepted it.
func (s *stream) remember(sub *subscription, name, version string) {
	if !sub.wildcard && sub.slots[name] == nil || name == "" || len(name) > maxName {
		return
	}
	sl := sub.slot(name)
	sl.has = s.cat.known(sl.key, version)
	// A cluster may have been updated just before the last stream ended, and
	// wait for endpoints that the client has: it would not ask for them.
	sl.force = sub.typeURL == TypeEndpoint && !sl.has.foreign
	s.cat.accept(sl.has)
}

// fill gives a wildcard subscription its slots.
func (s *stream) fill(sub *subscription) {
	for n := range s.cat.types[sub.typeURL] {
		sub.slot(n)
	}
}

func (s *stream) reviewAll(sub *subscription, now time.Time) {
	s.gatesMoved = true
	for _, sl := range slices.Collect(maps.Values(sub.slots)) {
		s.review(sl, now)
	}
}

// subscribe adds names. A name that the client had is sent again: it may have
// dropped the resource in between.
func (s *stream) subscribe(sub *subscription, names []string, now time.Time) {
	for _, n := range names {
		if n == wildcard {
			sub.wildcard = true
			s.fill(sub)
			s.reviewAll(sub, now)
			continue
		}
		sl := sub.slot(n)
		sl.named = true
		sl.force = sl.has != nil || sl.flight != nil
		s.review(sl, now)
	}
}

func (s *stream) unsubscribe(sub *subscription, names []string, now time.Time) {
	for _, n := range names {
		if n == wildcard {
			s.narrow(sub)
			continue
		}
		sl := sub.slots[n]
		if sl == nil {
			continue
		}
		sl.named = false
		if sub.wildcard {
			s.review(sl, now)
		} else {
			s.waive(sl)
		}
	}
}

// waive drops a slot that the client does not want. What the others have may
// be all that is waited for now.
func (s *stream) waive(sl *slot) {
	s.drop(sl)
	s.cat.changed[sl.key] = struct{}{}
}

// narrow ends a wildcard subscription.
func (s *stream) narrow(sub *subscription) {
	sub.wildcard = false
	for _, sl := range slices.Collect(maps.Values(sub.slots)) {
		if !sl.named {
			s.waive(sl)
		}
	}
}
