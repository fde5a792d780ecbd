package guard

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/leash"
)

// TestPausesBetweenCuts: after every few of them new decisions have the way to
// themselves, and the pauses of ten thousand are less than a second where each is
// over at once. The clock is one that moves in pauses alone.
func TestPausesBetweenCuts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many, few, little = 10_000, 64, time.Second
		r := leash.NewRegister(leash.Config{Now: time.Now, MaxPending: many, Ended: func(*leash.Hop, leash.Ending) {}})
		begun, atOnce := time.Now(), map[time.Duration]int{}
		for i := range many {
			h := &leash.Hop{Held: true}
			binary.BigEndian.PutUint64(h.ID[:], uint64(i+1))
			if i%2 == 0 {
				h.Parent = leash.ID{1}
			}
			if err := r.Enter(h); err != nil {
				t.Fatal(err)
			}
			r.Open(h.ID, false, func(leash.Cut) {
				atOnce[time.Since(begun)]++
				r.Logged(h.ID, leash.Logged{})
				r.Closed(h.ID)
			})
		}
		g := &Guard{register: r}
		if n := g.end(r.Hops(), func(*leash.Hop) string { return "revoked" }); n != many {
			t.Errorf("%d were cut, want %d", n, many)
		}
		for at, n := range atOnce {
			if n > few {
				t.Errorf("%d were cut in one go, after pauses of %s, want at most %d", n, at, few)
			}
		}
		if pauses := time.Since(begun); pauses >= little || pauses != many/cutBatch*cutPause {
			t.Errorf("the pauses between %d cuts are %s in all, want less than %s, and %s after each %d", many, pauses, little, cutPause, cutBatch)
		}
	})
}
