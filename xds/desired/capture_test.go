package desired

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// captured is a graph whose one listener takes captured TLS.
func captured() *graph.Graph {
	own := wire.Target{Entry: wire.EntryCaptureTLS, Gateway: "agents/egress", Listener: "tls"}
	return &graph.Graph{
		Listeners: []*graph.Listener{{
			Name: "agents/egress/3443", Owner: gateway(), Kind: graph.ListenerCaptureTLS, Address: netip.MustParseAddr("127.0.0.1"), Port: 3443,
			Capture: &graph.ListenerCapture{Target: own, Port: 443},
		}},
		Tables: []*graph.RouteTable{{Name: "agents/egress/3443", Owner: gateway(), Proxy: &graph.ProxyTable{Target: own, Port: 443}}},
	}
}

// TestCapture: captured TLS brings the way to its tunnels along, as its
// Gateway's own, and all that tunnels go through.
func TestCapture(t *testing.T) {
	t.Parallel()
	b, g := New(settings()), captured()
	first := b.Resources(g)
	got := list(first)
	for _, want := range []string{
		"Listener agents/egress/3443@127.0.0.1 Gateway/agents/egress",
		"Listener hopgate/capture/agents/egress/3443 Gateway/agents/egress",
		"Cluster hopgate/capture/agents/egress/3443 Gateway/agents/egress",
		"RouteConfiguration agents/egress/3443 Gateway/agents/egress",
		"TypedExtensionConfig authz.capture-tls Hopgate//own",
		"Listener hopgate/tunnel/guard Hopgate//own",
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	again := b.Resources(g)
	if diff := cmp.Diff(got, list(again)); diff != "" {
		t.Errorf("resources differ (-want +got):\n%s", diff)
	}
	for i, r := range again {
		if r != first[i] {
			t.Errorf("%s is made anew", r.Name)
		}
	}
}

// TestCapturedPort: the listener is another one when what it captures was for
// another port.
func TestCapturedPort(t *testing.T) {
	t.Parallel()
	version := func(port uint16) string {
		g := captured()
		g.Listeners[0].Capture.Port = port
		for _, r := range New(settings()).Resources(g) {
			if r.Name == "agents/egress/3443@127.0.0.1" {
				return r.Parts[0].Version
			}
		}
		t.Fatal("there is no listener")
		return ""
	}
	if version(443) == version(8443) {
		t.Error("another port makes no other listener")
	}
}
