package check

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// dug is a tunnel that is live, to api.example:80.
func dug(t *testing.T, b build) (*house, *answered) {
	t.Helper()
	h := open(t, b)
	outer := h.ask(tunnel("api.example:80"))
	if !outer.allowed() {
		t.Fatalf("no tunnel: %s", outer.body())
	}
	if code := h.Again(h.hold(outer)); code != "" {
		t.Fatalf("no hold: %s", code)
	}
	return h, outer
}

func inner(parent string) asking {
	return asking{target: innerTarget(), host: "api.example", path: "/a", parent: parent, parentTarget: "api.example:80"}
}

func TestInner(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*asking)
		code   string
	}{
		{"a request", func(*asking) {}, ""},
		{"with its port", func(a *asking) { a.host = "api.example:80" }, ""},
		{"in another spelling", func(a *asking) { a.host = "API.example." }, ""},
		{"a method that is not listed", func(a *asking) { a.method = "DELETE" }, denial.NoRule},
		{"another host", func(a *asking) { a.host = "other.example" }, denial.TargetMismatch},
		{"another port", func(a *asking) { a.host = "api.example:8080" }, denial.TargetMismatch},
		{"metadata", func(a *asking) { a.host = "169.254.169.254" }, denial.TargetMismatch},
		{"another tunnel's target", func(a *asking) { a.parentTarget = "other.example:80" }, denial.TunnelGone},
		{"a target in another spelling", func(a *asking) { a.parentTarget = "API.example:80" }, denial.TunnelGone},
		{"no target", func(a *asking) { a.parentTarget = "-" }, denial.TunnelGone},
		{"no parent", func(a *asking) { a.parent = "-" }, denial.TunnelGone},
		{"an empty parent", func(a *asking) { a.parent = "" }, denial.NotReady},
		{"a parent that is not known", func(a *asking) { a.parent = strings.Repeat("0f", 16) }, denial.TunnelGone},
		{"a parent in upper case", func(a *asking) { a.parent = strings.Repeat("0F", 16) }, denial.TunnelGone},
		{"a tunnel in the tunnel", func(a *asking) { a.method, a.host, a.path = "CONNECT", "api.example:80", "" }, denial.NoRoute},
		{"a WebSocket", func(a *asking) { *a = upgrading(*a, "websocket") }, ""},
		{"another upgrade", func(a *asking) { *a = upgrading(*a, "CONNECT") }, denial.BodyUnreadable},
		{"dots", func(a *asking) { a.path = "/a/../b" }, denial.BadPath},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h, outer := dug(t, build{})
			a := inner(outer.meta(wire.MetaHopID))
			tc.change(&a)
			if got := h.ask(a); got.code() != tc.code {
				t.Errorf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
		})
	}
}

// TestAnInnerHopIsItsTunnels: caller, end and parent; what it carries itself
// says nothing.
func TestAnInnerHopIsItsTunnels(t *testing.T) {
	t.Parallel()
	h, outer := dug(t, build{})
	h.now = h.now.Add(time.Minute)
	got := h.ask(inner(outer.meta(wire.MetaHopID)).bearing(denial.TokenExpired).with(credentials("other")))
	if !got.allowed() {
		t.Fatal(got.body())
	}
	if ms, _ := got.header(wire.HeaderDeadline); ms != "545000" { // 10m 5s, but for a minute
		t.Errorf("deadline %s", ms)
	}
	r := h.last()
	if r.Parent != audit.HopID(outer.id()) || r.Txn != "txn-1" || r.Agent != "researcher" || r.Listener != "proxy" || r.Gateway != gateway {
		t.Errorf("recorded %+v", r)
	}
	if len(h.tokens.peers) != 1 {
		t.Errorf("%d tokens were verified, want the tunnel's alone", len(h.tokens.peers))
	}
	remove := got.GetOkResponse().GetHeadersToRemove()
	if !has(remove, wire.HeaderTxnToken) || !has(remove, "proxy-authorization") {
		t.Errorf("removed %v", remove)
	}
	if diff := cmp.Diff(way{"guard", "api.example", "80", ""}, wayOf(got)); diff != "" {
		t.Errorf("way (-want +got):\n%s", diff)
	}
	hop := h.hold(got)
	if hop.Parent != outer.id() || !hop.Until.Equal(start().Add(10*time.Minute+5*time.Second)) {
		t.Errorf("entered with parent %s until %s", hop.Parent, hop.Until)
	}
}

// TestAnInnerHopEndsWithItsTunnel: also by a rule that would let it run on.
func TestAnInnerHopEndsWithItsTunnel(t *testing.T) {
	t.Parallel()
	h, outer := dug(t, build{feed: func(f *feedv1.Snapshot) {
		f.Policies = []feedv1.Policy{policyOf(t, "p", `
- {name: tunnels, to: {type: Hosts, hosts: [{names: [api.example], ports: [80]}]}, action: Allow, with: {stream: {max: 90s}}}
- {name: plain, to: {type: HTTP, http: [{hosts: [api.example]}]}, action: Allow, with: {stream: {lifetime: Max, max: 1h}}}`)}
	}})
	h.now = h.now.Add(30 * time.Second)
	got := h.ask(inner(outer.meta(wire.MetaHopID)))
	if ms, _ := got.header(wire.HeaderDeadline); ms != "60000" {
		t.Errorf("deadline %s: %s", ms, got.body())
	}
}

// TestWithoutItsTunnelAnInnerHopIsDenied: not held yet, cut, closed.
func TestWithoutItsTunnelAnInnerHopIsDenied(t *testing.T) {
	t.Parallel()
	t.Run("pending", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{})
		outer := h.ask(tunnel("api.example:80"))
		if got := h.ask(inner(outer.meta(wire.MetaHopID))); got.code() != denial.TunnelGone {
			t.Errorf("code %q", got.code())
		}
	})
	t.Run("cut", func(t *testing.T) {
		t.Parallel()
		h, outer := dug(t, build{})
		if !h.register.Cut(outer.id(), leash.Cut{Code: "revoked", Detail: wire.DetailRevoked}) {
			t.Fatal("there is nothing to cut")
		}
		if got := h.ask(inner(outer.meta(wire.MetaHopID))); got.code() != denial.TunnelGone {
			t.Errorf("code %q", got.code())
		}
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		h, outer := dug(t, build{})
		h.register.Closed(outer.id())
		if got := h.ask(inner(outer.meta(wire.MetaHopID))); got.code() != denial.TunnelGone {
			t.Errorf("code %q", got.code())
		}
	})
	t.Run("a hop of somebody else", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{})
		other := &leash.Hop{ID: leash.ID{9}, Subject: "not ours"}
		if err := h.register.Enter(other); err != nil {
			t.Fatal(err)
		}
		if got := h.ask(inner(other.ID.String())); got.code() != denial.TunnelGone {
			t.Errorf("code %q", got.code())
		}
	})
}

// TestAnInnerHopIsDecidedByWhatHoldsNow.
func TestAnInnerHopIsDecidedByWhatHoldsNow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*feedv1.Snapshot)
		code   string
	}{
		{"nothing changed", func(*feedv1.Snapshot) {}, ""},
		{"the rules", func(f *feedv1.Snapshot) { f.Policies = nil }, denial.Unmatched},
		{"the Gateway is gone", func(f *feedv1.Snapshot) { f.Gateways = nil }, denial.NotReady},
		{"the trust domain is not believed", func(f *feedv1.Snapshot) { f.Gateways[0].Listeners[3].TrustDomains = nil }, denial.TokenWrongDomain},
		{"the host is a tool server", func(f *feedv1.Snapshot) {
			b := f.Gateways[0].Egress.Backends[0]
			b.Hostname, b.Port = "api.example", 80
			f.Gateways[0].Egress.Backends = append(f.Gateways[0].Egress.Backends, b)
		}, denial.SurfaceRequired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h, outer := dug(t, build{})
			f := feed(t)
			tc.change(f)
			h.SetWorld(worldOf(t, 2, f, h.names))
			if got := h.ask(inner(outer.meta(wire.MetaHopID))); got.code() != tc.code {
				t.Errorf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
		})
	}
}

// TestNoProxyChallengeInsideATunnel: to the client the answer is the origin's.
func TestNoProxyChallengeInsideATunnel(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: func(f *feedv1.Snapshot) {
		f.Gateways[0].Listeners[3].Peers = true
		f.Policies = []feedv1.Policy{policyOf(t, "p", `
- {name: tunnels, from: {peers: [{type: SPIFFE, spiffe: "spiffe://corp/**"}]}, transaction: {type: None}, to: {type: Hosts, hosts: [{names: [api.example], ports: [80]}]}, action: Allow}
- {name: plain, to: {type: HTTP, http: [{hosts: [api.example]}]}, action: Allow}`)}
	}})
	anonymous := tunnel("api.example:80").without("proxy-authorization")
	anonymous.principal = spiffe
	outer := h.ask(anonymous)
	if !outer.allowed() {
		t.Fatal(outer.body())
	}
	h.hold(outer)
	got := h.ask(inner(outer.meta(wire.MetaHopID)))
	if _, asks := got.header("proxy-authenticate"); asks || got.status() != 401 || got.code() != denial.TokenMissing {
		t.Errorf("status %d, asks %v: %s", got.status(), asks, got.body())
	}
}

// TestWhatEnvoySaysOfATunnel is in the call, once each, and only for the
// inner entry.
func TestWhatEnvoySaysOfATunnel(t *testing.T) {
	t.Parallel()
	in := innerTarget().String()
	pairs := func(kv ...string) context.Context {
		return metadata.NewIncomingContext(context.Background(), metadata.Pairs(kv...))
	}
	for _, tc := range []struct {
		name   string
		ctx    context.Context
		target string
		want   inside
	}{
		{"both", pairs(wire.CallParent, "p", wire.CallTarget, "t"), in, inside{wire.EntryInner, "p", "t"}},
		{"on another entry they say nothing", pairs(wire.CallParent, "p", wire.CallTarget, "t"), proxyTarget().String(), inside{}},
		{"no call", context.Background(), in, inside{wire.EntryInner, "-", "-"}},
		{"no parent", pairs(wire.CallTarget, "t"), in, inside{wire.EntryInner, "-", "-"}},
		{"no target", pairs(wire.CallParent, "p"), in, inside{wire.EntryInner, "-", "-"}},
		{"a parent twice", pairs(wire.CallParent, "p", wire.CallParent, "q", wire.CallTarget, "t"), in, inside{wire.EntryInner, "-", "-"}},
		{"a target twice", pairs(wire.CallParent, "p", wire.CallTarget, "t", wire.CallTarget, "t"), in, inside{wire.EntryInner, "-", "-"}},
	} {
		if got := insideOf(tc.ctx, tc.target); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// TestTheInnerEntryIsNotForged: an inner target that is spelled otherwise has
// no tunnel, and is not placed anywhere else either.
func TestTheInnerEntryIsNotForged(t *testing.T) {
	t.Parallel()
	h, outer := dug(t, build{})
	a := inner(outer.meta(wire.MetaHopID))
	for _, target := range []string{"s=HTTP;e=inner", "g=" + gateway + ";l=proxy;e=inner", "e=inner;g=" + gateway + ";l=proxy;g=x", "e=inner;z=1"} {
		m := a.message()
		m.GetAttributes().ContextExtensions[wire.ContextTarget] = target
		if got := h.askMessage(m); got.code() != denial.NotReady && got.code() != denial.TunnelGone {
			t.Errorf("%s: %q", target, got.code())
		}
	}
}
