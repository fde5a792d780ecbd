package envoy

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	commondfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/dynamic_forward_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
)

// TestNoClusterResolvesWithoutAFilter: a cluster that resolves names by itself
// has no address filter (trap 7).
func TestNoClusterResolvesWithoutAFilter(t *testing.T) {
	t.Parallel()
	for name, cs := range all[*clusterv3.Cluster](t) {
		for _, c := range cs {
			switch {
			case c.GetClusterType() != nil:
				if c.GetClusterType().GetName() != "envoy.clusters.dynamic_forward_proxy" {
					t.Errorf("%s is found by %s", name, c.GetClusterType().GetName())
				}
			case c.GetType() == clusterv3.Cluster_STATIC, c.GetType() == clusterv3.Cluster_EDS:
			default:
				t.Errorf("%s is found by %s", name, c.GetType())
			}
		}
	}
}

// TestCachesOfOneNameAreEqual: Envoy refuses a cache that differs under its
// name (trap 6).
func TestCachesOfOneNameAreEqual(t *testing.T) {
	t.Parallel()
	first := map[string]*commondfpv3.DnsCacheConfig{}
	for name, cs := range all[*commondfpv3.DnsCacheConfig](t) {
		for _, c := range cs {
			if f := first[c.GetName()]; f != nil && !proto.Equal(f, c) {
				t.Errorf("%s has another cache %s", name, c.GetName())
			}
			first[c.GetName()] = c
			if len(c.GetResolvedAddressFilter().GetRanges()) == 0 || c.GetTypedDnsResolverConfig() == nil {
				t.Errorf("%s resolves without a filter, or elsewhere", name)
			}
		}
	}
	if len(first) != 2 {
		t.Errorf("%d caches, want guard and inside", len(first))
	}
}

func TestACachesNameSaysItsSettings(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, c := range []cache{cacheGuard, cacheInside} {
		for _, port := range []uint16{5300, 5301} {
			s := testSettings()
			s.DNSPort = port
			name := c.config(s).GetName()
			if !strings.HasPrefix(name, string(c)+"-") || name != c.config(s).GetName() {
				t.Errorf("the cache %s is named %s", c, name)
			}
			names[name] = true
		}
	}
	if len(names) != 4 {
		t.Errorf("caches with other settings share a name: %v", names)
	}
}

// TestTheFilterOfACache: what can never be opened, in both; private space, in
// the one for the operator's ranges alone.
func TestTheFilterOfACache(t *testing.T) {
	t.Parallel()
	denies := func(c cache, addr string) bool {
		a := netip.MustParseAddr(addr)
		for _, p := range c.denied() {
			if netip.MustParsePrefix(p).Contains(a) {
				return true
			}
		}
		return false
	}
	for _, tt := range []struct {
		addr          string
		guard, inside bool // denied by
	}{
		{"127.0.0.1", true, true},
		{"::1", true, true},
		{"0.0.0.0", true, true},
		{"169.254.169.254", true, true},
		{"168.63.129.16", true, true},
		{"100.100.100.200", true, true},
		{"fd00:ec2::254", true, true},
		{"fe80::1", true, true},
		{"ff02::1", true, true},
		{"224.0.0.1", true, true},
		{"255.255.255.255", true, true},
		{"192.0.2.1", true, true},
		{"64:ff9b::a00:5", true, false},
		{"64:ff9b::808:808", true, false},
		{"64:ff9b:1::a00:5", true, false},
		{"64:ff9b::7f00:1", true, true},
		{"64:ff9b::a9fe:a9fe", true, true},
		{"64:ff9a::1", true, true},
		{"64:ff9c::1", true, true},
		{"63::1", true, true},
		{"65::1", true, true},
		{"2002:a00:5::1", true, true},
		{"2001:db8::1", true, true},
		{"::ffff:10.0.0.5", true, true},
		{"10.0.0.5", true, false},
		{"172.31.0.1", true, false},
		{"192.168.1.1", true, false},
		{"100.64.0.1", true, false},
		{"fd12:3456::1", true, false},
		{"93.184.215.14", false, false},
		{"172.32.0.1", false, false},
		{"2606:4700::1111", false, false},
	} {
		if got := denies(cacheGuard, tt.addr); got != tt.guard {
			t.Errorf("guard denies %s: %v", tt.addr, got)
		}
		if got := denies(cacheInside, tt.addr); got != tt.inside {
			t.Errorf("inside denies %s: %v", tt.addr, got)
		}
	}
}

func TestClusterByKind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		backend graph.Backend
		cache   string // the cache's prefix; empty: none
		alpn    []string
		h2      bool
		sans    []string
		err     error
	}{
		{name: "endpoints", backend: graph.Backend{Kind: graph.BackendEndpoints, Protocol: graph.ProtocolHTTP1}},
		{name: "http2", backend: graph.Backend{Kind: graph.BackendEndpoints, Protocol: graph.ProtocolHTTP2}, h2: true},
		{name: "a name", backend: graph.Backend{Kind: graph.BackendName, Hostname: "x.example", Port: 80}, cache: "guard-"},
		{name: "a name inside", backend: graph.Backend{Kind: graph.BackendName, Hostname: "x.example", Port: 80, Inside: true}, cache: "inside-"},
		{name: "TLS", backend: graph.Backend{
			Kind: graph.BackendName, Hostname: "x.example", Port: 443, Protocol: graph.ProtocolHTTP2, TLS: &graph.BackendTLS{ServerName: "x.example"},
		}, cache: "guard-", h2: true, alpn: []string{"h2"}, sans: []string{"x.example"}},
		{name: "TLS by HTTP/1.1 and names of its own", backend: graph.Backend{
			Kind: graph.BackendAddresses, Protocol: graph.ProtocolHTTP1, TLS: &graph.BackendTLS{ServerName: "x.example", SANs: []string{"a.example", "b.example"}, CA: []byte("roots")},
		}, alpn: []string{"http/1.1"}, sans: []string{"a.example", "b.example"}},
		{name: "unknown", backend: graph.Backend{Kind: "odd"}, err: errors.New(`build cluster b: unknown kind odd`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.backend.Name = "b"
			c, err := Cluster(&tt.backend, testSettings())
			if tt.err != nil {
				if err == nil || err.Error() != tt.err.Error() {
					t.Fatalf("Cluster = %v, want %v", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkCluster(t, c, tt.cache, tt.h2)
			checkUpstreamTLS(t, c, tt.alpn, tt.sans)
		})
	}
}

// TestIdleConnectionsGo: what goes through a proxy has pools of its own, and what
// is left in them is soon of no use to anybody.
func TestIdleConnectionsGo(t *testing.T) {
	t.Parallel()
	idle := func(c *clusterv3.Cluster) time.Duration {
		var o httpv3.HttpProtocolOptions
		if err := c.GetTypedExtensionProtocolOptions()[protocolOptionsName].UnmarshalTo(&o); err != nil {
			t.Fatal(err)
		}
		return o.GetCommonHttpProtocolOptions().GetIdleTimeout().AsDuration()
	}
	for kind, want := range map[graph.BackendKind]time.Duration{
		graph.BackendEndpoints: 0, graph.BackendAddresses: 4 * time.Second, graph.BackendName: time.Minute,
	} {
		for _, p := range []graph.Protocol{graph.ProtocolHTTP1, graph.ProtocolHTTP2, graph.ProtocolAuto} {
			c, err := Cluster(&graph.Backend{Name: "b", Kind: kind, Protocol: p, Hostname: "x.example", Port: 443, TLS: &graph.BackendTLS{ServerName: "x.example"}}, testSettings())
			if err != nil {
				t.Fatal(err)
			}
			if got := idle(c); got != want {
				t.Errorf("%s %s: idle for %s, want %s", kind, p, got, want)
			}
		}
	}
	for _, k := range []cache{cacheGuard, cacheInside} {
		if got := idle(directCluster(k, testSettings())); got != 4*time.Second {
			t.Errorf("%s: idle for %s", k, got)
		}
	}
}

func checkCluster(t *testing.T, c *clusterv3.Cluster, cacheName string, h2 bool) {
	t.Helper()
	got := ""
	each(t, c, func(m proto.Message) {
		switch m := m.(type) {
		case *commondfpv3.DnsCacheConfig:
			got = m.GetName()
		case *httpv3.HttpProtocolOptions:
			if has := m.GetExplicitHttpConfig().GetHttp2ProtocolOptions() != nil; has != h2 {
				t.Errorf("speaks HTTP/2: %v", has)
			}
		}
	})
	if !strings.HasPrefix(got, cacheName) || (cacheName == "") != (got == "") {
		t.Errorf("resolves by %q, want %q", got, cacheName)
	}
	if n := c.GetCircuitBreakers().GetThresholds()[0].GetMaxRequests().GetValue(); n < 10_000 {
		t.Errorf("at most %d streams", n)
	}
}

func checkUpstreamTLS(t *testing.T, c *clusterv3.Cluster, alpn, sans []string) {
	t.Helper()
	if len(sans) == 0 {
		if c.GetTransportSocket() != nil {
			t.Error("speaks TLS")
		}
		return
	}
	ctx := &tlsv3.UpstreamTlsContext{}
	if err := c.GetTransportSocket().GetTypedConfig().UnmarshalTo(ctx); err != nil {
		t.Fatal(err)
	}
	check := ctx.GetCommonTlsContext().GetValidationContext()
	if check.GetTrustedCa() == nil || check.GetTrustChainVerification() != 0 || ctx.GetSni() != "x.example" {
		t.Errorf("trusts %v, names %q", check, ctx.GetSni())
	}
	var got []string
	for _, m := range check.GetMatchTypedSubjectAltNames() {
		got = append(got, m.GetMatcher().GetExact())
	}
	if diff := cmp.Diff(sans, got); diff != "" {
		t.Errorf("names differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(alpn, ctx.GetCommonTlsContext().GetAlpnProtocols()); diff != "" {
		t.Errorf("protocols differ (-want +got):\n%s", diff)
	}
}

func TestTLSWithoutRootsIsRefused(t *testing.T) {
	t.Parallel()
	b := &graph.Backend{Name: "b", Kind: graph.BackendName, Hostname: "x.example", Port: 443, TLS: &graph.BackendTLS{ServerName: "x.example"}}
	s := testSettings()
	s.TrustedCA = ""
	if _, err := Cluster(b, s); !errors.Is(err, ErrNoRoots) {
		t.Errorf("Cluster = %v, want ErrNoRoots", err)
	}
	b.TLS.CA = []byte("roots")
	if _, err := Cluster(b, s); err != nil {
		t.Errorf("Cluster = %v with roots of its own", err)
	}
}

func TestAClusterWithoutEndpointsAnswersAtOnce(t *testing.T) {
	t.Parallel()
	a := LoadAssignment(&graph.Endpoints{Name: "b"})
	if a.GetClusterName() != "b" || len(a.GetEndpoints()) != 0 {
		t.Errorf("LoadAssignment = %v", a)
	}
}

func TestTheBootstrapKnowsOneSocket(t *testing.T) {
	t.Parallel()
	boot := Bootstrap{NodeID: "test", AdminSocket: "/run/hopgate/admin.sock", MaxConnections: 7}.Message(testSettings())
	var names []string
	for _, c := range boot.GetStaticResources().GetClusters() {
		names = append(names, c.GetName())
		ep := c.GetLoadAssignment().GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint().GetAddress()
		if ep.GetPipe().GetPath() != testSettings().Socket {
			t.Errorf("%s is at %v", c.GetName(), ep)
		}
	}
	if diff := cmp.Diff([]string{ClusterXDS, ClusterAuthz, ClusterHold, ClusterLog, ClusterFlight, ClusterSecrets}, names); diff != "" {
		t.Errorf("clusters differ (-want +got):\n%s", diff)
	}
	if p := boot.GetAdmin().GetAddress().GetPipe(); p.GetPath() == "" || p.GetMode() != 0o600 {
		t.Errorf("admin is at %v", boot.GetAdmin().GetAddress())
	}
	if len(boot.GetStaticResources().GetListeners()) > 0 {
		t.Error("a listener is in the bootstrap")
	}
	checkADS(t, boot)
	if raw := string(boot.GetOverloadManager().GetResourceMonitors()[0].GetTypedConfig().GetValue()); raw == "" {
		t.Error("connections are not bounded")
	}
}

func checkADS(t *testing.T, boot *bootstrapv3.Bootstrap) {
	t.Helper()
	ads := boot.GetDynamicResources().GetAdsConfig()
	if ads.GetApiType().String() != "DELTA_GRPC" || len(ads.GetGrpcServices()) != 1 {
		t.Fatalf("ADS is %v", ads)
	}
	if n := ads.GetGrpcServices()[0].GetEnvoyGrpc().GetMaxReceiveMessageLength().GetValue(); n != MaxMessage {
		t.Errorf("Envoy takes responses of %d bytes, want %d", n, MaxMessage)
	}
	if ads.GetGrpcServices()[0].GetTimeout() != nil {
		t.Error("the ADS stream ends by itself")
	}
}

func TestSettingsBoundADecision(t *testing.T) {
	t.Parallel()
	if d := (Settings{}).checkTimeout(); d != 5*time.Second {
		t.Errorf("default = %v", d)
	}
	if d := (Settings{CheckTimeout: time.Second}).checkTimeout(); d != time.Second {
		t.Errorf("given = %v", d)
	}
}
