package leash

import (
	"testing"
	"testing/synctest"
	"time"

	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"github.com/hopgate/hopgate/authz/audit"
)

// first is the first piece of an answer, as it is passed on.
const first = `"data: a\n\n"`

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
		rel := newRelay(&side{stream: e, phrases: newPhrases()}, r.Register, warning{})
		rel.mu.Lock()
		rel.hop, _ = r.Open(hop.ID, true, rel.cut)
		rel.warnAhead()
		rel.mu.Unlock()
		for _, m := range []*procv3.ProcessingRequest{events(), piece("data: a\n\n", false)} {
			if err := rel.message(seen(t, m)); err != nil {
				t.Fatal(err)
			}
		}
		h := &hold{envoy: e}
		time.Sleep(90*time.Second - time.Millisecond)
		h.want(t, "headers", first)
		time.Sleep(2 * time.Millisecond)
		h.want(t, "headers", first, `"data: soon over\n\n"`)
		time.Sleep(time.Until(begun.Add(2*time.Minute - wordLead + time.Millisecond)))
		synctest.Wait()
		h.want(t, "headers", first, `"data: soon over\n\n"`, `"data: expired\n\n" end hop_expired`)
		r.Closed(hop.ID)
		r.Logged(hop.ID, Logged{Details: "via_upstream"})
		r.wantEnds(t, audit.EndExpired)
	})
}

func TestRelayOfAShortLifeIsNotWarned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		for i, left := range []time.Duration{0, time.Second, time.Minute} {
			rel := newRelay(&side{}, r.Register, warning{})
			rel.hop = r.enterRelay(t, i+1, left, false)
			if rel.warnAhead(); rel.ahead != nil {
				rel.ahead.Stop()
				t.Errorf("with %s left it will be warned", left)
			}
			r.Logged(rel.hop.ID, Logged{ClientLeft: true})
		}
	})
}

// TestRelayOfARenewedLife is warned of the end that it has by then, each time
// anew, and not of one that was moved.
func TestRelayOfARenewedLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		begun := time.Now()
		at := begun.Add
		hop := &Hop{ID: idOf(1), Held: true, Relay: true, Until: at(2 * time.Minute), Last: at(time.Hour)}
		if err := r.Enter(hop); err != nil {
			t.Fatal(err)
		}
		e := newEnvoy(t)
		rel := newRelay(&side{stream: e, phrases: newPhrases()}, r.Register, warning{})
		rel.mu.Lock()
		rel.hop, _ = r.Open(hop.ID, true, rel.cut)
		rel.warnAhead()
		rel.mu.Unlock()
		for _, m := range []*procv3.ProcessingRequest{events(), piece("data: a\n\n", false)} {
			if err := rel.message(seen(t, m)); err != nil {
				t.Fatal(err)
			}
		}
		h := &hold{envoy: e}
		const soon = `"data: soon over\n\n"`
		time.Sleep(time.Minute)
		r.Move(hop.ID, at(5*time.Minute)) // before it was warned
		time.Sleep(time.Until(at(270*time.Second - time.Millisecond)))
		h.want(t, "headers", first)
		time.Sleep(2 * time.Millisecond)
		h.want(t, "headers", first, soon)
		time.Sleep(time.Until(at(295 * time.Second)))
		r.Move(hop.ID, at(8*time.Minute)) // at the last moment
		time.Sleep(time.Until(at(450*time.Second - time.Millisecond)))
		h.want(t, "headers", first, soon)
		time.Sleep(time.Until(at(8*time.Minute - wordLead + time.Millisecond)))
		synctest.Wait()
		h.want(t, "headers", first, soon, soon, `"data: expired\n\n" end hop_expired`)
		r.Closed(hop.ID)
		r.Logged(hop.ID, Logged{Details: "via_upstream"})
		r.wantEnds(t, audit.EndExpired)
	})
}

// TestRelayThatHasSaidNothing is not warned before it says something: Envoy
// would break it off for the warning.
func TestRelayThatHasSaidNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enterRelay(t, 1, 2*time.Minute, false)
		e := newEnvoy(t)
		rel := newRelay(&side{stream: e, phrases: newPhrases()}, r.Register, warning{})
		rel.mu.Lock()
		rel.hop, _ = r.Open(hop.ID, true, rel.cut)
		rel.warnAhead()
		rel.mu.Unlock()
		if err := rel.message(seen(t, events())); err != nil {
			t.Fatal(err)
		}
		h := &hold{envoy: e}
		time.Sleep(100 * time.Second)
		h.want(t, "headers")
		if err := rel.message(seen(t, piece("data: a\n\n", false))); err != nil {
			t.Fatal(err)
		}
		h.want(t, "headers", first, `"data: soon over\n\n"`)
		rel.stop()
		r.Closed(hop.ID)
		r.Logged(hop.ID, Logged{Details: "via_upstream"})
		r.wantEnds(t, audit.EndDone)
	})
}
