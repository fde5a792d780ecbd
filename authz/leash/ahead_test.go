package leash

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
)

// warning is plainWords that have something to say ahead.
type warning struct{ plainWords }

func (warning) Warn(*Hop) Last { return Last{Data: []byte("soon over")} }

// TestRelayAheadOfAKnownEnd: a warning half a minute before it, and a word just
// before it, while one can still be said.
func TestRelayAheadOfAKnownEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		begun := time.Now()
		hop := r.enterRelay(t, 1, 2*time.Minute, false)
		e := newEnvoy(t)
		rel := newRelay(&side{stream: e}, warning{})
		rel.mu.Lock()
		rel.hop, _ = r.Open(hop.ID, true, rel.cut)
		rel.warnAhead(time.Now())
		rel.mu.Unlock()
		if err := rel.message(events()); err != nil {
			t.Fatal(err)
		}
		h := &hold{envoy: e}
		time.Sleep(90*time.Second - time.Millisecond)
		h.want(t, "headers")
		time.Sleep(2 * time.Millisecond)
		h.want(t, "headers", `"data: soon over\n\n"`)
		time.Sleep(time.Until(begun.Add(2*time.Minute - wordLead + time.Millisecond)))
		synctest.Wait()
		h.want(t, "headers", `"data: soon over\n\n"`, `"data: expired\n\n" end hop_expired`)
		r.Closed(hop.ID)
		r.Logged(hop.ID, Logged{Details: "via_upstream"})
		r.wantEnds(t, audit.EndExpired)
	})
}

func TestRelayOfAShortLifeIsNotWarned(t *testing.T) {
	t.Parallel()
	for _, left := range []time.Duration{0, time.Second, time.Minute} {
		rel := newRelay(&side{}, warning{})
		rel.hop = &Hop{}
		if left > 0 {
			rel.hop.Until = time.Now().Add(left)
		}
		if rel.warnAhead(time.Now()); rel.ahead != nil {
			rel.ahead.Stop()
			t.Errorf("with %s left it will be warned", left)
		}
	}
}
