package leash

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
)

// TestMove: a hop ends where its end was moved to, and never later than Envoy
// was told.
func TestMove(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		until time.Duration
		last  time.Duration
		// moves are made in turn, a second apart.
		moves []time.Duration
		relay bool
		want  time.Duration
	}{
		{name: "never moved", until: time.Minute, last: time.Hour, want: time.Minute},
		{name: "later", until: time.Minute, last: time.Hour, moves: []time.Duration{5 * time.Minute}, want: 5 * time.Minute},
		{name: "later, and later", until: time.Minute, last: time.Hour, moves: []time.Duration{5 * time.Minute, 9 * time.Minute}, want: 9 * time.Minute},
		{name: "earlier", until: time.Minute, last: time.Hour, moves: []time.Duration{30 * time.Second}, want: 30 * time.Second},
		{name: "to what has passed", until: time.Minute, last: time.Hour, moves: []time.Duration{-time.Hour}, want: 0},
		{name: "later than the latest", until: time.Minute, last: 2 * time.Minute, moves: []time.Duration{time.Hour}, want: 2 * time.Minute},
		{name: "later, where Envoy was told no more", until: time.Minute, moves: []time.Duration{time.Hour}, want: time.Minute},
		{name: "a relay", until: time.Minute, last: time.Hour, moves: []time.Duration{5 * time.Minute}, relay: true, want: 5*time.Minute - wordLead},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				begun := time.Now()
				h := &Hop{ID: idOf(1), Held: true, Relay: tc.relay, Until: begun.Add(tc.until)}
				if tc.last > 0 {
					h.Last = begun.Add(tc.last)
				}
				if err := r.Enter(h); err != nil {
					t.Fatal(err)
				}
				cut := make(chan time.Duration, 1)
				r.Open(h.ID, tc.relay, func(c Cut) {
					if c.Code != codeExpired {
						t.Errorf("cut %+v", c)
					}
					cut <- time.Since(begun)
				})
				for i, m := range tc.moves {
					if !r.Move(h.ID, begun.Add(m)) {
						t.Errorf("move %d: there is no such hop", i)
					}
					if i < len(tc.moves)-1 {
						time.Sleep(time.Second)
					}
				}
				if got := <-cut; got != tc.want {
					t.Errorf("it ended after %s, want %s", got, tc.want)
				}
				if r.Move(h.ID, begun.Add(time.Hour)) {
					t.Error("a hop that was cut is moved")
				}
				r.Closed(h.ID)
				r.Logged(h.ID, Logged{})
				r.wantEnds(t, audit.EndExpired)
			})
		})
	}
}

// TestMoveBeforeTheHold: what is moved while it is pending ends by that.
func TestMoveBeforeTheHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		begun := time.Now()
		h := &Hop{ID: idOf(1), Held: true, Until: begun.Add(time.Minute), Last: begun.Add(time.Hour)}
		if err := r.Enter(h); err != nil {
			t.Fatal(err)
		}
		if !r.Move(h.ID, begun.Add(3*time.Minute)) {
			t.Error("a pending hop is not moved")
		}
		cut := make(chan time.Duration, 1)
		r.Open(h.ID, false, func(Cut) { cut <- time.Since(begun) })
		if until, last := r.Until(h.ID); until.Sub(begun) != 3*time.Minute || last.Sub(begun) != time.Hour {
			t.Errorf("it ends after %s, %s", until.Sub(begun), last.Sub(begun))
		}
		if got := <-cut; got != 3*time.Minute {
			t.Errorf("it ended after %s", got)
		}
		r.Closed(h.ID)
		r.Logged(h.ID, Logged{})
		r.wantEnds(t, audit.EndExpired)
	})
}

// TestMoveOfNothing: what is not there, what never ends by itself, and what is
// over.
func TestMoveOfNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		later := time.Now().Add(time.Hour)
		if r.Move(idOf(9), later) {
			t.Error("a hop that is not there is moved")
		}
		h := r.enter(t, 1, 0)
		if r.Move(h.ID, later) {
			t.Error("a hop without an end is moved")
		}
		r.Logged(h.ID, Logged{ClientLeft: true})
		over := r.enter(t, 2, time.Minute)
		r.Open(over.ID, false, never(t))
		r.Closed(over.ID)
		if r.Move(over.ID, later) {
			t.Error("a hop that is over is moved")
		}
		r.Logged(over.ID, Logged{ClientLeft: true})
	})
}

// TestMovedAsTheTimerFires: the timer that fires for an end that was moved sets
// itself again.
func TestMovedAsTheTimerFires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		begun := time.Now()
		h := &Hop{ID: idOf(1), Held: true, Until: begun.Add(time.Minute), Last: begun.Add(time.Hour)}
		if err := r.Enter(h); err != nil {
			t.Fatal(err)
		}
		cut := make(chan time.Duration, 1)
		r.Open(h.ID, false, func(Cut) { cut <- time.Since(begun) })
		r.Move(h.ID, begun.Add(2*time.Minute))
		r.expire(h) // as the timer of the old end would
		if got := <-cut; got != 2*time.Minute {
			t.Errorf("it ended after %s", got)
		}
		r.Closed(h.ID)
		r.Logged(h.ID, Logged{})
		r.wantEnds(t, audit.EndExpired)
	})
}

// TestOverslept: a hop whose end has passed on the wall is over when the machine
// wakes, though its timer, which stood still, has not fired.
func TestOverslept(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		slept time.Duration
		ended bool
	}{
		{"a moment", time.Minute, false},
		{"to its end", time.Hour, false},
		{"past its end", time.Hour + 3*time.Second, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var slept atomic.Int64 // a time.Duration
				r := newRig(t, Config{Wall: func() time.Time { return time.Now().Round(0).Add(time.Duration(slept.Load())) }})
				h := &Hop{ID: idOf(1), Held: true, Until: time.Now().Add(time.Hour)}
				if err := r.Enter(h); err != nil {
					t.Fatal(err)
				}
				cut := make(chan Cut, 1)
				r.Open(h.ID, false, func(c Cut) { cut <- c })
				slept.Store(int64(tc.slept - time.Second)) // the sweep is up to a second later
				time.Sleep(time.Second + time.Millisecond)
				synctest.Wait()
				select {
				case c := <-cut:
					if !tc.ended || c.Code != codeExpired {
						t.Errorf("it was cut: %+v", c)
					}
				default:
					if tc.ended {
						t.Error("it lives on")
					}
				}
				r.Closed(h.ID)
				r.Logged(h.ID, Logged{ClientLeft: true})
			})
		})
	}
}

// TestNothingIsMovedOnceItExpires: the end and the move are one after the other.
func TestNothingIsMovedOnceItExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := &Hop{ID: idOf(1), Held: true, Until: time.Now().Add(time.Minute), Last: time.Now().Add(time.Hour)}
		if err := r.Enter(h); err != nil {
			t.Fatal(err)
		}
		r.Open(h.ID, false, func(Cut) {})
		time.Sleep(time.Minute - time.Millisecond/2)
		tell := r.condemnExpired(h)
		if tell == nil || r.Move(h.ID, time.Now().Add(time.Minute)) {
			t.Error("a hop that expires is moved")
		}
		tell()
		if r.condemnExpired(h) != nil {
			t.Error("it expires twice")
		}
		r.Closed(h.ID)
		r.Logged(h.ID, Logged{})
		r.wantEnds(t, audit.EndExpired)
	})
}
