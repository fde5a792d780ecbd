package leash

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Config is how a register works.
type Config struct {
	// Now gives the time, with its monotonic part.
	Now func() time.Time
	// Wall gives the time without its monotonic part, which stands still while a
	// machine sleeps. Nil: Now's.
	Wall func() time.Time
	// Max bounds all hops; full means deny. 0: 100000, as many as Envoy opens
	// holds for.
	Max int
	// MaxPending bounds hops whose hold has not opened; full means deny. 0:
	// 10000.
	MaxPending int
	// OpenWithin is how long a hold may take to open. 0: 5s.
	OpenWithin time.Duration
	// LogWithin is how long the log may come after the hold closed. 0: 5s.
	LogWithin time.Duration
	// Ended is told of the end of each hop, once. It must not block.
	Ended func(*Hop, Ending)
}

// ErrFull means that too many hops live, or wait for their hold.
var ErrFull = errors.New("too many hops live, or wait for their hold")

// ErrTwice means that a hop's id is in use: its bits are not random.
var ErrTwice = errors.New("the hop's id is in use")

const shards = 16

// holdMissing is the code and the detail of a hop whose hold never opened.
const holdMissing = "hold_missing"

// Register is all hops that are pending or live.
type Register struct {
	cfg     Config
	all     atomic.Int64 // hops in the shards
	pending atomic.Int64
	shard   [shards]shard
}

type shard struct {
	mu    sync.Mutex
	hops  map[ID]*Hop // guarded by mu
	index index       // guarded by mu
	// canaries is how many of hops are; guarded by mu.
	canaries int
}

// NewRegister makes an empty register; Run must be running for hops to end
// that nobody speaks of any more.
func NewRegister(cfg Config) *Register {
	if cfg.Wall == nil {
		cfg.Wall = func() time.Time { return cfg.Now().Round(0) }
	}
	if cfg.Max <= 0 {
		cfg.Max = 100_000
	}
	if cfg.MaxPending <= 0 {
		cfg.MaxPending = 10_000
	}
	if cfg.OpenWithin <= 0 {
		cfg.OpenWithin = 5 * time.Second
	}
	if cfg.LogWithin <= 0 {
		cfg.LogWithin = 5 * time.Second
	}
	r := &Register{cfg: cfg}
	for i := range r.shard {
		r.shard[i].hops, r.shard[i].index.sets = map[ID]*Hop{}, map[Key]*set{}
	}
	return r
}

// Run sweeps until ctx ends.
func (r *Register) Run(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			r.sweep()
		}
	}
}

func (r *Register) of(id ID) *shard {
	return &r.shard[id[0]%shards]
}

// Enter makes h pending, or live where it goes without a hold. It must be
// called before Envoy is told that the hop may pass.
func (r *Register) Enter(h *Hop) error {
	h.entered, h.until = r.cfg.Now(), h.Until
	if h.Last.Before(h.Until) {
		h.Last = h.Until
	}
	if !take(&r.all, r.cfg.Max) {
		return ErrFull
	}
	if h.Held && !take(&r.pending, r.cfg.MaxPending) {
		r.all.Add(-1)
		return ErrFull
	}
	if !h.Held {
		h.state.Store(uint32(stateLive))
	}
	s := r.of(h.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hops[h.ID] != nil {
		r.all.Add(-1)
		if h.Held {
			r.pending.Add(-1)
		}
		return ErrTwice
	}
	s.hops[h.ID] = h
	if h.Canary {
		s.canaries++
	}
	s.index.add(h)
	return nil
}

// take counts one more where there is room for it.
func take(n *atomic.Int64, most int) bool {
	if n.Add(1) > int64(most) {
		n.Add(-1)
		return false
	}
	return true
}

// Open gives the hop its hold, once: a second call for one id finds nothing, and
// neither does one for another kind of hold than was ordered.
// From then on cut is called when the hop must end: at most once, and not
// after Closed.
func (r *Register) Open(id ID, relayed bool, cut func(Cut)) (*Hop, bool) {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hops[id]
	if h == nil || state(h.state.Load()) != statePending || h.Relay != relayed {
		return nil, false
	}
	r.pending.Add(-1)
	h.state.Store(uint32(stateLive))
	h.cut = cut
	r.setTimer(h)
	return h, true
}

// Cut ends a live hop now, and reports whether there was one to end.
func (r *Register) Cut(id ID, c Cut) bool {
	tell := r.Condemn(id, c)
	if tell == nil {
		return false
	}
	tell()
	return true
}

// Condemn notes of a live hop that it is cut: it is recorded so, however it
// ends. It ends when it is told; nil: there is none to end.
func (r *Register) Condemn(id ID, c Cut) (tell func()) {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return condemn(s.hops[id], c)
}

// condemn is Condemn; the shard is locked.
func condemn(h *Hop, c Cut) (tell func()) {
	if h == nil || !h.live() || h.cut == nil || h.cutBy.Code != "" {
		return nil
	}
	h.cutBy = c
	cut := h.cut
	return func() { cut(c) }
}

// Refuse notes that a hold was not given, for this reason.
func (r *Register) Refuse(id ID, code string) {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hops[id]; h != nil {
		h.cutBy = Cut{Code: code, Detail: wire.DetailRefused}
	}
}

// Left ends a hop that nobody waits for any more before it was told that it may
// pass. Should it come all the same, its hold is refused.
func (r *Register) Left(id ID) {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hops[id]
	if h == nil || h.Held && state(h.state.Load()) != statePending {
		return
	}
	h.left = true
	r.finish(s, h, true)
}

// Closed notes that the hold of a hop has ended.
func (r *Register) Closed(id ID) {
	s := r.of(id)
	s.mu.Lock()
	h := s.hops[id]
	if h == nil || !h.live() {
		s.mu.Unlock()
		return
	}
	h.state.Store(uint32(stateClosed))
	h.closed = r.cfg.Now()
	if h.timer != nil {
		h.timer.Stop()
	}
	r.finish(s, h, h.log != nil)
	s.mu.Unlock()
}

// Logged notes what Envoy logged of a hop: it is over.
func (r *Register) Logged(id ID, l Logged) {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hops[id]
	if h == nil {
		return
	}
	h.logged = l
	h.log = &h.logged
	// A hold that is open still closes within the moment; a hop that never
	// got one is over with its log.
	r.finish(s, h, !h.Held || !h.live())
}

// finish ends h when all that will come has come. The shard is locked.
func (r *Register) finish(s *shard, h *Hop, over bool) {
	if !over {
		return
	}
	delete(s.hops, h.ID)
	if h.Canary {
		s.canaries--
	}
	s.index.drop(h)
	r.all.Add(-1)
	how := h.howEnded()
	if state(h.state.Load()) == statePending {
		r.pending.Add(-1)
	}
	h.state.Store(uint32(stateClosed))
	end := Ending{How: how, Log: h.log, Lived: r.cfg.Now().Sub(h.entered), CutCode: h.cutBy.Code}
	r.cfg.Ended(h, end)
}

// Live finds a hop that is live.
func (r *Register) Live(id ID) (*Hop, bool) {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hops[id]
	if h == nil || !h.live() || h.cutBy.Code != "" {
		return nil, false
	}
	return h, true
}

// Len is how many hops are in the register.
func (r *Register) Len() int {
	n := 0
	for i := range r.shard {
		r.shard[i].mu.Lock()
		n += len(r.shard[i].hops)
		r.shard[i].mu.Unlock()
	}
	return n
}

// Served is how many of them are not hopgate's own.
func (r *Register) Served() int {
	n := 0
	for i := range r.shard {
		r.shard[i].mu.Lock()
		n += len(r.shard[i].hops) - r.shard[i].canaries
		r.shard[i].mu.Unlock()
	}
	return n
}

// sweep ends hops that nobody speaks of any more, and enters those under their
// keys that have lived for a while.
func (r *Register) sweep() {
	now := r.cfg.Now()
	for i := range r.shard {
		s := &r.shard[i]
		s.mu.Lock()
		var tell []func()
		for _, h := range s.hops {
			if r.sweepHop(s, h, now); r.overslept(h) {
				tell = append(tell, condemn(h, expired()))
			}
		}
		s.index.age(now)
		s.mu.Unlock()
		for _, f := range tell {
			if f != nil {
				f()
			}
		}
	}
}

func (r *Register) sweepHop(s *shard, h *Hop, now time.Time) {
	switch {
	case state(h.state.Load()) == statePending && now.Sub(h.entered) > r.cfg.OpenWithin:
		h.cutBy = Cut{Code: holdMissing, Detail: holdMissing}
		r.finish(s, h, true)
	case !h.closed.IsZero() && now.Sub(h.closed) > r.cfg.LogWithin:
		r.finish(s, h, true)
	case !h.Held && !h.until.IsZero() && now.Sub(h.until) > r.cfg.LogWithin:
		r.finish(s, h, true)
	}
}

// find returns a hop whatever its state.
func (r *Register) find(id ID) (*Hop, bool) {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.hops[id]
	return h, ok
}
