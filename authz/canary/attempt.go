package canary

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// attempt is one time that all is proven.
type attempt struct {
	secret string
	// patience is how long what has to come is waited for.
	patience time.Duration

	mu   sync.Mutex
	hops map[string]Question // guarded by mu; by nameOf
}

func newAttempt(rand io.Reader, patience time.Duration) (*attempt, error) {
	var raw [32]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return nil, fmt.Errorf("draw secret: %w", err)
	}
	return &attempt{secret: hex.EncodeToString(raw[:]), patience: patience, hops: map[string]Question{}}, nil
}

// Question is a hop that carries an attempt's secret.
type Question struct {
	ID leash.ID
	// Listener is the listener of canaries that it entered by; empty: it is
	// inside a tunnel.
	Listener string
	// Connect is true of a tunnel.
	Connect bool
	// Host and Path are where it goes; a path of a tunnel is empty, and of one
	// that is made of captured TLS it is what that is for.
	Host, Path string
	// Source is where captured TLS came from, as Envoy says.
	Source string
}

// Plan is how a canary goes on.
type Plan struct {
	// Life is its deadline, Hold a wire.Hold value.
	Life time.Duration
	Hold string
	// Mode and Cluster lead it to its destination.
	Mode, Cluster string
	// Upload is how many bytes of its body may pass; 0: nobody counts them.
	Upload int64
	// Mute: nobody answers to what the TLS in it begins with.
	Mute bool
}

// Owns reports whether a request is a canary: it carries the secret of the
// attempt that is being made.
func (p *Prover) Owns(secret string) bool {
	a := p.attempt.Load()
	return a != nil && subtle.ConstantTimeCompare([]byte(a.secret), []byte(secret)) == 1
}

// Paths of canaries, each for what it proves.
const (
	pathDeadline = "/" + Deadline
	pathCut      = "/" + Cut
	pathRelay    = "/" + Relay
	pathName     = "/name"
	pathMeter    = "/" + Meter
	pathRefused  = "/" + Refused
)

// Lives of canaries. The deadline is the shortest that a slow machine does not
// miss for other reasons, and shorter where it is seen late: by HTTP/1.1, as
// which tunnels are made of captured TLS, Envoy closes some 50 ms behind it. The
// rest end by other means: they live for so much longer than the attempt has
// patience, or the end of their lives would pass for what it waits for.
const (
	shortLife    = 60 * time.Millisecond
	capturedLife = 10 * time.Millisecond
	longLife     = 10 * time.Second
)

// Plan says how a canary goes on; false: it is none that was sent.
func (p *Prover) Plan(q Question) (Plan, bool) {
	a := p.attempt.Load()
	destination, mode, ok := wire.ParseCanaryHost(q.Host)
	if a == nil || !ok {
		return Plan{}, false
	}
	out := Plan{Life: a.patience + longLife, Hold: wire.HoldHeaders, Mode: mode, Cluster: wire.CanaryName(destination)}
	if !q.Connect {
		// What is inside goes on as it would without being looked at.
		out.Mode = strings.TrimSuffix(mode, wire.InspectSuffix)
	}
	switch {
	case q.Connect && q.Listener == wire.CanaryProxy:
		out.Mute = destination == wire.CanaryNever
	case q.Connect != (q.Listener == wire.CanaryTLS), destination == wire.CanaryNever:
		return Plan{}, false
	case q.Path == pathCut, q.Path == pathName:
	case q.Path == pathDeadline:
		// Nothing but Envoy's own timer ends it.
		out.Life, out.Hold = shortLife, wire.HoldNone
		if q.Connect {
			out.Life = capturedLife
		}
	case q.Path == pathRelay && !q.Connect:
		out.Hold = wire.HoldRelay
	case q.Path == pathMeter:
		out.Upload = meterRoom
	default:
		return Plan{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hops[nameOf(q.Listener, mode, q.Path)] = q
	return out, true
}

// nameOf names a hop of an attempt.
func nameOf(listener, mode, path string) string {
	return strings.Join([]string{listener, mode, path}, " ")
}

func (a *attempt) hop(listener, mode, path string) (leash.ID, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q, ok := a.hops[nameOf(listener, mode, path)]
	return q.ID, ok
}

// source is where captured TLS came from; false: nobody has decided it.
func (a *attempt) source(path string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q, ok := a.hops[nameOf(wire.CanaryTLS, wire.ModeHosts, path)]
	return q.Source, ok
}

// try proves everything once.
func (p *Prover) try(ctx context.Context, patience time.Duration) Verdict {
	if err := p.reach(ctx); err != nil {
		return Verdict{Failed: []Failure{{Listeners, err.Error()}}}
	}
	a, err := newAttempt(p.cfg.Rand, patience)
	if err != nil {
		return Verdict{Failed: []Failure{{Listeners, err.Error()}}}
	}
	p.attempt.Store(a)
	defer p.attempt.Store(nil)
	begun := p.cfg.Now()
	failed := p.proofs(ctx, a)
	return Verdict{Took: p.cfg.Now().Sub(begun), Patience: patience, Failed: failed}
}

// proofs are made at once, but for that what has to wait begins first: the rest
// is proven while it does.
func (p *Prover) proofs(ctx context.Context, a *attempt) []Failure {
	ways := p.ways(a)
	f := &findings{}
	strays := p.strays(ctx, a)
	ctx, cancel := a.bound(ctx)
	defer cancel()
	var wg sync.WaitGroup
	begun := p.deadlines(ctx, &wg, ways, f)
	wg.Go(func() { p.captured(ctx, a, f) })
	select {
	case <-begun:
	case <-time.After(shortLife):
	}
	for _, w := range ways {
		wg.Go(func() { f.add(Cut, w.String(), p.cut(ctx, a, w)) })
		wg.Go(func() { f.add(Relay, w.String(), p.relay(ctx, a, w)) })
		if w.shapes() {
			wg.Go(func() { f.add(Meter, w.String(), p.meter(ctx, w)) })
		}
	}
	wg.Go(func() { p.tunnels(ctx, a, f) })
	wg.Go(func() { p.flights(ctx, a, f) })
	var refusal error
	wg.Go(func() { refusal = p.refusal(ctx, a) })
	wg.Wait()
	if errors.As(refusal, new(unanswered)) && ctx.Err() == nil {
		refusal = p.refusal(ctx, a) // now that nothing else is proven, which takes time
	}
	f.add(Flight, "tunnel "+wire.ModeHosts, refusal)
	f.add(Flight, "all", strays())
	for _, w := range ways {
		w.close()
	}
	return f.failures()
}

// deadlines has streams begin by all ways that end by their deadline. What it
// returns is closed when all have begun.
func (p *Prover) deadlines(ctx context.Context, wg *sync.WaitGroup, ways []*way, f *findings) <-chan struct{} {
	out := make(chan struct{})
	var left sync.WaitGroup
	for _, w := range ways {
		left.Add(1)
		flows := sync.OnceFunc(left.Done)
		wg.Go(func() {
			defer flows()
			f.add(Deadline, w.String(), p.deadline(ctx, w, flows))
		})
	}
	wg.Go(func() {
		left.Wait()
		close(out)
	})
	return out
}
