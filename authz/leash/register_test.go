package leash

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a register in virtual time, with the ends it told.
type rig struct {
	*Register
	mu   sync.Mutex
	ends []audit.End // guarded by mu
	logs []*Logged   // guarded by mu
}

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	r := &rig{}
	cfg.Now = time.Now
	cfg.Ended = func(_ *Hop, e Ending) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ends, r.logs = append(r.ends, e.How), append(r.logs, e.Log)
	}
	r.Register = NewRegister(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go r.Run(ctx)
	return r
}

func idOf(n int) ID {
	var id ID
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	id[0] = byte(n)
	return id
}

func (r *rig) enter(t *testing.T, n int, until time.Duration) *Hop {
	t.Helper()
	h := &Hop{ID: idOf(n), Held: true}
	if until > 0 {
		h.Until = time.Now().Add(until)
	}
	if err := r.Enter(h); err != nil {
		t.Fatal(err)
	}
	return h
}

func (r *rig) wantEnds(t *testing.T, want ...audit.End) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.ends); diff != "" {
		t.Errorf("ends differ (-want +got):\n%s", diff)
	}
	if n := r.Len(); n != 0 {
		t.Errorf("%d hops are left", n)
	}
	if n := r.pending.Load(); n != 0 {
		t.Errorf("%d hops count as pending", n)
	}
}

func never(t *testing.T) func(Cut) {
	return func(c Cut) { t.Errorf("cut for %s", c.Code) }
}

func TestAHopEndsOnceWhicheverComesLast(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  func(r *rig, id ID)
	}{
		{"closed then logged", func(r *rig, id ID) { r.Closed(id); r.Logged(id, Logged{Details: "via_upstream"}) }},
		{"logged then closed", func(r *rig, id ID) { r.Logged(id, Logged{Details: "via_upstream"}); r.Closed(id) }},
		{"said again", func(r *rig, id ID) {
			r.Closed(id)
			r.Closed(id)
			r.Logged(id, Logged{Details: "via_upstream"})
			r.Logged(id, Logged{Details: "x"})
			r.Closed(id)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				h := r.enter(t, 1, time.Minute)
				if _, ok := r.Open(h.ID, false, never(t)); !ok {
					t.Fatal("the hold did not open")
				}
				tc.end(r, h.ID)
				time.Sleep(2 * time.Minute)
				r.wantEnds(t, audit.EndDone)
			})
		})
	}
}

func TestAHoldOpensOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, 0)
		if _, ok := r.Open(idOf(2), false, never(t)); ok {
			t.Error("an unknown hop was held")
		}
		if _, ok := r.Live(h.ID); ok {
			t.Error("a pending hop counts as live")
		}
		if _, ok := r.Open(h.ID, false, never(t)); !ok {
			t.Error("the hold did not open")
		}
		if _, ok := r.Live(h.ID); !ok {
			t.Error("a held hop is not live")
		}
		if _, ok := r.Open(h.ID, false, never(t)); ok {
			t.Error("one id was held twice")
		}
		r.Closed(h.ID)
		if _, ok := r.Open(h.ID, false, never(t)); ok {
			t.Error("a hop was held after its end")
		}
		r.Logged(h.ID, Logged{ClientLeft: true})
		r.wantEnds(t, audit.EndClientLeft)
	})
}

func TestTheRegisterCutsByItsOwnTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, 3*time.Second)
		begun := time.Now()
		var got []Cut
		r.Open(h.ID, false, func(c Cut) {
			got = append(got, c)
			if d := time.Since(begun); d != 3*time.Second {
				t.Errorf("cut after %v", d)
			}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if r.Cut(h.ID, Cut{Code: "revoked", Detail: wire.DetailRevoked}) {
			t.Error("a hop was cut twice")
		}
		if diff := cmp.Diff([]Cut{{Code: "expired", Detail: wire.DetailExpired}}, got); diff != "" {
			t.Errorf("cuts differ (-want +got):\n%s", diff)
		}
		if _, ok := r.Live(h.ID); ok {
			t.Error("a hop that was cut counts as live")
		}
		r.Closed(h.ID)
		r.Logged(h.ID, Logged{Details: wire.DetailExpired, In: 1, Out: 2})
		r.wantEnds(t, audit.EndExpired)
	})
}

// TestAHopEndsWithItsTunnel: the tunnel is cut when both expire, and the hop
// inside has only lost its client.
func TestAHopEndsWithItsTunnel(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		after time.Duration
		want  audit.End
	}{
		{"at its time", 3 * time.Second, audit.EndExpired},
		{"a moment before it", 3*time.Second - tunnelSlack, audit.EndExpired},
		{"before", 2900 * time.Millisecond, audit.EndClientLeft},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				h := &Hop{ID: idOf(1), Parent: idOf(2), Held: true, Until: time.Now().Add(3*time.Second + time.Nanosecond)}
				if err := r.Enter(h); err != nil {
					t.Fatal(err)
				}
				r.Open(h.ID, false, func(Cut) {})
				time.Sleep(tc.after)
				s := r.of(h.ID)
				s.mu.Lock()
				h.until = h.until.Add(-time.Nanosecond) // its own timer comes a moment later than the tunnel's
				s.mu.Unlock()
				r.Closed(h.ID)
				r.Logged(h.ID, Logged{Details: "downstream_remote_disconnect"})
				r.wantEnds(t, tc.want)
			})
		})
	}
}

func TestAHopThatIsOverIsNotCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, time.Second)
		r.Open(h.ID, false, never(t))
		r.Closed(h.ID)
		time.Sleep(time.Minute)
		r.wantEnds(t, audit.EndLost)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.logs[0] != nil {
			t.Error("an end without a log has one")
		}
	})
}

func TestAHoldThatNeverOpensIsMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, time.Hour)
		time.Sleep(10 * time.Second)
		r.wantEnds(t, audit.EndHoldMissing)
		if _, ok := r.Open(h.ID, false, never(t)); ok {
			t.Error("the hold opened after the hop was given up")
		}
	})
}

func TestAClientThatLeavesBeforeTheHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, time.Hour)
		r.Logged(h.ID, Logged{Details: "downstream_remote_disconnect"})
		r.wantEnds(t, audit.EndClientLeft)
	})
}

// TestAClientThatLeavesWhileItIsDecided: nobody hears of the hop again, and it
// gets no hold.
func TestAClientThatLeavesWhileItIsDecided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, time.Minute)
		r.Left(h.ID)
		if _, ok := r.Open(h.ID, false, never(t)); ok {
			t.Error("it gets a hold")
		}
		r.Left(h.ID)
		live := r.enter(t, 2, time.Minute)
		r.Open(live.ID, false, never(t))
		r.Left(live.ID) // too late: Envoy knows it
		if _, ok := r.Live(live.ID); !ok {
			t.Error("a hop that lives is ended")
		}
		r.Closed(live.ID)
		r.Logged(live.ID, Logged{Details: "via_upstream"})
		r.wantEnds(t, audit.EndClientLeft, audit.EndDone)
	})
}

func TestARefusedHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, time.Hour)
		r.Open(h.ID, false, never(t))
		r.Refuse(h.ID, "rule_denied")
		if _, ok := r.Live(h.ID); ok {
			t.Error("a refused hop counts as live")
		}
		r.Closed(h.ID)
		r.Logged(h.ID, Logged{Details: wire.DetailRefused})
		r.wantEnds(t, audit.EndRefused)
	})
}

func TestAHopWithoutAHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := &Hop{ID: idOf(1), Until: time.Now().Add(time.Second)}
		if err := r.Enter(h); err != nil {
			t.Fatal(err)
		}
		if _, ok := r.Open(h.ID, false, never(t)); ok {
			t.Error("a hop that goes without a hold got one")
		}
		r.Logged(h.ID, Logged{Details: "via_upstream"})
		lost := &Hop{ID: idOf(2), Until: time.Now().Add(time.Second)}
		if err := r.Enter(lost); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.wantEnds(t, audit.EndDone, audit.EndLost)
	})
}

func TestTooManyPendingMeansNo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{MaxPending: 2})
		r.enter(t, 1, 0)
		h := r.enter(t, 2, 0)
		third := &Hop{ID: idOf(3), Held: true}
		if err := r.Enter(third); !errors.Is(err, ErrFull) {
			t.Errorf("Enter = %v, want ErrFull", err)
		}
		r.Open(h.ID, false, never(t))
		if err := r.Enter(third); err != nil {
			t.Errorf("Enter = %v after a hold opened", err)
		}
	})
}

func TestHowOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cut  Cut
		log  *Logged
		want audit.End
	}{
		{"done", Cut{}, &Logged{Details: "via_upstream", Status: 200}, audit.EndDone},
		{"an error of the backend's own", Cut{}, &Logged{Details: "via_upstream", Status: 503}, audit.EndDone},
		{"no log", Cut{}, nil, audit.EndLost},
		{"client left", Cut{}, &Logged{Details: "downstream_remote_disconnect", Status: 200}, audit.EndClientLeft},
		{"client left by flag", Cut{}, &Logged{Details: "via_upstream", ClientLeft: true}, audit.EndClientLeft},
		{"Envoy's deadline", Cut{}, &Logged{Details: "upstream_max_stream_duration_reached", Status: 200}, audit.EndExpired},
		{"our deadline", Cut{Code: "expired", Detail: wire.DetailExpired}, &Logged{Details: wire.DetailExpired, Status: 200}, audit.EndExpired},
		{"a cut whose log is lost", Cut{Code: "rule_denied", Detail: wire.DetailRevoked}, nil, audit.EndRevoked},
		{"a cut of another kind", Cut{Code: "x", Detail: "y"}, nil, audit.EndRevoked},
		{"route timeout", Cut{}, &Logged{Details: "response_timeout", Status: 504}, audit.EndTimeout},
		{"reset", Cut{}, &Logged{Details: "upstream_reset_after_response_started{connection_termination}", Status: 200}, audit.EndUpstreamReset},
		{"no connection", Cut{}, &Logged{Details: "upstream_reset_before_response_started{remote_connection_failure}", Status: 503}, audit.EndUpstreamFailed},
		{"no name", Cut{}, &Logged{Details: "dns_resolution_failure{address_denied}", Status: 503}, audit.EndUpstreamFailed},
		{"direct response", Cut{}, &Logged{Details: "direct_response", Status: 404}, audit.EndDone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := howOf(tc.cut, tc.log); got != tc.want {
				t.Errorf("howOf = %s, want %s", got, tc.want)
			}
		})
	}
}
