package envoy

import (
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// managers visits every connection manager with its listener's name.
func managers(t *testing.T, visit func(listener string, m *hcmv3.HttpConnectionManager)) {
	t.Helper()
	for name, ms := range all[*hcmv3.HttpConnectionManager](t) {
		for _, m := range ms {
			visit(name, m)
		}
	}
}

func isProxy(listener string) bool {
	return listener == "agents/egress/3128@127.0.0.1" || listener == "hopgate/canary/proxy"
}

// TestOnlyProxiesTakeOldClients: Pythons up to 3.11 send CONNECT by HTTP/1.0
// (trap 2), and nobody needs to anywhere else.
func TestOnlyProxiesTakeOldClients(t *testing.T) {
	t.Parallel()
	managers(t, func(listener string, m *hcmv3.HttpConnectionManager) {
		if got := m.GetHttpProtocolOptions().GetAcceptHttp_10(); got != isProxy(listener) {
			t.Errorf("%s takes HTTP/1.0: %v", listener, got)
		}
		connect := false
		for _, u := range m.GetUpgradeConfigs() {
			connect = connect || u.GetUpgradeType() == "CONNECT"
		}
		if want := isProxy(listener) || strings.HasPrefix(listener, "hopgate/capture/"); connect != want {
			t.Errorf("%s takes CONNECT: %v", listener, connect)
		}
	})
}

// TestClientsCannotSayOurHeaders: the deadline and all of our own prefix are
// gone before anything sees a request, and no route removes what Check sets.
func TestClientsCannotSayOurHeaders(t *testing.T) {
	t.Parallel()
	managers(t, func(listener string, m *hcmv3.HttpConnectionManager) {
		var prefixes []string
		for _, e := range m.GetEarlyHeaderMutationExtensions() {
			cfg := &earlyv3.HeaderMutation{}
			if err := e.GetTypedConfig().UnmarshalTo(cfg); err != nil {
				t.Fatal(err)
			}
			for _, mut := range cfg.GetMutations() {
				prefixes = append(prefixes, mut.GetRemoveOnMatch().GetKeyMatcher().GetPrefix())
			}
		}
		for _, h := range []string{wire.HeaderDeadline, wire.HeaderPrefix + "id", wire.HeaderPartialBody, "x-envoy-max-retries", "x-envoy-internal"} {
			gone := false
			for _, p := range prefixes {
				gone = gone || p != "" && strings.HasPrefix(h, p)
			}
			if !gone {
				t.Errorf("%s: a client can say %s", listener, h)
			}
		}
		if m.GetInternalAddressConfig() == nil || len(m.GetInternalAddressConfig().GetCidrRanges()) > 0 || !m.GetUseRemoteAddress().GetValue() {
			t.Errorf("%s: some clients count as internal", listener)
		}
	})
}

func TestManagersLeaveStreamsToTheHold(t *testing.T) {
	t.Parallel()
	managers(t, func(listener string, m *hcmv3.HttpConnectionManager) {
		if d := m.GetStreamIdleTimeout(); d == nil || d.AsDuration() != 0 {
			t.Errorf("%s ends quiet streams after %v", listener, d)
		}
		if d := m.GetDelayedCloseTimeout().AsDuration(); d <= 0 || d > 50*time.Millisecond {
			t.Errorf("%s: a client sees a cut after %v", listener, d)
		}
		if m.GetCommonHttpProtocolOptions().GetMaxStreamDuration() != nil {
			t.Errorf("%s bounds streams by itself", listener)
		}
		if m.GetRequestHeadersTimeout().AsDuration() <= 0 || m.GetRequestTimeout().AsDuration() <= 0 {
			t.Errorf("%s waits for requests without end", listener)
		}
	})
}

// TestFilterOrder: what asks comes first, what sends comes last. Where tunnels
// are inspected there is a manager for plain HTTP before the other one.
func TestFilterOrder(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"agents/egress/3128@127.0.0.1":       {"authz.proxy", "target", "hold.headers", "hold.relay", "meter", "trailers", "forward.proxy.guard", "forward.proxy.inside", "envoy.filters.http.router"},
		"agents/egress/3480@127.0.0.1":       {"authz.capture-http", "target", "hold.headers", "hold.relay", "meter", "trailers", "forward.proxy.guard", "forward.proxy.inside", "envoy.filters.http.router"},
		"hopgate/capture/agents/egress/3443": {"authz.capture-tls", "target", "hold.headers", "hold.relay", "meter", "envoy.filters.http.router"},
		"agents/egress/8080@127.0.0.1":       {"authz.routes", "hold.headers", "hold.relay", "meter", "trailers", "forward.routes.guard", "forward.routes.inside", "envoy.filters.http.router"},
		"agents/egress/8443@127.0.0.1":       {"authz.routes", "hold.headers", "hold.relay", "meter", "trailers", "forward.routes.guard", "forward.routes.inside", "envoy.filters.http.router"},
		"hopgate/capture/hopgate/canary/tls": {"authz.capture-tls", "target", "hold.headers", "hold.relay", "meter", "envoy.filters.http.router"},
		"hopgate/canary/http":                {"authz.capture-http", "target", "hold.headers", "hold.relay", "meter", "trailers", "forward.proxy.guard", "forward.proxy.inside", "envoy.filters.http.router"},
		"hopgate/canary/proxy":               {"authz.proxy", "target", "hold.headers", "hold.relay", "meter", "trailers", "forward.proxy.guard", "forward.proxy.inside", "envoy.filters.http.router"},
		"hopgate/canary/routes":              {"authz.routes", "hold.headers", "hold.relay", "meter", "trailers", "forward.routes.guard", "forward.routes.inside", "envoy.filters.http.router"},
		"hopgate/inspect/guard":              {"authz.inner", "hold.headers", "hold.relay", "meter", "trailers", "forward.inner.guard", "envoy.filters.http.router", "authz.inspect", "identity", "hold.headers", "hold.relay", "meter", "trailers", "forward.inspect.guard", "envoy.filters.http.router"},
		"hopgate/inspect/hosts":              {"authz.inner", "hold.headers", "hold.relay", "meter", "trailers", "forward.inner.guard", "envoy.filters.http.router", "authz.inspect", "identity", "hold.headers", "hold.relay", "meter", "trailers", "forward.inspect.guard", "envoy.filters.http.router"},
		"hopgate/inspect/inside":             {"authz.inner", "hold.headers", "hold.relay", "meter", "trailers", "forward.inner.inside", "envoy.filters.http.router", "authz.inspect", "identity", "hold.headers", "hold.relay", "meter", "trailers", "forward.inspect.inside", "envoy.filters.http.router"},
		"hopgate/tunnel/guard":               {"authz.inner", "hold.headers", "hold.relay", "meter", "trailers", "forward.inner.guard", "envoy.filters.http.router"},
		"hopgate/tunnel/hosts":               {"authz.inner", "hold.headers", "hold.relay", "meter", "trailers", "forward.inner.guard", "envoy.filters.http.router"},
		"hopgate/tunnel/inside":              {"authz.inner", "hold.headers", "hold.relay", "meter", "trailers", "forward.inner.inside", "envoy.filters.http.router"},
	}
	got := map[string][]string{}
	managers(t, func(listener string, m *hcmv3.HttpConnectionManager) {
		for _, f := range m.GetHttpFilters() {
			got[listener] = append(got[listener], f.GetName())
			if f.GetDisabled() || f.GetIsOptional() {
				t.Errorf("%s: %s may be absent", listener, f.GetName())
			}
			if d := f.GetConfigDiscovery(); d.GetDefaultConfig() != nil || d.GetApplyDefaultConfigWithoutWarming() {
				t.Errorf("%s: %s goes without its configuration", listener, f.GetName())
			}
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("filters differ (-want +got):\n%s", diff)
	}
	for name, rs := range all[*routerv3.Router](t) {
		for _, r := range rs {
			if !r.GetSuppressEnvoyHeaders() || !r.GetRejectConnectRequestEarlyData().GetValue() {
				t.Errorf("%s: the router tells too much, or sends before it may", name)
			}
		}
	}
}

// TestEveryHopIsLogged: by its id alone, so that what was denied is not
// recorded twice.
func TestEveryHopIsLogged(t *testing.T) {
	t.Parallel()
	managers(t, func(listener string, m *hcmv3.HttpConnectionManager) {
		if len(m.GetAccessLog()) != 1 {
			t.Fatalf("%s has %d access logs", listener, len(m.GetAccessLog()))
		}
		f := m.GetAccessLog()[0].GetFilter().GetMetadataFilter()
		if f.GetMatcher().GetFilter() != wire.AuthzNamespace || f.GetMatcher().GetPath()[0].GetKey() != wire.MetaHopID || f.GetMatchIfKeyNotFound().GetValue() {
			t.Errorf("%s logs by %v", listener, f)
		}
		// More often than at the end, and never when it begins: the guard knows that.
		want := &hcmv3.HttpConnectionManager_HcmAccessLogOptions{AccessLogFlushInterval: durationpb.New(10 * time.Second)}
		if diff := cmp.Diff(want, m.GetAccessLogOptions(), protocmp.Transform()); diff != "" {
			t.Errorf("%s logs at other times (-want +got):\n%s", listener, diff)
		}
	})
}

// TestInternalListeners: a tunnel's TLS must name its own target, its plain
// HTTP is decided request by request (trap 3), and nothing else gets through.
func TestInternalListeners(t *testing.T) {
	t.Parallel()
	for _, mode := range tunnelModes() {
		l := one[*listenerv3.Listener](t, innerName(mode))
		if l.GetInternalListener() == nil || l.GetAddress() != nil || l.GetDefaultFilterChain() != nil {
			t.Errorf("%s can be entered otherwise", l.GetName())
		}
		var inspectors []string
		for _, f := range l.GetListenerFilters() {
			inspectors = append(inspectors, f.GetName())
		}
		if diff := cmp.Diff([]string{"envoy.filters.listener.tls_inspector", "envoy.filters.listener.http_inspector"}, inspectors); diff != "" {
			t.Errorf("%s inspects otherwise (-want +got):\n%s", l.GetName(), diff)
		}
		chains := map[string]*listenerv3.FilterChain{}
		for _, c := range l.GetFilterChains() {
			chains[c.GetFilterChainMatch().GetTransportProtocol()] = c
		}
		if len(chains) != 2 || chains["tls"] == nil || chains["raw_buffer"] == nil {
			t.Fatalf("%s has other chains: %v", l.GetName(), chains)
		}
		if diff := cmp.Diff([]string{"http/1.0", "http/1.1", "h2c"}, chains["raw_buffer"].GetFilterChainMatch().GetApplicationProtocols()); diff != "" {
			t.Errorf("%s takes what is not HTTP (-want +got):\n%s", l.GetName(), diff)
		}
		if first := chains["tls"].GetFilters()[0]; !proto.Equal(first, sniIsTarget()) {
			t.Errorf("%s: the first filter of TLS is %s, want the comparison of names", l.GetName(), first.GetName())
		}
	}
}
