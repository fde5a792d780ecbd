package e2e

import (
	"net/http"
	"testing"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/internal/testenv"
)

// TestStreamsThatEndFirst: a stream that its client or its server ends is
// recorded so, leaves the register, and an order that comes too late finds
// nothing to end.
func TestStreamsThatEndFirst(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, make(chan struct{}, 1), nil)
	leaves := func(c *cell) { c.live.leave() }
	for _, tc := range []struct {
		name  string
		brief brief
		end   func(*cell)
		want  func(*kind) audit.End
	}{
		{"client leaves, idle", idle(), leaves, always(audit.EndClientLeft)},
		{"client leaves, flowing", flowing(), leaves, always(audit.EndClientLeft)},
		{"client leaves, half-closed", halfClosed(), leaves, always(audit.EndClientLeft)},
		{"server ends", brief{pace: paceDone}, func(c *cell) { m.stage.goOn(c.brief.name) }, always(audit.EndDone)},
		{"server breaks off", brief{pace: paceReset}, func(c *cell) { m.stage.goOn(c.brief.name) }, broken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := reason{name: tc.name, token: by("worker")}
			cells := m.open(t, &r, "ends", tc.brief)
			for _, c := range cells {
				tc.end(c)
			}
			for _, c := range cells {
				t.Run(c.kind.name, func(t *testing.T) { m.endedFirst(t, c, tc.want(&c.kind)) })
			}
		})
	}
	t.Cleanup(func() {
		testenv.Wait(t, "the register to be empty", func() bool { return m.Guard().Live() == 0 })
	})
}

func always(e audit.End) func(*kind) audit.End { return func(*kind) audit.End { return e } }

// broken is how the record says that a backend broke off: where no answer had
// begun, the backend failed.
func broken(k *kind) audit.End {
	if k.silent {
		return audit.EndUpstreamFailed
	}
	return audit.EndUpstreamReset
}

func (m *matrix) endedFirst(t *testing.T, c *cell, want audit.End) {
	t.Helper()
	<-c.ear.done
	t.Logf("%d bytes: %v", c.ear.got.Load(), c.ear.err)
	c.live.leave() // a tunnel outlives what was inside
	ends := m.ends(t, c)
	for _, e := range ends {
		want := want
		if want == audit.EndDone && c.hops() == 2 && e.begin.Method == http.MethodConnect {
			want = audit.EndClientLeft
		}
		if e.End != want {
			t.Errorf("%s %s is recorded as %q (%s), want %q", e.begin.Method, e.begin.Path, e.End, e.Detail, want)
		}
		c.counts(t, e)
		if e.Duration <= 0 {
			t.Errorf("it lasted %s", e.Duration)
		}
	}
	if done, _ := order(t, m, admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: c.brief.name}); done.Ended != 0 {
		t.Errorf("an order that came too late ended %d streams", done.Ended)
	}
	if again := m.endsNow(t, c.brief.name); len(again) != len(ends) {
		t.Errorf("%d ends are recorded after the order, want %d", len(again), len(ends))
	}
}
