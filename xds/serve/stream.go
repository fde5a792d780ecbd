package serve

import (
	"slices"
	"time"
)

// streamID numbers streams from 1.
type streamID uint64

// limits are a stream's settings.
type limits struct {
	// gate bounds how long a listener or route table waits for clusters,
	// linger is how long nothing must refer to what is removed.
	gate, linger time.Duration
	// names bounds what one Envoy may name in one type.
	names int
	floor Version
}

// stream is the state of one Envoy's stream: a machine that takes requests,
// changes of the catalogue and the time, and gives responses. It starts no
// goroutine and knows no clock.
type stream struct {
	id     streamID
	limits limits
	cat    *catalogue
	node   Node
	// met: the first request was read.
	met bool
	// born is the revision that was desired when the stream began.
	born Revision
	subs map[string]*subscription
	// order are the subscriptions in the order of sending.
	order   []*subscription
	flights map[string]flight
	nonce   uint64
	// unsettled are slots whose Envoy has not answered to what is offered.
	unsettled map[*slot]struct{}
	// leaving are slots of resources that are no longer served.
	leaving map[*slot]struct{}
	// sweepAt is when they are looked at next; zero: there are none.
	sweepAt time.Time
	// gatesMoved: a cluster that a gate waits for may be there; gateAt is when
	// the first gate opens by itself.
	gatesMoved bool
	gateAt     time.Time
	counts     Counts
}

// flight is a response that was not answered.
type flight struct {
	slot    *slot
	edition *edition
}

// subscription is one type on one stream.
type subscription struct {
	typeURL  string
	wildcard bool
	slots    map[string]*slot
	queue    queue
	// gated are slots that wait for clusters.
	gated map[*slot]struct{}
}

// slot is one resource on one stream.
type slot struct {
	key Key
	sub *subscription
	// named: the client asked for it by name.
	named bool
	// has is what the Envoy accepted last; nil: it was told nothing.
	has *edition
	// may is what it perhaps has besides: an answer to an earlier subscription
	// to the same name, that crossed with the new one.
	may *edition
	// flight is what was sent last and is not answered; nil: nothing is.
	flight *edition
	// force: it is sent again even if the Envoy has it.
	force bool
	// since is the revision of the oldest change that is not settled.
	since Revision
	gate  gate
	// loose is since when nothing refers to it; released: long enough.
	loose    time.Time
	released bool
	empty    *edition
	// queued and first are the queue's.
	queued int
	first  bool
	// dropped: it is no longer in the subscription.
	dropped bool
}

func newStream(id streamID, cat *catalogue, l limits) *stream {
	return &stream{
		id: id, cat: cat, limits: l, born: cat.revision,
		subs: map[string]*subscription{}, flights: map[string]flight{},
		unsettled: map[*slot]struct{}{}, leaving: map[*slot]struct{}{},
	}
}

// subscription gives the subscription of a type, made when it is new.
func (s *stream) subscription(typeURL string) (sub *subscription, first bool) {
	if sub := s.subs[typeURL]; sub != nil {
		return sub, false
	}
	sub = &subscription{typeURL: typeURL, slots: map[string]*slot{}, gated: map[*slot]struct{}{}}
	s.subs[typeURL] = sub
	s.order = append(s.order, sub)
	slices.SortFunc(s.order, func(a, b *subscription) int { return Key{TypeURL: a.typeURL}.compare(Key{TypeURL: b.typeURL}) })
	return sub, true
}

// slot gives the slot of a name, made when it is new.
func (u *subscription) slot(name string) *slot {
	sl := u.slots[name]
	if sl == nil {
		sl = &slot{key: Key{u.typeURL, name}, sub: u}
		u.slots[name] = sl
	}
	return sl
}

// end takes the stream out of the catalogue's sight.
func (s *stream) end() {
	for _, f := range s.flights {
		s.cat.land(f.edition)
	}
}

// drop ends a slot.
func (s *stream) drop(sl *slot) {
	sl.dropped = true
	sl.sub.queue.remove(sl)
	delete(sl.sub.slots, sl.key.Name)
	delete(sl.sub.gated, sl)
	delete(s.unsettled, sl)
	delete(s.leaving, sl)
	s.gatesMoved = true
}

// takes reports whether the client of the stream takes k.
func (s *stream) takes(k Key) bool {
	sub := s.subs[k.TypeURL]
	return sub != nil && (sub.wildcard || sub.slots[k.Name] != nil)
}

// held is what the Envoy has of k; nil: nothing.
func (s *stream) held(k Key) *edition {
	if sub := s.subs[k.TypeURL]; sub != nil {
		if sl := sub.slots[k.Name]; sl != nil {
			return sl.has
		}
	}
	return nil
}

// touch looks again at a key whose offer may have changed.
func (s *stream) touch(k Key, now time.Time) {
	if k.TypeURL == TypeCluster {
		s.gatesMoved = true
	}
	if s.takes(k) {
		s.review(s.subs[k.TypeURL].slot(k.Name), now)
	}
}

// wanted is what the Envoy should have in a slot.
func (s *stream) wanted(sl *slot) (*edition, standing) {
	ed, st := s.cat.offered(sl.key, s.id)
	if st == standingServed || st == standingOpen {
		return ed, st
	}
	if !sl.named {
		return absence(sl.key), st
	}
	if sl.empty == nil {
		sl.empty = s.cat.stopgap(sl.key)
	}
	return sl.empty, st
}

// due is what is to be sent for a slot now; nil: nothing.
func (s *stream) due(sl *slot) *edition {
	want, st := s.wanted(sl)
	// What comes back does not wait for the answer to its removal.
	busy := sl.flight != nil && (sl.flight.body != nil || st != standingServed)
	switch {
	case busy || st == standingOpen:
		return nil
	case sl.flight != nil:
		return want
	case st != standingServed && sl.has.real() && !sl.released:
		return s.again(sl, want)
	case want.same(sl.has) && !sl.force, st != standingServed && !sl.named && sl.has == nil:
		return nil
	default:
		return want
	}
}

// again is what is sent for a slot whose resource is no longer served but
// still in use: nothing, unless the client asks for it.
func (s *stream) again(sl *slot, empty *edition) *edition {
	switch {
	case !sl.force:
		return nil
	case sl.has.body != nil:
		return sl.has
	default:
		return empty
	}
}

// review works out what is to be done with a slot.
func (s *stream) review(sl *slot, now time.Time) {
	want, st := s.wanted(sl)
	if st == standingServed && want.same(sl.has) {
		// It may have come by another stream, or before this offer was made.
		sl.has = want
		s.cat.recall(want)
	}
	leaves := st == standingMissing && sl.has.real()
	s.leave(sl, leaves, now)
	ed := s.due(sl)
	if ed != nil {
		sl.sub.queue.push(sl, leaves && sl.key.TypeURL == TypeListener)
	}
	idle := ed == nil && sl.flight == nil
	switch {
	case idle && (st == standingMissing || st == standingFaulty) && !sl.named && !sl.has.real():
		s.drop(sl)
	case idle && st != standingOpen, leaves && sl.flight == nil && !sl.force:
		s.settle(sl)
	default:
		s.unsettle(sl)
	}
}

func (s *stream) settle(sl *slot) {
	delete(s.unsettled, sl)
	delete(sl.sub.gated, sl)
	sl.since, sl.gate = 0, gate{}
}

func (s *stream) unsettle(sl *slot) {
	if sl.since == 0 {
		sl.since = s.cat.revisionOf(sl.key)
	}
	s.unsettled[sl] = struct{}{}
}

// leave notes whether a slot holds what is no longer served. Nothing refers to
// a listener: it goes at once, before another one takes its address.
func (s *stream) leave(sl *slot, leaves bool, now time.Time) {
	_, before := s.leaving[sl]
	switch {
	case leaves && !before:
		s.leaving[sl] = struct{}{}
		sl.loose, sl.released = time.Time{}, sl.key.TypeURL == TypeListener
		if s.sweepAt.IsZero() || now.Before(s.sweepAt) {
			s.sweepAt = now
		}
	case !leaves && before:
		delete(s.leaving, sl)
		sl.released = false
	}
}
