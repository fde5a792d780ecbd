package canary

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
)

// slow is an Envoy that needs this much for what it is to show, as attempts see
// it, and what patience each of them had.
type slow struct {
	needs time.Duration
	had   []time.Duration
}

func (s *slow) try(ctx context.Context, patience time.Duration) Verdict {
	s.had = append(s.had, patience)
	select {
	case <-ctx.Done():
	case <-time.After(min(s.needs, patience)):
	}
	v := Verdict{Patience: patience}
	if s.needs > patience {
		v.Failed = []Failure{{Cut, "open still"}}
	}
	return v
}

// newPatient makes a prover of which no attempt is made by itself.
func newPatient() *Prover {
	p := &Prover{begun: make(chan struct{}, 1)}
	p.cfg.setDefaults()
	return p
}

// TestPatienceGrows: what an Envoy needs it gets, up to a bound, and each Envoy
// begins anew.
func TestPatienceGrows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		needs time.Duration
		want  []time.Duration
	}{
		{"fast", 100 * time.Millisecond, []time.Duration{2 * time.Second}},
		{"a little slow", 2100 * time.Millisecond, []time.Duration{2 * time.Second, 4 * time.Second}},
		{"slow", 13 * time.Second, []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, lastPatience}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPatient()
				for range 2 {
					p.Begin()
					<-p.begun
					s := &slow{needs: tt.needs}
					p.prove(t.Context(), s.try)
					if diff := cmp.Diff(tt.want, s.had); diff != "" || !p.Proven() {
						t.Errorf("proven %v, attempts had another patience (-want +got):\n%s", p.Proven(), diff)
					}
				}
			})
		})
	}
}

// TestPatienceHasABound: an Envoy that never passes is tried for ever, by
// attempts that do not grow for ever.
func TestPatienceHasABound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := newPatient(), &slow{needs: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		p.prove(ctx, s.try)
		if p.Proven() || len(s.had) < 10 {
			t.Fatalf("proven %v after %d attempts", p.Proven(), len(s.had))
		}
		for n, had := range s.had[3:] {
			if had != lastPatience {
				t.Errorf("attempt %d had a patience of %s", n+4, had)
			}
		}
	})
}

// TestWhoDoesNotEnterIsNotSlow: attempts for which no canary can enter leave the
// patience as it is.
func TestWhoDoesNotEnterIsNotSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := newPatient(), &slow{needs: time.Second}
		tries := 0
		p.prove(t.Context(), func(ctx context.Context, patience time.Duration) Verdict {
			if tries++; tries < 5 {
				return Verdict{Failed: []Failure{{Listeners, "no canary can enter"}}}
			}
			return s.try(ctx, patience)
		})
		if diff := cmp.Diff([]time.Duration{2 * time.Second}, s.had); diff != "" {
			t.Errorf("attempts had another patience (-want +got):\n%s", diff)
		}
	})
}

// TestLivesOutlastPatience: the end of its life is never what a canary is seen to
// end by that waits for another.
func TestLivesOutlastPatience(t *testing.T) {
	t.Parallel()
	one, never := wire.CanaryHost(wire.CanaryOne, wire.ModeHosts), wire.CanaryHost(wire.CanaryNever, wire.ModeHosts)
	for _, patience := range []time.Duration{2 * time.Second, lastPatience, time.Minute} {
		a, err := newAttempt(bytes.NewReader(make([]byte, 32)), patience)
		if err != nil {
			t.Fatal(err)
		}
		p := &Prover{}
		p.attempt.Store(a)
		for _, q := range []Question{
			{Listener: wire.CanaryRoutes, Host: one, Path: pathCut},
			{Listener: wire.CanaryRoutes, Host: one, Path: pathRelay},
			{Listener: wire.CanaryRoutes, Host: one, Path: pathMeter},
			{Listener: wire.CanaryProxy, Connect: true, Host: one},
			{Listener: wire.CanaryProxy, Connect: true, Host: never},
		} {
			if plan, ok := p.Plan(q); !ok || plan.Life <= patience {
				t.Errorf("%+v lives for %s, with a patience of %s", q, plan.Life, patience)
			}
		}
		if plan, ok := p.Plan(Question{Listener: wire.CanaryRoutes, Host: one, Path: pathDeadline}); !ok || plan.Life != shortLife {
			t.Errorf("a deadline is %s, with a patience of %s", plan.Life, patience)
		}
	}
}

// TestWhatWaitsSaysHowLong: what an attempt has waited for in vain is told with
// its patience, and after no more than that.
func TestWhatWaitsSaysHowLong(t *testing.T) {
	t.Parallel()
	p := newPatient()
	for _, tt := range []struct {
		name, want string
		wait       func(context.Context) error
	}{
		{"a tunnel", "a tunnel was open still after 4s, and answered nothing", func(ctx context.Context) error {
			out, _, stop := pipe(ctx)
			defer stop()
			return heard(ctx, out, nil)
		}},
		{"a budget", "what sent more than a budget has room for was open still after 4s", func(ctx context.Context) error {
			return overrun(ctx, nil, io.ErrUnexpectedEOF)
		}},
		{"an answer", "no answer within 4s", func(ctx context.Context) error {
			out, _, stop := pipe(ctx)
			defer stop()
			_, err := io.ReadAll(out)
			return p.late(ctx, err, "no answer")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				ctx, cancel := (&attempt{patience: 4 * time.Second}).bound(t.Context())
				defer cancel()
				if err := tt.wait(ctx); err == nil || err.Error() != tt.want {
					t.Errorf("it says %v, want %q", err, tt.want)
				}
				if took := time.Since(begun); took != 4*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// TestASlowEnvoyIsProven: one that needs more than the first attempt has.
func TestASlowEnvoyIsProven(t *testing.T) {
	t.Parallel()
	const first = 300 * time.Millisecond
	r := newRig(t, func(c *Config) { c.Patience = first })
	r.envoy.start(r.dir, faults{slow: 2 * first})
	r.Begin()
	if v := <-r.told; v.Passed() || v.Patience != first || !strings.Contains(v.String(), " 300ms") {
		t.Errorf("with a patience of %s: %v", v.Patience, v)
	}
	testenv.Wait(t, "it to pass", r.Proven)
	if v := r.Last(); v.Patience < 2*first {
		t.Errorf("it passes with a patience of %s", v.Patience)
	}
}
