package guard

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/leash"
)

// fleet are live hops, some of which are over when they are told.
func fleet(t *testing.T, n int) (*leash.Register, []*leash.Hop) {
	t.Helper()
	r := leash.NewRegister(leash.Config{Now: time.Now, Ended: func(*leash.Hop, leash.Ending) {}})
	hops := make([]*leash.Hop, n)
	for i := range hops {
		hops[i] = &leash.Hop{ID: leash.ID{byte(i), byte(i >> 8), 1}, Held: true}
		if err := r.Enter(hops[i]); err != nil {
			t.Fatal(err)
		}
		if _, ok := r.Open(hops[i].ID, false, func(leash.Cut) {}); !ok {
			t.Fatal("a hop cannot be opened")
		}
	}
	return r, hops
}

func TestPace(t *testing.T) {
	t.Parallel()
	const n = 100 * cutBatch
	for _, tc := range []struct {
		name string
		// life is how long a hop lives on after it was told; 0: for ever.
		life time.Duration
		// flying is how many at most are told and not over.
		flying      int64
		least, most time.Duration
	}{
		{"each is over before the next batch", time.Nanosecond, cutBatch, 100 * cutPause, 101 * cutPause},
		{"Envoy takes ten milliseconds", 10 * time.Millisecond, cutFlying + cutBatch, 200 * time.Millisecond, 300 * time.Millisecond},
		{"nobody is ever over", 0, n, 2 * time.Second, cutAltogether + time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, hops := fleet(t, n)
				var p pace
				var flying atomic.Int64
				most := int64(0)
				begun := time.Now()
				for _, h := range hops {
					p.end(h, func() {
						most = max(most, flying.Add(1))
						if tc.life > 0 {
							time.AfterFunc(tc.life, func() { flying.Add(-1); r.Closed(h.ID); r.Logged(h.ID, leash.Logged{}) })
						}
					})
				}
				if took := time.Since(begun); took < tc.least || took > tc.most {
					t.Errorf("it took %s, want %s to %s", took, tc.least, tc.most)
				}
				if p.told != n || most > tc.flying {
					t.Errorf("%d were told, %d at once, want %d and at most %d", p.told, most, n, tc.flying)
				}
				synctest.Wait()
			})
		})
	}
}

func TestPaceOfNobody(t *testing.T) {
	t.Parallel()
	var p pace
	p.end(&leash.Hop{}, nil)
	if p.told != 0 || len(p.flying) != 0 {
		t.Errorf("%d were told, %d fly", p.told, len(p.flying))
	}
}
