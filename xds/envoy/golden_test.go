package envoy

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func testSettings() Settings {
	return Settings{
		Socket: "/run/hopgate/guard.sock", DNSPort: 5300, TrustedCA: "/etc/ssl/roots.pem", CanaryDir: "/run/hopgate", Inspect: true,
		Replies: []Reply{{
			Flags: []string{"UH", "UF"}, Status: 503, Body: `{"request_id":"` + RequestID + `"}`, ContentType: "application/problem+json",
			Headers: [][2]string{{"retry-after", "1"}},
		}},
	}
}

func gatewayOwner() graph.Owner {
	return graph.Owner{Kind: "Gateway", Namespace: "agents", Name: "egress"}
}

func routeOwner(name string) graph.Owner {
	return graph.Owner{Kind: "HTTPRoute", Namespace: "agents", Name: name}
}

// testGraph has one of everything.
func testGraph() *graph.Graph {
	return &graph.Graph{
		Listeners: []*graph.Listener{
			{Name: "agents/egress/3128", Owner: gatewayOwner(), Kind: graph.ListenerProxy, Address: netip.MustParseAddr("127.0.0.1"), Port: 3128},
			{
				Name: "agents/egress/3443", Owner: gatewayOwner(), Kind: graph.ListenerCaptureTLS, Address: netip.MustParseAddr("127.0.0.1"), Port: 3443,
				Capture: &graph.ListenerCapture{Target: wire.Target{Entry: wire.EntryCaptureTLS, Gateway: "agents/egress", Listener: "tls"}, Port: 443},
			},
			{Name: "agents/egress/3480", Owner: gatewayOwner(), Kind: graph.ListenerCaptureHTTP, Address: netip.MustParseAddr("127.0.0.1"), Port: 3480},
			{Name: "agents/egress/8080", Owner: gatewayOwner(), Kind: graph.ListenerRoutes, Address: netip.MustParseAddr("127.0.0.1"), Port: 8080},
			{Name: "agents/egress/8443", Owner: gatewayOwner(), Kind: graph.ListenerRoutes, Address: netip.MustParseAddr("127.0.0.1"), Port: 8443, TLS: &graph.ListenerTLS{
				Certificates: []graph.Certificate{{Name: "Secret/agents/tls", Chain: []byte("chain"), Key: []byte("key")}},
				ClientCA:     []byte("roots"), ClientCAName: "ConfigMap/agents/roots",
			}},
		},
		Tables: []*graph.RouteTable{
			{Name: "agents/egress/3128", Owner: gatewayOwner(), Proxy: &graph.ProxyTable{
				Target: wire.Target{Entry: wire.EntryProxy, Gateway: "agents/egress", Listener: "proxy"},
				Hosts:  []string{"host/agents/egress/web.example/8443"},
				Surfaces: []graph.ProxySurface{{Hostname: "llm.example", Port: 443, Backend: "XBackend/agents/llm", Target: wire.Target{
					Entry: wire.EntryProxy, Gateway: "agents/egress", Listener: "proxy", Surface: "Models", Provider: "openai",
					Backends: []string{"XBackend/agents/llm"}, BodyBytes: 16 << 20,
				}}},
			}},
			{Name: "agents/egress/3443", Owner: gatewayOwner(), Proxy: &graph.ProxyTable{
				Target: wire.Target{Entry: wire.EntryCaptureTLS, Gateway: "agents/egress", Listener: "tls"}, Port: 443,
				Hosts: []string{"host/agents/egress/web.example/8443"},
			}},
			{Name: "agents/egress/3480", Owner: gatewayOwner(), Proxy: &graph.ProxyTable{
				Target: wire.Target{Entry: wire.EntryCaptureHTTP, Gateway: "agents/egress", Listener: "http"}, Port: 80,
				Hosts: []string{"host/agents/egress/web.example/8443"},
				Surfaces: []graph.ProxySurface{{Hostname: "llm.example", Port: 443, Backend: "XBackend/agents/llm", Target: wire.Target{
					Entry: wire.EntryCaptureHTTP, Gateway: "agents/egress", Listener: "http", Surface: "Models", Provider: "openai",
					Backends: []string{"XBackend/agents/llm"}, BodyBytes: 16 << 20,
				}}},
			}},
			{Name: "agents/egress/8080", Owner: gatewayOwner(), Fragments: testFragments()},
			{Name: "agents/egress/8443", Owner: gatewayOwner()},
		},
		Backends: []*graph.Backend{
			{Name: "Service/agents/tools/80", Kind: graph.BackendEndpoints, Protocol: graph.ProtocolHTTP1},
			{Name: "XBackend/agents/llm", Kind: graph.BackendName, Hostname: "llm.example", Port: 443, Protocol: graph.ProtocolAuto, TLS: &graph.BackendTLS{ServerName: "llm.example"}},
			{Name: "host/agents/egress/web.example/8443", Kind: graph.BackendAddresses, Addresses: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8443")}},
		},
		Endpoints: []*graph.Endpoints{{Name: "Service/agents/tools/80", Ready: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9001")}}},
	}
}

func testFragments() []*graph.Fragment {
	mcp := wire.Target{Entry: wire.EntryRoute, Gateway: "agents/egress", Listener: "agents", Route: "agents/tools", Rule: "#0", Surface: "Tools", Backends: []string{"Service/agents/tools"}, BodyBytes: 1 << 20}
	llm := wire.Target{Entry: wire.EntryRoute, Gateway: "agents/egress", Listener: "agents", Route: "agents/llm", Rule: "chat", Surface: "Models", Provider: "openai", Backends: []string{"XBackend/agents/llm"}, BodyBytes: 16 << 20}
	return []*graph.Fragment{
		{Owner: routeOwner("llm"), Created: time.Unix(200, 0), Rules: []*graph.Rule{{
			Hostnames: []string{"*.models.example"},
			Matches:   []graph.Match{{PathKind: graph.MatchPrefix, Path: "/v1"}},
			Forward: &graph.Forward{
				Backends: []graph.WeightedBackend{{Backend: "XBackend/agents/llm", Weight: 1, HostRewrite: "llm.example"}},
				Timeout:  90 * time.Second,
			},
			Target: llm,
		}}},
		{Owner: routeOwner("tools"), Created: time.Unix(100, 0), Rules: []*graph.Rule{{
			Hostnames: []string{"*"},
			Matches: []graph.Match{
				{PathKind: graph.MatchPrefix, Path: "/mcp", Headers: []graph.ValueMatch{{Name: "X-Team", Kind: graph.MatchExact, Value: "red"}}},
				{PathKind: graph.MatchRegex, Path: "/m/[a-z]+", Method: "POST", Query: []graph.ValueMatch{{Name: "v", Kind: graph.MatchRegex, Value: "[0-9]+"}}},
			},
			Forward: &graph.Forward{
				Backends: []graph.WeightedBackend{
					{Backend: "Service/agents/tools/80", Weight: 9, RequestHeaders: &graph.HeaderMod{Set: []graph.Header{{Name: "x-a", Value: "100%REQ(authorization)%"}}}},
					{Backend: "XBackend/agents/llm", Weight: 1, HostRewrite: "llm.example"},
				},
				FailedWeight:    2,
				RequestHeaders:  &graph.HeaderMod{Add: []graph.Header{{Name: "x-b", Value: "b"}}, Remove: []string{"x-c"}},
				ResponseHeaders: &graph.HeaderMod{Set: []graph.Header{{Name: "x-d", Value: "d"}}},
				Rewrite:         &graph.Rewrite{Host: "inner.example", SetPath: true, PathPrefix: true, Path: "/"},
			},
			Target: mcp,
		}, {
			Index: 1, Hostnames: []string{"*"}, Matches: []graph.Match{{PathKind: graph.MatchExact, Path: "/broken"}}, Status: 500,
			Target: mcp,
		}}},
	}
}

// TestGolden holds each resource to its golden: a change of what Envoy is
// told is seen in review, and a changed listener is a planned drain.
func TestGolden(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range mustResources(t, testGraph()) {
		file := goldenFile(r.TypeURL, r.Name)
		seen[file] = true
		t.Run(file, func(t *testing.T) { compareGolden(t, file, r.Message) })
	}
	compareGolden(t, "bootstrap.json", Bootstrap{NodeID: "test", AdminSocket: "/run/hopgate/admin.sock"}.Message(testSettings()))
	seen["bootstrap.json"] = true
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !seen[f.Name()] {
			t.Errorf("testdata/%s is the golden of nothing", f.Name())
		}
	}
}

func goldenFile(typ, name string) string {
	kind := strings.ToLower(typ[strings.LastIndex(typ, ".")+1:])
	return kind + "." + strings.NewReplacer("/", "_", "*", "all").Replace(name) + ".json"
}

func compareGolden(t *testing.T, file string, m proto.Message) {
	t.Helper()
	raw, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, stable(t, raw), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(stable(t, raw))); diff != "" {
		t.Errorf("%s differs (-want +got); run with -update if it is meant:\n%s", file, diff)
	}
}

// stable gives JSON with sorted keys and fixed white space, which protojson
// keeps from being relied on.
func stable(t *testing.T, raw []byte) []byte {
	t.Helper()
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
