package check

import (
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// TestWhatALaterDecisionChanges is recorded, once, and the hop follows it: its
// end only ever comes nearer.
func TestWhatALaterDecisionChanges(t *testing.T) {
	t.Parallel()
	const most = "[{name: renewable, to: {type: HTTP, http: [{ports: [8080], paths: [/renew]}]}, action: Allow, with: {stream: {lifetime: Renewable, max: "
	for _, tc := range []struct {
		name   string
		path   string
		policy string // of the name "renew"
		later  time.Duration
		rule   string
		ends   time.Duration
		reason string
		code   string
	}{
		{name: "nothing", path: "/renew", policy: renewRules, rule: "renewable", ends: firstEnd},
		{
			name: "another rule", path: "/renew", policy: "[{name: other, to: {type: HTTP, http: [{paths: [/renew]}]}, action: Allow}]",
			rule: "other", ends: firstEnd, reason: "another rule allows it",
		},
		{name: "a shorter max", path: "/renew", policy: most + "2m}}}]", rule: "renewable", ends: 2 * time.Minute, reason: "it ends sooner"},
		{name: "a longer max", path: "/renew", policy: most + "5h}}}]", rule: "renewable", ends: firstEnd},
		{name: "a max that has passed", path: "/renew", policy: most + "2m}}}]", later: 3 * time.Minute, rule: "renewable", ends: firstEnd, code: "expired"},
		{
			name: "its lifetime is the token's now", path: "/lasting", policy: "[{name: lasting, to: {type: HTTP, http: [{paths: [/lasting]}]}, action: Allow}]",
			rule: "lasting", ends: firstEnd, reason: "it ends sooner",
		},
		{
			name: "its lifetime was the token's", path: "/expiring",
			policy: "[{name: expiring, to: {type: HTTP, http: [{paths: [/expiring]}]}, action: Allow, with: {stream: {lifetime: Max, max: 5h}}}]",
			rule:   "expiring", ends: firstEnd,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := renewing(t)
			hop := h.live(at(tc.path))
			f := feed(t)
			f.Revision = "r2"
			f.Policies = append(f.Policies, policyOf(t, "renew", tc.policy))
			h.SetWorld(worldOf(t, 2, f, h.names))
			h.now = h.now.Add(tc.later)
			for range 2 {
				if code := h.Redecide(hop); code != tc.code {
					t.Fatalf("code %q, want %q", code, tc.code)
				}
			}
			if got := h.ends(hop)[0]; got != tc.ends {
				t.Errorf("it ends after %s, want %s", got, tc.ends)
			}
			h.wantChange(hop, tc.reason, tc.rule, start().Add(tc.ends))
		})
	}
}

// wantChange holds what is recorded and told of a hop that was decided again.
func (h *house) wantChange(hop *leash.Hop, reason, rule string, until time.Time) {
	h.t.Helper()
	r, n := h.change()
	var st leash.Stream
	hop.Subject.(*Held).Describe(&st)
	switch {
	case reason == "" && n != 0:
		h.t.Errorf("a change is recorded: %+v", r)
	case reason != "" && (n != 1 || r.Reason != reason || r.Rule != rule || !r.Until.Equal(until) || r.Hop != audit.HopID(hop.ID) || r.Revision != "r2"):
		h.t.Errorf("%d changes are recorded: %+v", n, r)
	case st.Rule != rule:
		h.t.Errorf("it is told as %+v", st)
	}
}

// TestAnEndThatComesNearerBeforeTheHold: what the feed brought between Check
// and the hold is not lost.
func TestAnEndThatComesNearerBeforeTheHold(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	hop := h.hold(h.ask(at("/renew")))
	f := feed(t)
	f.Policies = append(f.Policies, policyOf(t, "renew", "[{name: renewable, to: {type: HTTP, http: [{paths: [/renew]}]}, action: Allow, with: {stream: {max: 2m}}}]"))
	h.SetWorld(worldOf(t, 2, f, h.names))
	if code := h.Again(hop); code != "" {
		t.Fatalf("no hold: %s", code)
	}
	if got := h.ends(hop)[0]; got != 2*time.Minute {
		t.Errorf("it ends after %s", got)
	}
}

// TestATunnelThatIsGoneEndsWhatIsInside of it.
func TestATunnelThatIsGoneEndsWhatIsInside(t *testing.T) {
	t.Parallel()
	h, outer := dug(t, build{})
	in := inner(outer.meta("hop_id"))
	hop := h.live(in)
	h.SetWorld(worldOf(t, 2, func() *feedv1.Snapshot { f := feed(t); f.Revision = "r2"; return f }(), h.names))
	if code := h.Redecide(hop); code != "" {
		t.Fatalf("code %q", code)
	}
	h.finish(outer)
	if code := h.Redecide(hop); code != "tunnel_gone" {
		t.Errorf("code %q", code)
	}
}
