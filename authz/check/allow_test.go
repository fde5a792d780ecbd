package check

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// changes are what an allow does to the request.
type changes struct {
	Set    map[string]string
	Remove []string
}

func changesOf(t testing.TB, a *answered) changes {
	t.Helper()
	if !a.allowed() {
		t.Fatalf("denied: %s", a.body())
	}
	c := changes{Set: map[string]string{}, Remove: slices.Sorted(slices.Values(a.GetOkResponse().GetHeadersToRemove()))}
	for _, h := range a.GetOkResponse().GetHeaders() {
		k := h.GetHeader().GetKey()
		if _, twice := c.Set[k]; twice {
			t.Errorf("%s is set twice", k)
		}
		c.Set[k] = h.GetHeader().GetValue()
	}
	return c
}

func credentialOf(name, backend, header, prefix, env string) feedv1.Credential {
	return feedv1.Credential{Key: key(name), Backend: backend, Header: header, Prefix: prefix, Environment: env}
}

func TestAllowChangesTheRequest(t *testing.T) {
	t.Parallel()
	const life = "605000" // ten minutes and the leeway
	own := [2]string{"authorization", "Bearer the-agents-own"}
	bearer := credentialOf("bearer", web, "authorization", "Bearer ", "A")
	apiKey := credentialOf("key", web, "x-api-key", "", "B")
	others := credentialOf("other", github, "authorization", "", "A")
	env := map[string]string{"A": "sk-a", "B": "100%REQ(txn-token)%"}
	strip := []string{"proxy-authorization", "txn-token"}
	for _, tc := range []struct {
		name        string
		a           asking
		credentials []feedv1.Credential
		want        changes
	}{
		{"no credential", page().with(own), nil, changes{map[string]string{wire.HeaderDeadline: life}, strip}},
		{
			"ours instead of the agent's", page().with(own),
			[]feedv1.Credential{bearer},
			changes{map[string]string{wire.HeaderDeadline: life, "authorization": "Bearer sk-a"}, strip},
		},
		{
			"ours in another header, and the agent's gone", page().with(own),
			[]feedv1.Credential{apiKey},
			changes{map[string]string{wire.HeaderDeadline: life, "x-api-key": "100%REQ(txn-token)%"}, append([]string{"authorization"}, strip...)},
		},
		{
			"two of ours", page().with(own),
			[]feedv1.Credential{apiKey, bearer},
			changes{map[string]string{wire.HeaderDeadline: life, "x-api-key": "100%REQ(txn-token)%", "authorization": "Bearer sk-a"}, strip},
		},
		{"another backend's", page().with(own), []feedv1.Credential{others}, changes{map[string]string{wire.HeaderDeadline: life}, strip}},
		{
			"forwarded", forward(webTarget("agents")).bearing(goodToken), nil,
			changes{map[string]string{wire.HeaderDeadline: life, "txn-token": goodToken}, []string{"proxy-authorization"}},
		},
		{
			"forwarded, from the other header", forward(proxyTarget()).with(credentials(goodToken)), nil,
			changes{map[string]string{wire.HeaderDeadline: life, "txn-token": goodToken}, []string{"proxy-authorization"}},
		},
		{"a tunnel", tunnel("api.example:443"), nil, changes{map[string]string{wire.HeaderDeadline: life}, strip}},
		{
			"a token's leeway is its domain's", page().without(wire.HeaderTxnToken).bearing(gentleToken), nil,
			changes{map[string]string{wire.HeaderDeadline: "600000"}, strip},
		},
		{"a shorter max", short(), nil, changes{map[string]string{wire.HeaderDeadline: "1500"}, strip}},
		{
			"a model outlives the token", chat(`{"model":"gpt-5","max_tokens":1,"messages":[]}`).without(wire.HeaderTxnToken).bearing(gentleToken), nil,
			changes{map[string]string{wire.HeaderDeadline: "600000"}, strip},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{env: env, feed: func(f *feedv1.Snapshot) { f.Credentials = tc.credentials }})
			got := h.ask(tc.a)
			if diff := cmp.Diff(tc.want, changesOf(t, got)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			for _, s := range []string{"sk-a", goodToken, "the-agents-own"} {
				if strings.Contains(strings.Join(h.recorder.lines, "")+h.log.String(), s) {
					t.Errorf("%q is written: %s %s", s, h.recorder.lines, h.log)
				}
			}
		})
	}
}

func forward(target wire.Target) asking {
	return asking{target: target, host: "198.200.0.7", path: "/forward"}
}

func short() asking {
	a := page()
	a.path = "/short"
	return a
}

// TestATokenThatWasNotLookedAtIsNotForwarded: where none is believed, where
// none is needed and none came, and inside a tunnel.
func TestATokenThatWasNotLookedAtIsNotForwarded(t *testing.T) {
	t.Parallel()
	rules := func(f *feedv1.Snapshot) {
		f.Policies = []feedv1.Policy{policyOf(t, "p", `
- {name: tunnels, to: {type: Hosts, hosts: [{names: [api.example], ports: [80]}]}, action: Allow}
- name: forwarded
  from: {peers: [{type: SPIFFE, spiffe: "spiffe://corp/**"}]}
  transaction: {type: None}
  to: {type: HTTP, http: [{ports: [80, 8081, 8444]}]}
  action: Allow
  with: {forwardToken: Forward}
- {name: inner, to: {type: HTTP, http: [{ports: [80]}]}, action: Allow, with: {forwardToken: Forward}}`)}
		f.Gateways[0].Listeners[2].Peers = true // "open" believes no token
	}
	removed := func(t *testing.T, a *answered) {
		t.Helper()
		c := changesOf(t, a)
		if v, ok := c.Set[wire.HeaderTxnToken]; ok || !has(c.Remove, wire.HeaderTxnToken) {
			t.Errorf("set to %q, removed %v", v, c.Remove)
		}
	}
	t.Run("where none is believed", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{feed: rules})
		removed(t, h.ask(asking{target: webTarget("open"), principal: spiffe}.bearing("forged")))
	})
	t.Run("where none came", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{feed: rules})
		removed(t, h.ask(asking{target: webTarget("mtls"), principal: spiffe}))
	})
	t.Run("inside a tunnel", func(t *testing.T) {
		t.Parallel()
		h, outer := dug(t, build{feed: rules})
		removed(t, h.ask(inner(outer.meta(wire.MetaHopID)).bearing("forged")))
	})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, tc := range []struct {
		name string
		a    asking
		want map[string]string
	}{
		{"a route", page(), map[string]string{"hold": "headers"}},
		{"a tunnel", tunnel("api.example:443"), map[string]string{"hold": "headers", "mode": "guard", "host": "api.example", "port": "443", "tunnel": "ID"}},
		{"a tunnel to the operator's host", tunnel("web.example:8443"), map[string]string{"hold": "headers", "mode": "hosts", "host": "web.example", "port": "8443", "cluster": "host/web/8443", "tunnel": "ID"}},
		{"an opaque tunnel", tunnel("raw.example:5432"), map[string]string{"hold": "headers", "mode": "guard-opaque", "host": "raw.example", "port": "5432", "tunnel": "ID"}},
		{"absolute-form", absolute("api.example"), map[string]string{"hold": "headers", "mode": "guard", "host": "api.example", "port": "80", "pool": "POOL"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{})
			got := map[string]string{}
			a := h.ask(tc.a)
			for k, v := range a.GetDynamicMetadata().GetFields() {
				got[k] = v.GetStringValue()
			}
			if !id.MatchString(got["hop_id"]) {
				t.Errorf("hop id %q", got["hop_id"])
			}
			if got[wire.MetaTunnel] == got["hop_id"] {
				got[wire.MetaTunnel] = "ID"
			}
			if got[wire.MetaPool] != "" {
				got[wire.MetaPool] = "POOL"
			}
			delete(got, "hop_id")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
			// The hop waits for its hold before Envoy is told of it.
			if hop := h.hold(a); !hop.Held || hop.Epoch != 1 || hop.ID != a.id() {
				t.Errorf("entered %+v", hop)
			}
		})
	}
}

// TestADeniedHopHasNothing: no metadata, no header of the request, no place in
// the register.
func TestADeniedHopHasNothing(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	got := h.ask(page().without(wire.HeaderTxnToken))
	if got.GetOkResponse() != nil || got.GetDynamicMetadata() != nil || h.register.Len() != 0 {
		t.Errorf("answer %v, %d hops", got.CheckResponse, h.register.Len())
	}
}

// TestIPv6IsDialledInBrackets: without them Envoy takes its end for a port.
func TestIPv6IsDialledInBrackets(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: func(f *feedv1.Snapshot) {
		f.Policies = []feedv1.Policy{policyOf(t, "p", `[{name: six, to: {type: Hosts, hosts: [{names: ["2606:4700::1"]}]}, action: Allow}]`)}
	}})
	got := h.ask(tunnel("[2606:4700::1]:443"))
	if diff := cmp.Diff(way{"guard", "[2606:4700::1]", "443", ""}, wayOf(got)); diff != "" {
		t.Errorf("way (-want +got):\n%s", diff)
	}
}

func TestUnleashed(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: func(f *feedv1.Snapshot) { f.Gateways[0].Unleashed = 2 * time.Second }})
	got := h.ask(short())
	if got.meta(wire.MetaHold) != wire.HoldNone || h.register.Len() != 1 {
		t.Errorf("hold %q, %d hops", got.meta(wire.MetaHold), h.register.Len())
	}
	if live, ok := h.register.Live(got.id()); !ok || live.Held {
		t.Errorf("the hop is not live: %v", live)
	}
	if h.budget.Used() != 0 {
		t.Errorf("%d bytes are kept for a hop that nothing judges again", h.budget.Used())
	}
	if got := h.ask(page()); got.meta(wire.MetaHold) != wire.HoldHeaders {
		t.Errorf("a long hop's hold is %q", got.meta(wire.MetaHold))
	}
}

// TestWithoutItsCredentialAHopIsDenied: the agent's own must not go instead.
func TestWithoutItsCredentialAHopIsDenied(t *testing.T) {
	t.Parallel()
	c := credentialOf("c", web, "authorization", "", "A")
	t.Run("it has no secret", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{feed: func(f *feedv1.Snapshot) { f.Credentials = []feedv1.Credential{c} }})
		if got := h.ask(page()); got.code() != denial.CredentialMissing || got.status() != 503 {
			t.Errorf("code %q", got.code())
		}
		if r := h.last(); r.Code != denial.CredentialMissing || r.Rule != "pages" {
			t.Errorf("recorded %+v", r)
		}
	})
	t.Run("one of two has none", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{env: map[string]string{"A": "sk-a"}, feed: func(f *feedv1.Snapshot) {
			f.Credentials = []feedv1.Credential{c, credentialOf("d", web, "x-api-key", "", "B")}
		}})
		if got := h.ask(page()); got.code() != denial.CredentialMissing || strings.Contains(got.String(), "sk-a") {
			t.Errorf("code %q: %v", got.code(), got.CheckResponse)
		}
	})
	t.Run("it is not accepted", func(t *testing.T) {
		t.Parallel()
		refused := c
		refused.Rejected = "it goes in no such header"
		h := open(t, build{env: map[string]string{"A": "sk-a"}, feed: func(f *feedv1.Snapshot) { f.Credentials = []feedv1.Credential{refused} }})
		if got := h.ask(page()); got.code() != denial.CredentialMissing || got.status() != 503 || strings.Contains(got.String(), "sk-a") {
			t.Errorf("code %q", got.code())
		}
	})
	t.Run("a rule denies first", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{feed: func(f *feedv1.Snapshot) { f.Credentials = []feedv1.Credential{c} }})
		a := page()
		a.path = "/private"
		if got := h.ask(a); got.code() != denial.NoRule {
			t.Errorf("code %q", got.code())
		}
	})
}

// TestMilliseconds: Envoy ignores what is not whole, or less than one.
func TestMilliseconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Hour: "1", 0: "1", time.Microsecond: "1", time.Millisecond: "1", 1999 * time.Microsecond: "1", time.Hour: "3600000",
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}
