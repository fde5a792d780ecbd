package envoy

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	dfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_forward_proxy/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// TestOneAttemptAtOneCluster: a retry or a mirror would take a credential
// elsewhere, and begin the deadline anew.
func TestOneAttemptAtOneCluster(t *testing.T) {
	t.Parallel()
	for name, acts := range all[*routev3.RouteAction](t) {
		for _, a := range acts {
			if a.GetRetryPolicy() != nil || len(a.GetRequestMirrorPolicies()) > 0 || a.GetInternalRedirectPolicy() != nil || a.GetHedgePolicy() != nil {
				t.Errorf("%s sends more than once: %v", name, a)
			}
			if a.GetTimeout() == nil {
				t.Errorf("%s: Envoy's default would end streams", name)
			}
			if a.GetMaxStreamDuration() != nil {
				t.Errorf("%s bounds a stream besides Check", name)
			}
		}
	}
}

// proxyTable reports whether a table is that of a Proxy listener.
func proxyTable(name string) bool {
	return name == "agents/egress/3128" || name == "hopgate/canary/proxy"
}

// captureTable reports whether a table is that of a listener of captured TLS.
func captureTable(name string) bool {
	return name == "agents/egress/3443" || name == "hopgate/canary/tls"
}

// TestNoRouteRemovesTheDeadline: what a virtual host removes is gone whoever
// set it, and Check sets the deadline.
func TestNoRouteRemovesTheDeadline(t *testing.T) {
	t.Parallel()
	for name, vs := range all[*routev3.VirtualHost](t) {
		for _, v := range vs {
			if slices.Contains(v.GetRequestHeadersToRemove(), wire.HeaderDeadline) || slices.Contains(v.GetRequestHeadersToRemove(), wire.HeaderTxnToken) {
				t.Errorf("%s removes what Check sets: %v", name, v.GetRequestHeadersToRemove())
			}
			for _, h := range []string{"proxy-authorization", wire.HeaderPartialBody} {
				if !slices.Contains(v.GetRequestHeadersToRemove(), h) {
					t.Errorf("%s: %s reaches the backend", name, h)
				}
			}
			if outside := proxyTable(name) || strings.HasPrefix(name, "hopgate/tunnel/") || strings.HasPrefix(name, "hopgate/inspect/"); outside && !slices.Contains(v.GetRequestHeadersToRemove(), "x-forwarded-for") {
				t.Errorf("%s: the outside learns of us", name)
			}
		}
	}
}

// TestEveryRouteIsAHop: each route has an identity for the guard, its own or
// its virtual host's, and every virtual host ends in a route: Envoy asks
// nobody about a request without one.
func TestEveryRouteIsAHop(t *testing.T) {
	t.Parallel()
	for name, ts := range all[*routev3.RouteConfiguration](t) {
		sh := shapeRoutes
		switch {
		case strings.HasPrefix(name, "hopgate/tunnel/"):
			sh = shapeInner
		case strings.HasPrefix(name, "hopgate/inspect/"):
			sh = shapeInspect
		case proxyTable(name):
			sh = shapeProxy
		case captureTable(name):
			sh = shapeCaptureTLS
		case name == "agents/egress/3480", name == "hopgate/canary/http":
			sh = shapeCaptureHTTP
		}
		if last := ts[0].GetVirtualHosts()[len(ts[0].GetVirtualHosts())-1]; sh != shapeRoutes && last.GetDomains()[0] != "*" {
			t.Errorf("%s has no host for all others", name)
		}
		for _, v := range ts[0].GetVirtualHosts() {
			targetOf(t, name, v.GetTypedPerFilterConfig()[authzName(sh)].GetValue())
			open := false
			for _, r := range v.GetRoutes() {
				if raw, ok := r.GetTypedPerFilterConfig()[authzName(sh)]; ok {
					targetOf(t, name+" "+r.GetName(), raw.GetValue())
				}
				open = open || r.GetMatch().GetPrefix() == "/" && len(r.GetMatch().GetDynamicMetadata()) == 0 && len(r.GetMatch().GetHeaders()) == 0
			}
			if !open {
				t.Errorf("%s: %s has no route for the rest", name, v.GetName())
			}
		}
	}
}

// targetOf reads what a route tells the guard: bodies are sent as bytes, and
// only where the surface is in them.
func targetOf(t *testing.T, where string, raw []byte) wire.Target {
	t.Helper()
	p := &authzv3.ExtAuthzPerRoute{}
	if err := proto.Unmarshal(raw, p); err != nil {
		t.Fatal(err)
	}
	if p.GetDisabled() || p.GetCheckSettings() == nil {
		t.Fatalf("%s is not asked about", where)
	}
	target, err := wire.ParseTarget(p.GetCheckSettings().GetContextExtensions()[wire.ContextTarget])
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	body := p.GetCheckSettings().GetWithRequestBody()
	if target.BodyBytes == 0 != p.GetCheckSettings().GetDisableRequestBodyBuffering() || target.BodyBytes == 0 != (body == nil) {
		t.Errorf("%s: a body of %d bytes is asked for by %v", where, target.BodyBytes, p.GetCheckSettings())
	}
	if body != nil && (!body.GetPackAsBytes() || !body.GetAllowPartialMessage() || int64(body.GetMaxRequestBytes()) != target.BodyBytes+1) {
		t.Errorf("%s: the guard is sent %v", where, body)
	}
	return target
}

// TestTheWayOnIsChecks: on a Proxy listener, and in a tunnel, nothing is sent
// anywhere that Check has not said.
func TestTheWayOnIsChecks(t *testing.T) {
	t.Parallel()
	for name, ts := range all[*routev3.RouteConfiguration](t) {
		if name != "agents/egress/3128" && !strings.HasPrefix(name, "hopgate/tunnel/") {
			continue
		}
		for _, v := range ts[0].GetVirtualHosts() {
			for _, r := range v.GetRoutes() {
				if r.GetRoute() == nil {
					if s := r.GetDirectResponse().GetStatus(); s < 400 {
						t.Errorf("%s: %s answers %d by itself", name, r.GetName(), s)
					}
					continue
				}
				mode := r.GetRoute().GetCluster() == unresolved // which is nowhere
				for _, m := range r.GetMatch().GetDynamicMetadata() {
					mode = mode || m.GetFilter() == wire.AuthzNamespace && m.GetPath()[0].GetKey() == wire.MetaMode && m.GetValue().GetStringMatch().GetExact() != "" && !m.GetInvert()
				}
				if !mode {
					t.Errorf("%s: %s is taken without a mode", name, r.GetName())
				}
			}
		}
	}
}

// TestATunnelToASurfaceIsAHop: it is not possible, and the guard says why. A
// body is not waited for: it would never end.
func TestATunnelToASurfaceIsAHop(t *testing.T) {
	t.Parallel()
	for _, v := range one[*routev3.RouteConfiguration](t, "agents/egress/3128").GetVirtualHosts() {
		var tunnels []*routev3.Route
		for _, r := range v.GetRoutes() {
			if r.GetMatch().GetConnectMatcher() != nil && r.GetRoute() == nil {
				tunnels = append(tunnels, r)
			}
		}
		if len(tunnels) != 1 {
			t.Fatalf("%s has %d routes for tunnels that may not be", v.GetName(), len(tunnels))
		}
		raw := tunnels[0].GetTypedPerFilterConfig()[authzName(shapeProxy)]
		if raw == nil {
			raw = v.GetTypedPerFilterConfig()[authzName(shapeProxy)]
		}
		if got := targetOf(t, v.GetName(), raw.GetValue()); got.Surface != "" || got.BodyBytes != 0 || got.Listener != "proxy" {
			t.Errorf("%s: a tunnel is judged as %v", v.GetName(), got)
		}
	}
}

// TestATunnelIsAHopEverywhere: Envoy takes a CONNECT for no route but one that
// is for it, and would ask nobody. Where there is no proxy it ends there.
func TestATunnelIsAHopEverywhere(t *testing.T) {
	t.Parallel()
	for name, ts := range all[*routev3.RouteConfiguration](t) {
		for _, v := range ts[0].GetVirtualHosts() {
			ends := 0
			for _, r := range v.GetRoutes() {
				if r.GetMatch().GetConnectMatcher() == nil {
					continue
				}
				nowhere := r.GetDirectResponse() != nil || r.GetRoute().GetCluster() == unresolved
				if !proxyTable(name) && !captureTable(name) && !nowhere {
					t.Errorf("%s: %s: %s leads a tunnel on", name, v.GetName(), r.GetName())
				}
				if nowhere && len(r.GetMatch().GetDynamicMetadata()) == 0 {
					ends++
				}
			}
			if ends != 1 {
				t.Errorf("%s: %s has %d ends for tunnels", name, v.GetName(), ends)
			}
		}
	}
}

// TestAnUpgradeAtASurfaceIsNotWaitedFor: the first route is the one that asks
// the guard about it without its body, as a request to the surface.
func TestAnUpgradeAtASurfaceIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	hosts := one[*routev3.RouteConfiguration](t, "agents/egress/3128").GetVirtualHosts()
	if len(hosts) < 2 {
		t.Fatal("there is no surface")
	}
	for _, v := range hosts[:len(hosts)-1] {
		r := v.GetRoutes()[0]
		if hs := r.GetMatch().GetHeaders(); len(hs) != 1 || hs[0].GetName() != "upgrade" || !hs[0].GetPresentMatch() || r.GetDirectResponse().GetStatus() != 403 {
			t.Fatalf("%s begins with %v", v.GetName(), r)
		}
		got := targetOf(t, v.GetName(), r.GetTypedPerFilterConfig()[authzName(shapeProxy)].GetValue())
		whole := targetOf(t, v.GetName(), v.GetTypedPerFilterConfig()[authzName(shapeProxy)].GetValue())
		whole.BodyBytes = 0
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("%s: judged as another (-want +got):\n%s", v.GetName(), diff)
		}
	}
}

// TestASurfaceIsNamedWithItsPort: a server that tells its hosts apart by port
// too would take the request for another's.
func TestASurfaceIsNamedWithItsPort(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		port uint16
		tls  *graph.BackendTLS
		want string
	}{
		{443, &graph.BackendTLS{}, "a.example"},
		{8443, &graph.BackendTLS{}, "a.example:8443"},
		{80, &graph.BackendTLS{}, "a.example:80"},
		{80, nil, "a.example"},
		{8080, nil, "a.example:8080"},
		{443, nil, "a.example:443"},
	} {
		b := &graph.Backend{Kind: graph.BackendName, Hostname: "a.example", Port: tc.port, TLS: tc.tls}
		v := surfaceHost(shapeProxy, graph.ProxySurface{Hostname: "a.example", Port: tc.port, Backend: "b"}, b, &graph.ProxyTable{Target: wire.Target{Entry: wire.EntryProxy}})
		for _, r := range v.GetRoutes() {
			if r.GetRoute() != nil && r.GetRoute().GetHostRewriteLiteral() != tc.want {
				t.Errorf("port %d, TLS %v: named %q, want %q", tc.port, tc.tls != nil, r.GetRoute().GetHostRewriteLiteral(), tc.want)
			}
		}
	}
}

// TestUserTextIsNoFormat: %REQ(authorization)% in a header value must not hand
// out a secret.
func TestUserTextIsNoFormat(t *testing.T) {
	t.Parallel()
	seen := false
	for name, hs := range all[*corev3.HeaderValueOption](t) {
		for _, h := range hs {
			v := h.GetHeader().GetValue()
			seen = seen || strings.Contains(v, "REQ(authorization)")
			if h.GetHeader().GetKey() == wire.HeaderFraming && v == "%REQ(transfer-encoding)%" {
				continue // it is ours, and no secret
			}
			if strings.Contains(strings.ReplaceAll(v, "%%", ""), "%") {
				t.Errorf("%s: %s is read as a format: %s", name, h.GetHeader().GetKey(), v)
			}
		}
	}
	if !seen {
		t.Error("the test's graph has no such value")
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "%", "%%", "100%REQ(authorization)%", "a%%b%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := Escape(s)
		if strings.Contains(strings.ReplaceAll(e, "%%", ""), "%") {
			t.Errorf("Escape(%q) = %q has a lone percent", s, e)
		}
		if got := strings.ReplaceAll(e, "%%", "%"); got != s {
			t.Errorf("Escape(%q) is read as %q", s, got)
		}
	})
}

// TestMatchesAreOrdered holds the order of routes to Gateway API's precedence,
// whatever order they come in.
func TestMatchesAreOrdered(t *testing.T) {
	t.Parallel()
	old, young := time.Unix(100, 0), time.Unix(200, 0)
	rule := func(index int, ms ...graph.Match) *graph.Rule {
		return &graph.Rule{Index: index, Hostnames: []string{"*"}, Matches: ms, Status: 500, Target: wire.Target{Entry: wire.EntryRoute, Gateway: "a/b"}}
	}
	value := func(n string) []graph.ValueMatch {
		return []graph.ValueMatch{{Name: n, Kind: graph.MatchExact, Value: "v"}}
	}
	fragments := []*graph.Fragment{
		{Owner: routeOwner("b"), Created: old, Rules: []*graph.Rule{
			rule(0, graph.Match{PathKind: graph.MatchExact, Path: "/a"}),
			rule(1, graph.Match{PathKind: graph.MatchPrefix, Path: "/long/er"}, graph.Match{PathKind: graph.MatchPrefix, Path: "/long"}),
			rule(2, graph.Match{PathKind: graph.MatchPrefix, Path: "/m", Method: "GET"}),
			rule(3, graph.Match{PathKind: graph.MatchPrefix, Path: "/m", Headers: value("x")}),
			rule(4, graph.Match{PathKind: graph.MatchPrefix, Path: "/m", Query: value("q")}),
			rule(5, graph.Match{PathKind: graph.MatchPrefix, Path: "/m"}),
			rule(6, graph.Match{PathKind: graph.MatchPrefix, Path: "/m"}),
			rule(7, graph.Match{PathKind: graph.MatchRegex, Path: "/very-long-expression.*"}),
			rule(8, graph.Match{PathKind: graph.MatchPrefix, Path: "/"}),
		}},
		{Owner: routeOwner("a"), Created: old, Rules: []*graph.Rule{rule(0, graph.Match{PathKind: graph.MatchPrefix, Path: "/m"})}},
		{Owner: routeOwner("0"), Created: young, Rules: []*graph.Rule{rule(0, graph.Match{PathKind: graph.MatchPrefix, Path: "/m"})}},
	}
	want := []string{
		"agents/b#0.0", "agents/b#1.0", "agents/b#1.1", "agents/b#2.0", "agents/b#3.0", "agents/b#4.0",
		"agents/a#0.0", "agents/b#5.0", "agents/b#6.0", "agents/0#0.0", "agents/b#8.0", "agents/b#7.0", "no-proxy", "none",
	}
	none := func(string) *graph.Backend { return nil }
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		r.Shuffle(len(fragments), func(i, j int) { fragments[i], fragments[j] = fragments[j], fragments[i] })
		var fs []*Fragment
		for _, f := range fragments {
			fs = append(fs, NewFragment(f, none))
		}
		var got []string
		for _, r := range RouteTable("t", gatewayOwner(), fs).GetVirtualHosts()[0].GetRoutes() {
			got = append(got, r.GetName())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("order differs (-want +got):\n%s", diff)
		}
	}
}

// TestATableWithoutRoutes is closed: every host is a hop that the guard
// refuses, and what the guard does not refuse is 404.
func TestATableWithoutRoutes(t *testing.T) {
	t.Parallel()
	vs := RouteTable("t", gatewayOwner(), nil).GetVirtualHosts()
	if len(vs) != 1 || vs[0].GetDomains()[0] != "*" || len(vs[0].GetRoutes()) != 2 {
		t.Fatalf("virtual hosts = %v", vs)
	}
	for _, r := range vs[0].GetRoutes() {
		if r.GetDirectResponse().GetStatus() != 404 && r.GetRoute().GetCluster() != unresolved {
			t.Errorf("%s leads on", r.GetName())
		}
	}
	if got := targetOf(t, "t", vs[0].GetTypedPerFilterConfig()[authzName(shapeRoutes)].GetValue()); got.Gateway != "agents/egress" || got.Route != "" {
		t.Errorf("target = %v", got)
	}
}

// TestABackendIsResolvedByItsOwnCache: the filter of the other is off.
func TestABackendIsResolvedByItsOwnCache(t *testing.T) {
	t.Parallel()
	for _, inside := range []bool{false, true} {
		be := &graph.Backend{Name: "b", Kind: graph.BackendName, Hostname: "x.example", Port: 8443, Inside: inside}
		f := &graph.Fragment{Owner: routeOwner("r"), Rules: []*graph.Rule{{
			Hostnames: []string{"*"}, Matches: []graph.Match{{PathKind: graph.MatchPrefix, Path: "/"}},
			Forward: &graph.Forward{Backends: []graph.WeightedBackend{{Backend: "b", Weight: 1}}},
			Target:  wire.Target{Entry: wire.EntryRoute, Gateway: "a/b"},
		}}}
		table := RouteTable("t", gatewayOwner(), []*Fragment{NewFragment(f, func(string) *graph.Backend { return be })})
		cfg := table.GetVirtualHosts()[0].GetRoutes()[0].GetTypedPerFilterConfig()
		mine, other := forwardName(shapeRoutes, cacheGuard), forwardName(shapeRoutes, cacheInside)
		if inside {
			mine, other = other, mine
		}
		off, on := &routev3.FilterConfig{}, &dfpv3.PerRouteConfig{}
		if err := cfg[other].UnmarshalTo(off); err != nil || !off.GetDisabled() {
			t.Errorf("inside %v: the other cache resolves too: %v, %v", inside, off, err)
		}
		if err := cfg[mine].UnmarshalTo(on); err != nil || on.GetHostRewriteLiteral() != "x.example:8443" {
			t.Errorf("inside %v: resolved is %v, %v", inside, on, err)
		}
		if want := map[bool]string{false: wire.ModeGuard, true: wire.ModeInside}[inside]; BackendMode(be) != want {
			t.Errorf("mode = %s, want %s", BackendMode(be), want)
		}
	}
	if got := BackendMode(&graph.Backend{Kind: graph.BackendAddresses}); got != wire.ModeHosts {
		t.Errorf("mode of fixed addresses = %s", got)
	}
}

func TestAuthority(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		port uint16
		tls  bool
		want string
	}{{80, false, "x.example"}, {443, true, "x.example"}, {443, false, "x.example:443"}, {80, true, "x.example:80"}, {8080, false, "x.example:8080"}} {
		b := &graph.Backend{Hostname: "x.example", Port: tt.port}
		if tt.tls {
			b.TLS = &graph.BackendTLS{}
		}
		if got := authority(b); got != tt.want {
			t.Errorf("authority of port %d, TLS %v = %s, want %s", tt.port, tt.tls, got, tt.want)
		}
	}
}

// TestASurfaceWithoutABackend has no host of its own: the guard refuses it.
func TestASurfaceWithoutABackend(t *testing.T) {
	t.Parallel()
	p := testGraph().Tables[0].Proxy
	table := ProxyTable("t", p, func(string) *graph.Backend { return nil })
	if n := len(table.GetVirtualHosts()); n != 1 {
		t.Errorf("%d virtual hosts, want the one for all", n)
	}
	p.Surfaces[0].Port = 80
	table = ProxyTable("t", p, func(string) *graph.Backend { return &graph.Backend{Kind: graph.BackendName} })
	if diff := cmp.Diff([]string{"llm.example:80", "llm.example"}, table.GetVirtualHosts()[0].GetDomains()); diff != "" {
		t.Errorf("domains differ (-want +got):\n%s", diff)
	}
}
