package check

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// TestSource is the client's address, where it has one.
func TestSource(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		p    Peer
		want string
	}{
		{Peer{Address: "192.0.2.7", Port: 443}, "192.0.2.7:443"},
		{Peer{Address: "2001:db8::1", Port: 1}, "[2001:db8::1]:1"},
		{Peer{Address: "192.0.2.7", Port: 65536}, "invalid AddrPort"},
		{Peer{Address: "client.example", Port: 1}, "invalid AddrPort"},
		{Peer{}, "invalid AddrPort"},
	} {
		if got := source(&tc.p).String(); got != tc.want {
			t.Errorf("%+v is %s, want %s", tc.p, got, tc.want)
		}
	}
}

// TestWhatAPolicyWouldSayIsRecorded, and counts for nothing.
func TestWhatAPolicyWouldSayIsRecorded(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: func(f *feedv1.Snapshot) {
		trial := policyOf(t, "trial", `[{name: shut, to: {type: HTTP, http: [{}]}, action: Deny}]`)
		trial.Mode = v1alpha1.ModeReport
		f.Policies = append(f.Policies, trial)
	}})
	if got := h.ask(page()); !got.allowed() {
		t.Fatal(got.body())
	}
	r := h.last()
	if len(r.Would) != 1 || r.Would[0].Policy != "agents/trial" || r.Would[0].Rule != "shut" || r.Would[0].Verdict != audit.VerdictDeny || r.Would[0].Code != denial.RuleDenied {
		t.Errorf("recorded %+v", r.Would)
	}
}

// TestARejectedPolicyTellsWhy, to the record and to a verified caller.
func TestARejectedPolicyTellsWhy(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: func(f *feedv1.Snapshot) { f.Policies[0].Rejected = "its selector is broken" }})
	got := h.ask(page())
	if got.code() != denial.PolicyRejected || !strings.Contains(got.body(), "its selector is broken") {
		t.Errorf("told %s", got.body())
	}
	if r := h.last(); !strings.HasSuffix(r.Reason, ": its selector is broken") || r.Policy != "agents/p" {
		t.Errorf("recorded %+v", r)
	}
	if got := h.ask(asking{target: webTarget("open")}); strings.Contains(got.body(), "selector") {
		t.Errorf("nobody is told %s", got.body())
	}
}

// TestLimitsAreRecorded with what they were compared with, so that the hop can
// be decided again.
func TestLimitsAreRecorded(t *testing.T) {
	t.Parallel()
	bounded := asking{target: webTarget("agents"), method: "POST", path: "/bounded"}.bearing(goodToken)
	for name, tc := range map[string]struct {
		a    asking
		want string
	}{
		"kept":          {chat(`{"model":"gpt-5","max_tokens":7,"messages":[]}`), "limits.outputTokens=7"},
		"not kept":      {chat(`{"model":"gpt-5","max_tokens":1001,"messages":[]}`), "limits.outputTokens=1001 limits.requestBytes=49"},
		"not said":      {bounded.with([2]string{wire.HeaderFraming, "chunked"}), "limits.outputTokens=0 limits.requestBytes=-1"},
		"a body's":      {bounded.with([2]string{"content-length", "9"}), "limits.requestBytes=9"},
		"no limit":      {page(), ""},
		"denied anyhow": {call("merge", "{}"), ""},
	} {
		h := open(t, build{})
		h.ask(tc.a)
		var got []string
		for _, f := range h.last().Seen {
			if strings.HasPrefix(f.Name, "limits.") {
				got = append(got, f.Name+"="+string(f.Value))
			}
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: recorded %q, want %q", name, s, tc.want)
		}
	}
}
