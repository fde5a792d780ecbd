package desired

import (
	"net/netip"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/serve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func settings() envoy.Settings {
	return envoy.Settings{Socket: "/run/hopgate/guard.sock", DNSPort: 5300, TrustedCA: "/etc/ssl/roots.pem"}
}

func gateway() graph.Owner {
	return graph.Owner{Kind: "Gateway", Namespace: "agents", Name: "egress"}
}

func owner(kind, name string) graph.Owner {
	return graph.Owner{Kind: kind, Namespace: "agents", Name: name}
}

// fixture has one of everything.
func fixture() *graph.Graph {
	local := netip.MustParseAddr("127.0.0.1")
	return &graph.Graph{
		Listeners: []*graph.Listener{
			{Name: "agents/egress/3128", Owner: gateway(), Kind: graph.ListenerProxy, Address: local, Port: 3128},
			{Name: "agents/egress/8080", Owner: gateway(), Kind: graph.ListenerRoutes, Address: local, Port: 8080},
			{Name: "agents/egress/8443", Owner: gateway(), Kind: graph.ListenerRoutes, Address: local, Port: 8443, TLS: &graph.ListenerTLS{
				Certificates: []graph.Certificate{{Name: "Secret/agents/tls", Chain: []byte("chain"), Key: []byte("key")}},
				ClientCA:     []byte("roots"), ClientCAName: "ConfigMap/agents/roots",
			}},
		},
		Tables: []*graph.RouteTable{
			{Name: "agents/egress/3128", Owner: gateway(), Proxy: &graph.ProxyTable{
				Target: wire.Target{Entry: wire.EntryProxy, Gateway: "agents/egress", Listener: "proxy"},
				Hosts:  []string{"host/agents/egress/web.example/8443"},
				Surfaces: []graph.ProxySurface{{Hostname: "llm.example", Port: 443, Backend: "XBackend/agents/llm", Target: wire.Target{
					Entry: wire.EntryProxy, Gateway: "agents/egress", Listener: "proxy", Surface: "Models", Backends: []string{"XBackend/agents/llm"}, BodyBytes: 16 << 20,
				}}},
			}},
			{Name: "agents/egress/8080", Owner: gateway(), Fragments: []*graph.Fragment{
				route("llm", "/v1", "Models", "XBackend/agents/llm"), route("tools", "/mcp", "Tools", "Service/agents/tools/80"),
			}},
			{Name: "agents/egress/8443", Owner: gateway()},
		},
		Backends: []*graph.Backend{
			{Name: "Service/agents/tools/80", Owner: owner("Service", "tools"), Kind: graph.BackendEndpoints, Protocol: graph.ProtocolHTTP1},
			{
				Name: "XBackend/agents/llm", Owner: owner("XBackend", "llm"), Kind: graph.BackendName, Hostname: "llm.example", Port: 443,
				Protocol: graph.ProtocolAuto, TLS: &graph.BackendTLS{ServerName: "llm.example"},
			},
			{
				Name: "host/agents/egress/web.example/8443", Owner: owner("GatewayConfig", "laptop"), Kind: graph.BackendAddresses,
				Addresses: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8443")},
			},
		},
		Endpoints: []*graph.Endpoints{{
			Name: "Service/agents/tools/80", Owner: owner("Service", "tools"), Ready: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9001")},
		}},
	}
}

// route is a route object with one rule.
func route(name, path, surface, backend string) *graph.Fragment {
	return &graph.Fragment{Owner: owner("HTTPRoute", name), Created: time.Unix(100, 0).UTC(), Rules: []*graph.Rule{{
		Hostnames: []string{"*"}, Matches: []graph.Match{{PathKind: graph.MatchPrefix, Path: path}},
		Forward: &graph.Forward{Backends: []graph.WeightedBackend{{Backend: backend, Weight: 1}}},
		Target: wire.Target{
			Entry: wire.EntryRoute, Gateway: "agents/egress", Listener: "agents", Route: "agents/" + name, Rule: "#0",
			Surface: surface, Backends: []string{backend}, BodyBytes: 1 << 20,
		},
	}}}
}

// outcomes keeps none.
type outcomes struct{}

func (*outcomes) Observe([]serve.Outcome) {}

// subscriptions are the labels of what Envoy will ask for once it has r.
func subscriptions(t *testing.T, r *serve.Resource) []string {
	t.Helper()
	m, err := r.Build(r.Parts)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	each(t, m, func(m proto.Message) {
		switch m := m.(type) {
		case *clusterv3.Cluster:
			if m.GetType() == clusterv3.Cluster_EDS {
				out = append(out, "ClusterLoadAssignment "+m.GetName())
			}
		case *hcmv3.Rds:
			out = append(out, "RouteConfiguration "+m.GetRouteConfigName())
		case *hcmv3.HttpFilter:
			if m.GetConfigDiscovery() != nil {
				out = append(out, "TypedExtensionConfig "+m.GetName())
			}
		case *tlsv3.SdsSecretConfig:
			out = append(out, "Secret "+m.GetName())
		}
	})
	return out
}

// each visits m and every message in it, what is packed too.
func each(t *testing.T, m proto.Message, visit func(proto.Message)) {
	t.Helper()
	if a, ok := m.(*anypb.Any); ok {
		in, err := a.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		m = in
	}
	visit(m)
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				each(t, v.List().Get(i).Message().Interface(), visit)
			}
		default:
			each(t, v.Message().Interface(), visit)
		}
		return true
	})
}
