package leash

import (
	"time"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// codeExpired is the code of a hop whose life has ended.
const codeExpired = "expired"

// setTimer has h end by itself. The shard is locked.
func (r *Register) setTimer(h *Hop) {
	if h.until.IsZero() {
		return
	}
	left := h.lead(h.until.Sub(r.cfg.Now()))
	if h.timer != nil {
		h.timer.Reset(left)
		return
	}
	h.timer = time.AfterFunc(left, func() { r.expire(h) })
}

// expire ends h, unless its end was moved as the timer fired.
func (r *Register) expire(h *Hop) {
	if tell := r.condemnExpired(h); tell != nil {
		tell()
	}
}

// condemnExpired condemns h, or sets its timer again. Both are done under one
// lock: what is moved before that lives on, and nothing is moved after it.
func (r *Register) condemnExpired(h *Hop) (tell func()) {
	s := r.of(h.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.hops[h.ID] != h || !h.live():
		return nil
	case h.until.Sub(r.cfg.Now()) > h.early():
		r.setTimer(h)
		return nil
	default:
		return condemn(h, expired())
	}
}

func expired() Cut { return Cut{Code: codeExpired, Detail: wire.DetailExpired} }

// sleepSlack is by how much the clock on the wall may be past a hop's end before
// that ends it: its own timer comes first, unless it stood still.
const sleepSlack = 2 * time.Second

// overslept reports whether h should have ended while the machine slept: its
// timer, like Envoy's, goes on where it stopped. The shard is locked.
func (r *Register) overslept(h *Hop) bool {
	return h.Held && h.live() && !h.until.IsZero() && r.cfg.Wall().After(h.until.Round(0).Add(sleepSlack))
}

// Move moves the end of a hop that has one, and reports whether it lives and
// has not been cut. Envoy's own deadline stays: a hop never ends later than it was told.
func (r *Register) Move(id ID, until time.Time) bool {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hops[id]
	if h == nil || h.until.IsZero() || state(h.state.Load()) == stateClosed || h.cutBy.Code != "" || h.log != nil {
		return false
	}
	h.until = until
	if until.After(h.Last) {
		h.until = h.Last
	}
	if h.timer != nil {
		r.setTimer(h)
	}
	return true
}

// early is how long before its end, at most, h is ended by us; and what a timer
// may be off.
func (h *Hop) early() time.Duration {
	if h.Relay {
		return wordLead + time.Millisecond
	}
	return time.Millisecond
}

// Until is when a hop ends by itself as things stand, and when at the latest;
// zero: never, or it is not there.
func (r *Register) Until(id ID) (until, last time.Time) {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hops[id]
	if h == nil {
		return time.Time{}, time.Time{}
	}
	return h.until, h.Last
}
