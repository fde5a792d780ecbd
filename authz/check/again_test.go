package check

import (
	"context"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// TestAgain: what the feed brought between the answer and the hold is not lost.
func TestAgain(t *testing.T) {
	t.Parallel()
	good := call("search_code", `{"repo":"acme/site"}`)
	deny := func(rules string) func(*feedv1.Snapshot) {
		return func(f *feedv1.Snapshot) { f.Policies = append(f.Policies, policyOf(t, "q", rules)) }
	}
	for _, tc := range []struct {
		name   string
		a      asking
		change func(*feedv1.Snapshot)
		later  time.Duration
		code   string
	}{
		{name: "nothing that concerns it", a: good, change: func(*feedv1.Snapshot) {}},
		{name: "its tool is denied", a: good, change: deny("[{name: d, to: {type: Tools, tools: [{names: [search_code]}]}, action: Deny}]"), code: denial.RuleDenied},
		{name: "its argument is denied", a: good, change: deny(`[{name: d, to: {type: Tools, tools: [{arguments: [{name: repo, type: Glob, values: ["*/site"]}]}]}, action: Deny}]`), code: denial.RuleDenied},
		{name: "another argument is denied", a: good, change: deny(`[{name: d, to: {type: Tools, tools: [{arguments: [{name: repo, type: Glob, values: ["*/other"]}]}]}, action: Deny}]`)},
		{name: "its tool asks", a: good, change: deny("[{name: d, to: {type: Tools, tools: [{names: [search_code]}]}, action: Ask}]"), code: denial.ApprovalRequired},
		{name: "no rule is left", a: good, change: func(f *feedv1.Snapshot) { f.Policies[0].Rules = f.Policies[0].Rules[1:2] }, code: denial.NoRule},
		{name: "no policy is left", a: good, change: func(f *feedv1.Snapshot) { f.Policies = nil }, code: denial.Unmatched},
		{name: "its policy is rejected", a: good, change: func(f *feedv1.Snapshot) { f.Policies[0].Rejected = "for the test" }, code: denial.PolicyRejected},
		{name: "its Gateway is gone", a: good, change: func(f *feedv1.Snapshot) { f.Gateways = nil }, code: denial.NotReady},
		{name: "its listener is gone", a: good, change: func(f *feedv1.Snapshot) { f.Gateways[0].Listeners = f.Gateways[0].Listeners[1:] }, code: denial.NotReady},
		{name: "its trust domain is gone", a: good, change: func(f *feedv1.Snapshot) { f.Gateways[0].Listeners[0].TrustDomains = nil }, code: denial.TokenWrongDomain},
		{name: "its token has expired", a: good, change: func(*feedv1.Snapshot) {}, later: time.Hour, code: denial.TokenExpired},
		{name: "its path is denied", a: page(), change: deny(`[{name: d, to: {type: HTTP, http: [{paths: ["/public/a"]}]}, action: Deny}]`), code: denial.RuleDenied},
		{name: "its model is denied", a: chat(`{"model":"gpt-5","max_tokens":1,"messages":[]}`), change: deny(`[{name: d, to: {type: Models, models: [{names: [gpt-5]}]}, action: Deny}]`), code: denial.RuleDenied},

		{name: "a tunnel, nothing that concerns it", a: tunnel("api.example:443"), change: func(*feedv1.Snapshot) {}},
		{name: "a tunnel inside, nothing that concerns it", a: tunnel("inside.example:443"), change: func(*feedv1.Snapshot) {}},
		{name: "its host is denied", a: tunnel("api.example:443"), change: deny(`[{name: d, to: {type: Hosts, hosts: [{names: [api.example]}]}, action: Deny}]`), code: denial.RuleDenied},
		{name: "inside is closed, for a name", a: tunnel("inside.example:443"), change: func(f *feedv1.Snapshot) { f.Gateways[0].Egress.InsideRanges = nil }, code: denial.AddressDenied},
		{name: "inside is closed, for an address", a: tunnel("10.20.0.9:443"), change: func(f *feedv1.Snapshot) { f.Gateways[0].Egress.InsideRanges = nil }, code: denial.AddressDenied},
		{name: "the operator's host is gone", a: tunnel("web.example:8443"), change: func(f *feedv1.Snapshot) { f.Gateways[0].Egress.Hosts[0].Ports[0] = 9443 }, code: denial.NameDenied},
		{name: "its host is a tool server now", a: tunnel("api.example:443"), change: func(f *feedv1.Snapshot) { f.Gateways[0].Egress.Backends[0].Hostname = "api.example" }, code: denial.SurfaceRequired},
		{name: "its tool server is none any more", a: proxyCall(), change: func(f *feedv1.Snapshot) { f.Gateways[0].Egress.Backends = nil }, code: denial.NotReady},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{})
			got := h.ask(tc.a)
			if !got.allowed() {
				t.Fatal(got.body())
			}
			hop := h.hold(got)
			f := feed(t)
			tc.change(f)
			h.SetWorld(worldOf(t, 2, f, h.names))
			h.now = h.now.Add(tc.later)
			if code := h.Again(hop); code != tc.code {
				t.Errorf("code %q, want %q", code, tc.code)
			}
			if used := h.budget.Used(); used != 0 {
				t.Errorf("%d bytes are still taken", used)
			}
		})
	}
}

// TestAgainWithTheSameFeed: an epoch that is the same is the same verdict,
// whatever time it is, unless the token's key is gone.
func TestAgainWithTheSameFeed(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	got := h.ask(page())
	hop := h.hold(got)
	h.now = h.now.Add(time.Hour)
	if code := h.Again(hop); code != "" {
		t.Errorf("code %q", code)
	}
	h.now = start()
	got = h.ask(page())
	hop = h.hold(got)
	h.tokens.withdrawn.Store(true)
	if code := h.Again(hop); code != denial.TokenWrongDomain {
		t.Errorf("a key that was withdrawn by then: code %q", code)
	}
	if code := h.Again(&leash.Hop{Subject: "not ours"}); code != denial.HopUnknown {
		t.Errorf("a hop of somebody else: %q", code)
	}
}

// TestAClientThatLeavesWhileItIsDecided: its hop is over at once, and waits for
// no hold.
func TestAClientThatLeavesWhileItIsDecided(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	ctx, leave := context.WithCancel(context.Background())
	leave()
	if got := h.askBytes(ctx, page().bytes(t)); !got.allowed() {
		t.Fatal(got.body())
	}
	if r := h.last(); h.register.Len() != 0 || r.Kind != audit.KindEnd || r.End != audit.EndClientLeft {
		t.Errorf("%d hops are left, and the record ends with %+v", h.register.Len(), r)
	}
}

// TestEnd: an end is recorded with what Envoy told, and gives back what the
// hop kept, also where its hold never opened.
func TestEnd(t *testing.T) {
	t.Parallel()
	logged := leash.Logged{In: 10, Out: 20, Duration: time.Second, Status: 200, Details: "via_upstream"}
	t.Run("after its hold", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{})
		got := h.ask(page())
		h.Again(h.hold(got))
		h.register.Logged(got.id(), logged)
		h.register.Closed(got.id())
		r := h.last()
		if r.Kind != audit.KindEnd || r.Hop != audit.HopID(got.id()) || r.End != audit.EndDone || r.BytesIn != 10 || r.BytesOut != 20 ||
			r.Duration != time.Second || r.Status != 200 || r.Detail != "via_upstream" || r.Txn != "txn-1" || r.Domain != "agents/corp" {
			t.Errorf("recorded %+v", r)
		}
	})
	t.Run("without a hold", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{})
		got := h.ask(page())
		if h.budget.Used() == 0 {
			t.Error("a hop that waits for its hold keeps its request")
		}
		h.register.Logged(got.id(), logged)
		if h.budget.Used() != 0 || h.register.Len() != 0 {
			t.Errorf("%d bytes, %d hops are left", h.budget.Used(), h.register.Len())
		}
		if r := h.last(); r.Kind != audit.KindEnd {
			t.Errorf("recorded %+v", r)
		}
	})
	t.Run("that cannot be recorded", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{})
		got := h.ask(page())
		h.recorder.refuse[audit.KindEnd] = errFull
		h.register.Logged(got.id(), logged)
		if h.register.Len() != 0 || h.log.Len() == 0 {
			t.Errorf("%d hops are left, log %q", h.register.Len(), h.log)
		}
	})
	t.Run("of somebody else's hop", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{})
		h.Ended(&leash.Hop{ID: leash.ID{9}, Subject: "not ours"}, leash.Ending{How: audit.EndLost})
		if r := h.last(); r.End != audit.EndLost || r.Txn != "" {
			t.Errorf("recorded %+v", r)
		}
	})
}

// TestWords says a denial to a hop that was allowed, in its own protocol.
func TestWords(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	got := h.ask(call("search_code", `{"repo":"acme/site"}`))
	hop := h.hold(got)
	h.Again(hop) // the request is gone now
	r := h.Words(hop, denial.RuleDenied)
	want := `{"jsonrpc":"2.0","id":9007199254740993,"error":{"code":-32043,`
	if r.Status != 403 || len(r.Body) < len(want) || string(r.Body[:len(want)]) != want {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if len(r.Headers) == 0 || r.Headers[0] != [2]string{"content-type", "application/json"} {
		t.Errorf("headers %v", r.Headers)
	}
	for name, hop := range map[string]*leash.Hop{"nobody's": nil, "somebody else's": {Subject: "x"}} {
		if r := h.Words(hop, denial.HopUnknown); r.Status != 403 || len(r.Body) == 0 {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
}

// TestAllowedByUnmatchedAgain: what no policy opened is closed by a setting.
func TestAllowedByUnmatchedAgain(t *testing.T) {
	t.Parallel()
	open1 := func(f *feedv1.Snapshot) { f.Policies, f.Gateways[0].Unmatched = nil, v1alpha1.UnmatchedAllow }
	h := open(t, build{feed: open1})
	hop := h.hold(h.ask(asking{target: webTarget("open")}))
	f := feed(t)
	open1(f)
	f.Gateways[0].Unmatched = v1alpha1.UnmatchedDeny
	h.SetWorld(worldOf(t, 2, f, h.names))
	if code := h.Again(hop); code != denial.Unmatched {
		t.Errorf("code %q", code)
	}
}
