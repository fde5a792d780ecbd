package canary

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/authz/leash"
)

// Config is what a Prover needs. Dir, Cut and Rand are required.
type Config struct {
	// Dir is the private folder of the sockets.
	Dir string
	// Cut ends a hop that is held (leash.Register.Cut).
	Cut func(leash.ID, leash.Cut) bool
	// TLS is how a client trusts what the gateway mints, for tunnels that are
	// inspected; nil: none is.
	TLS *tls.Config
	// Configured waits until the Envoy has answered to what it was told; nil:
	// nothing is waited for.
	Configured func(context.Context) error
	// Report is told how each attempt ended; nil: nobody is. It must not block.
	Report func(Verdict)
	Now    func() time.Time
	Rand   io.Reader
	Log    *slog.Logger
	// Patience is how long the first attempt on an Envoy waits for what has to
	// come; 0: 2s.
	Patience time.Duration
}

func (c *Config) setDefaults() {
	if c.Configured == nil {
		c.Configured = func(context.Context) error { return nil }
	}
	if c.Report == nil {
		c.Report = func(Verdict) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Patience <= 0 {
		c.Patience = 2 * time.Second
	}
}

// Prover proves each Envoy that begins.
type Prover struct {
	cfg  Config
	ends []end
	// never is the end among them that nothing may reach.
	never *secure
	tally *tally
	// begun has one token when an Envoy has begun that is not looked at yet.
	begun chan struct{}
	// attempt is the one that is being made; nil: none is.
	attempt atomic.Pointer[attempt]
	proven  atomic.Bool

	mu     sync.Mutex
	number uint64  // guarded by mu; of Envoys that have begun
	last   Verdict // guarded by mu
}

// New opens the sockets of the canaries' destinations. Run must follow; Close
// is for when it does not.
func New(cfg Config) (*Prover, error) {
	if cfg.Dir == "" || cfg.Cut == nil || cfg.Rand == nil {
		return nil, errors.New("make prover: something is missing")
	}
	cfg.setDefaults()
	t := &tally{waiting: map[string]chan int{}}
	ends, never, err := openEnds(cfg.Dir, t)
	if err != nil {
		return nil, fmt.Errorf("make prover: %w", err)
	}
	return &Prover{cfg: cfg, ends: ends, never: never, tally: t, begun: make(chan struct{}, 1)}, nil
}

// Close gives up what New took, for a Prover that does not run.
func (p *Prover) Close() error { return closeEnds(p.ends) }

// Begin says that an Envoy starts. From when it returns nothing is proven.
func (p *Prover) Begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number++
	p.proven.Store(false)
	p.toLook()
}

// toLook has the Envoy that runs looked at. It does not wait.
func (p *Prover) toLook() {
	select {
	case p.begun <- struct{}{}:
	default: // it is going to be
	}
}

// Proven reports whether the Envoy that runs has passed.
func (p *Prover) Proven() bool { return p.proven.Load() }

// Last is how the last attempt ended; zero: there was none.
func (p *Prover) Last() Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Run serves the destinations and proves each Envoy that begins, until ctx
// ends.
func (p *Prover) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, e := range p.ends {
		wg.Go(e.serve)
	}
	defer wg.Wait()
	defer func() { _ = p.Close() }() // what they served is over
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.begun:
			p.prove(ctx, p.try)
		}
	}
}

// Waits between attempts.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
)

// prove makes attempts until one passes, or another Envoy begins, or ctx ends.
// Each Envoy has the first patience to begin with, so that one that is wrong is
// found soon.
func (p *Prover) prove(ctx context.Context, try func(context.Context, time.Duration) Verdict) {
	n, patience := p.current(), p.cfg.Patience
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, lastWait) {
		v := try(ctx, patience)
		if ctx.Err() != nil || !p.judge(n, v) {
			return
		}
		p.tell(v)
		if v.Passed() || !p.pause(ctx, wait) {
			return
		}
		patience = longer(v, patience)
	}
}

func (p *Prover) current() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.number
}

// judge takes v for the Envoy of this number, and reports whether it is the one
// that runs.
func (p *Prover) judge(n uint64, v Verdict) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.number != n {
		return false
	}
	p.last = v
	p.proven.Store(v.Passed())
	return true
}

func (p *Prover) tell(v Verdict) {
	if v.Passed() {
		p.cfg.Log.Info("Envoy is proven: deadlines fire, cuts cut, relays end with their word, tunnels keep their targets, meters stop, and TLS is read before it passes", "took", v.Took)
	}
	for _, f := range v.Failed {
		p.cfg.Log.Error("Envoy is not proven, and nothing is let through", "canary", f.Canary, "saw", f.Saw, "took", v.Took, "patience", v.Patience)
	}
	p.cfg.Report(v)
}

// pause waits before the next attempt; false: another Envoy has begun.
func (p *Prover) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	case <-p.begun:
		p.toLook()
		return false
	}
}
