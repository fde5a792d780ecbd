package canary

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
)

// names are those of what failed.
func names(v Verdict) []string {
	var out []string
	for _, f := range v.Failed {
		out = append(out, f.Canary)
	}
	return out
}

// TestProofs: each fault is found, by the canary that is for it.
func TestProofs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		faults faults
		want   []string
		saw    string // in what the first saw
	}{
		{"none", faults{}, nil, ""},
		{"deadlines do not fire", faults{noDeadline: true}, []string{Deadline}, "a stream with a deadline of 60ms was open after"},
		{"what is over ends in order", faults{orderly: true}, []string{Deadline, Cut, Meter}, "orderly end"},
		{"cuts do not cut", faults{noCut: true}, []string{Cut, Relay, Meter}, "open still"},
		{"nothing is held", faults{noHold: true}, []string{Cut, Relay}, "a stream flowed that nothing held"},
		{"relays say nothing", faults{noWord: true}, []string{Relay}, "ended without its word"},
		{"relays say a word and are broken off", faults{dirtyEnd: true}, []string{Relay}, "said its word and was broken off"},
		{"tunnels mix", faults{mixed: true}, []string{Tunnels}, "a tunnel was taken for another"},
		{"nothing is metered", faults{noMeter: true}, []string{Meter}, "1 byte passed that a budget had no room for"},
		{"what is too much passes and is cut", faults{leaks: true}, []string{Meter}, "1 byte passed that a budget had no room for"},
		{"first flights are not read", faults{unread: true}, []string{Flight}, "TLS passed that was not to"},
		{"first flights pass without a word", faults{unheard: true}, []string{Flight}, "TLS passed that was not to"},
		{"one refusal is late", faults{hushed: 1}, nil, ""},
		{"refusals are not told", faults{hushed: 100}, []string{Flight}, "tunnel hosts: TLS was answered nothing, and not 15 03 01 00 02 02 46"},
		{"dialled before they are read", faults{early: true}, []string{Flight}, "4 connections were made for TLS that was not to pass"},
		{"what was captured is refused without a word", faults{silent: true}, []string{Refused}, "captured TLS: TLS was answered nothing, and not 15 03 03 00 02 02 31"},
		{"what was captured passes where it is refused", faults{open: true}, []string{Flight, Refused}, "connections were made for TLS that was not to pass"},
		{"what was captured is another's", faults{elsewhere: true}, []string{Tunnels}, `captured TLS: what came from 192.0.2.1:1000 was taken to come from "somewhere else"`},
		{"everything is refused", faults{refuses: true}, []string{Deadline, Cut, Relay, Tunnels, Meter, Flight}, "answered 503 not_ready"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.envoy.start(r.dir, tt.faults)
			r.Begin()
			v := <-r.told
			if diff := cmp.Diff(tt.want, names(v)); diff != "" {
				t.Fatalf("what failed differs (-want +got):\n%s%s", diff, v)
			}
			if len(v.Failed) > 0 && !strings.Contains(v.Failed[0].Saw, tt.saw) {
				t.Errorf("saw %q, want %q in it", v.Failed[0].Saw, tt.saw)
			}
			if r.Proven() != v.Passed() {
				t.Errorf("proven %v after %s", r.Proven(), v)
			}
			if last := r.Last(); last.String() != v.String() || last.Took != v.Took {
				t.Errorf("the last is %v, told was %v", last, v)
			}
		})
	}
}

// TestAgainUntilItPasses: what does not pass is tried again, and is not proven
// in the meantime.
func TestAgainUntilItPasses(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	r := newRig(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	r.envoy.start(r.dir, faults{noHold: true})
	r.Begin()
	for range 2 {
		if v := <-r.told; v.Passed() || r.Proven() {
			t.Fatalf("it passes: %s", v)
		}
	}
	r.envoy.faults.Store(&faults{})
	testenv.Wait(t, "it to pass", r.Proven)
	for _, want := range []string{"level=ERROR", "canary=cut", "canary=relay", "nothing held", " patience=2s", " patience=4s", "level=INFO msg=\"Envoy is proven"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
}

// TestEachEnvoyIsProven: another one that begins is not proven by the last.
func TestEachEnvoyIsProven(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if r.Proven() {
		t.Error("proven before there was one")
	}
	r.envoy.start(r.dir, faults{})
	for range 3 {
		r.Begin()
		v := <-r.told
		if !v.Passed() {
			t.Fatal(v)
		}
		testenv.Wait(t, "it to be proven", r.Proven)
	}
	r.envoy.faults.Store(&faults{noDeadline: true})
	r.Begin()
	if r.Proven() {
		t.Error("proven by what another one did")
	}
	if v := <-r.told; v.Passed() {
		t.Error("it passes with a fault")
	}
}

// TestAnotherBeginsMeanwhile: what an Envoy showed that is gone proves nothing.
func TestAnotherBeginsMeanwhile(t *testing.T) {
	t.Parallel()
	asked, go_ := make(chan struct{}, 10), make(chan struct{})
	r := newRig(t, func(c *Config) {
		c.Configured = func(ctx context.Context) error {
			asked <- struct{}{}
			select {
			case <-ctx.Done():
			case <-go_:
			}
			return nil
		}
	})
	r.envoy.start(r.dir, faults{})
	r.Begin()
	<-asked
	r.Begin()
	go_ <- struct{}{}
	<-asked // about the second: the attempt on the first is over
	if n := len(r.told); n != 0 || r.Proven() {
		t.Errorf("%d verdicts, proven %v: an Envoy that is gone was judged", n, r.Proven())
	}
	go_ <- struct{}{}
	if v := <-r.told; !v.Passed() {
		t.Fatal(v)
	}
}

// TestBeginNeverHoldsUpAPause: while others begin, one that pauses goes on, and
// leaves the word that there is one to look at.
func TestBeginNeverHoldsUpAPause(t *testing.T) {
	t.Parallel()
	p := &Prover{begun: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				p.Begin()
			}
		})
	}
	const rounds = 1000
	var round atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ; round.Load() < rounds && !t.Failed(); round.Add(1) {
			if p.pause(ctx, time.Hour) {
				t.Error("a pause is over, and another has begun")
			}
			select {
			case <-p.begun:
			default:
				t.Error("what has begun is forgotten")
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Errorf("it stands still in round %d", round.Load())
	}
	stop()
	wg.Wait()
	for {
		select {
		case <-done:
			return
		case <-p.begun: // lets a pause go that stands still
		}
	}
}

// TestNobodyListens: an Envoy that canaries cannot enter does not pass.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.Patience = 20 * time.Millisecond })
	r.Begin()
	if v := <-r.told; len(v.Failed) != 1 || v.Failed[0].Canary != Listeners || !strings.Contains(v.Failed[0].Saw, "no canary can enter by routes") {
		t.Errorf("saw %v", v)
	}
	r.envoy.start(r.dir, faults{})
	testenv.Wait(t, "canaries to enter", func() bool {
		v := r.Last()
		return len(v.Failed) == 0 || v.Failed[0].Canary != Listeners
	})
}

// TestEnvoyDoesNotAnswer: what it was told.
func TestEnvoyDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.Configured = func(context.Context) error { return errRefused } })
	r.envoy.start(r.dir, faults{})
	r.Begin()
	if v := <-r.told; len(v.Failed) != 1 || v.Failed[0] != (Failure{Listeners, "wait for Envoy to answer: refused"}) {
		t.Errorf("saw %v", v)
	}
}

// TestNoRandomness: without a secret there is no attempt.
func TestNoRandomness(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.Rand = iotest.ErrReader(errRefused) })
	r.envoy.start(r.dir, faults{})
	r.Begin()
	if v := <-r.told; v.Passed() || r.Proven() || !strings.Contains(v.String(), "draw secret: refused") {
		t.Errorf("saw %v", v)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	cut := func(leash.ID, leash.Cut) bool { return false }
	taken := testenv.ShortDir(t)
	if err := os.WriteFile(wire.CanarySocket(taken, wire.CanaryTwo), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cfg  Config
		want string
	}{
		"nothing":          {Config{}, "something is missing"},
		"a path too long":  {Config{Dir: longDir(t), Cut: cut, Rand: iotest.ErrReader(errRefused)}, "too long for a socket"},
		"a socket in use":  {Config{Dir: taken, Cut: cut, Rand: iotest.ErrReader(errRefused)}, "address already in use"},
		"a folder missing": {Config{Dir: taken + "/none", Cut: cut, Rand: iotest.ErrReader(errRefused)}, "no such file"},
	} {
		if p, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	p, err := New(Config{Dir: testenv.ShortDir(t), Cut: cut, Rand: iotest.ErrReader(errRefused)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("close what did not run: %v", err)
	}
}

// TestPlan: a canary is one of those that are sent, and only while they are.
func TestPlan(t *testing.T) {
	t.Parallel()
	p := &Prover{}
	one := wire.CanaryHost(wire.CanaryOne, wire.ModeHosts)
	if _, ok := p.Plan(Question{Listener: wire.CanaryRoutes, Host: one, Path: pathCut}); ok || p.Owns("") {
		t.Error("a canary when no attempt is made")
	}
	a, err := newAttempt(bytes.NewReader(make([]byte, 32)), 0)
	if err != nil {
		t.Fatal(err)
	}
	p.attempt.Store(a)
	if !p.Owns(a.secret) || p.Owns("") || p.Owns(a.secret[1:]) || p.Owns(a.secret+"0") {
		t.Error("the secret is not what is asked for")
	}
	plain := func(p Plan) Plan { p.Mode, p.Cluster = wire.ModeHosts, "hopgate/canary/one"; return p }
	passing := func(p Plan) Plan { p.Mode, p.Cluster = wire.ModeHosts, "hopgate/canary/secure"; return p }
	never, secured := wire.CanaryHost(wire.CanaryNever, wire.ModeHosts), wire.CanaryHost(wire.CanarySecure, wire.ModeHosts)
	for _, tt := range []struct {
		name string
		q    Question
		want Plan
	}{
		{"a deadline", Question{Listener: wire.CanaryRoutes, Host: one, Path: pathDeadline}, plain(Plan{Life: shortLife, Hold: wire.HoldNone})},
		{"a cut", Question{Listener: wire.CanaryProxy, Host: one, Path: pathCut}, plain(Plan{Life: longLife, Hold: wire.HoldHeaders})},
		{"a meter", Question{Listener: wire.CanaryHTTP, Host: one, Path: pathMeter}, plain(Plan{Life: longLife, Hold: wire.HoldHeaders, Upload: meterRoom})},
		{"a relay in a tunnel", Question{Host: wire.CanaryHost(wire.CanaryTwo, wire.ModeInside), Path: pathRelay}, Plan{Life: longLife, Hold: wire.HoldRelay, Mode: wire.ModeInside, Cluster: "hopgate/canary/two"}},
		{"a tunnel", Question{Listener: wire.CanaryProxy, Connect: true, Host: wire.CanaryHost(wire.CanaryTwo, wire.ModeGuard)}, Plan{Life: longLife, Hold: wire.HoldHeaders, Mode: wire.ModeGuard, Cluster: "hopgate/canary/two"}},
		{"a tunnel that nobody answers to", Question{Listener: wire.CanaryProxy, Connect: true, Host: never}, Plan{Life: longLife, Hold: wire.HoldHeaders, Mode: wire.ModeHosts, Cluster: "hopgate/canary/never", Mute: true}},
		{"captured TLS", Question{Listener: wire.CanaryTLS, Connect: true, Host: secured, Path: pathName}, passing(Plan{Life: longLife, Hold: wire.HoldHeaders})},
		{"captured TLS with a deadline", Question{Listener: wire.CanaryTLS, Connect: true, Host: secured, Path: pathDeadline}, passing(Plan{Life: capturedLife, Hold: wire.HoldNone})},
		{"captured TLS that is metered", Question{Listener: wire.CanaryTLS, Connect: true, Host: secured, Path: pathMeter}, passing(Plan{Life: longLife, Hold: wire.HoldHeaders, Upload: meterRoom})},
		{"captured TLS that is refused", Question{Listener: wire.CanaryTLS, Connect: true, Host: secured, Path: pathRefused}, Plan{}},
		{"captured TLS that is relayed", Question{Listener: wire.CanaryTLS, Connect: true, Host: secured, Path: pathRelay}, Plan{}},
		{"captured TLS to where nothing may lead", Question{Listener: wire.CanaryTLS, Connect: true, Host: never, Path: pathName}, Plan{}},
		{"a request where TLS is captured", Question{Listener: wire.CanaryTLS, Host: one, Path: pathCut}, Plan{}},
		{"a request to where nothing may lead", Question{Listener: wire.CanaryProxy, Host: never, Path: pathCut}, Plan{}},
		{"a tunnel where there is none", Question{Listener: wire.CanaryRoutes, Connect: true, Host: one}, Plan{}},
		{"a tunnel where plain HTTP is captured", Question{Listener: wire.CanaryHTTP, Connect: true, Host: one}, Plan{}},
		{"a tunnel in a tunnel", Question{Connect: true, Host: one}, Plan{}},
		{"another path", Question{Listener: wire.CanaryRoutes, Host: one, Path: "/other"}, Plan{}},
		{"another host", Question{Listener: wire.CanaryRoutes, Host: "example.com", Path: pathCut}, Plan{}},
		{"another destination", Question{Listener: wire.CanaryRoutes, Host: "three.hosts.hopgate.invalid", Path: pathCut}, Plan{}},
		{"another mode", Question{Listener: wire.CanaryRoutes, Host: "one.other.hopgate.invalid", Path: pathCut}, Plan{}},
		{"more of a host", Question{Listener: wire.CanaryRoutes, Host: "one.hosts.x.hopgate.invalid", Path: pathCut}, Plan{}},
	} {
		got, ok := p.Plan(tt.q)
		if ok != (tt.want != Plan{}) || got != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, got, ok)
		}
	}
}

// lockedBuffer is a log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
