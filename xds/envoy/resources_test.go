package envoy

import (
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
)

func TestEveryMessageIsValid(t *testing.T) {
	t.Parallel()
	valid := func(name string) func(proto.Message) {
		return func(m proto.Message) {
			v, ok := m.(interface{ ValidateAll() error })
			if !ok {
				return
			}
			if err := v.ValidateAll(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, r := range mustResources(t, testGraph()) {
		each(t, r.Message, valid(r.Name))
		if err := Check(r.Message); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
	each(t, Bootstrap{NodeID: "test", AdminSocket: "/run/hopgate/admin.sock"}.Message(testSettings()), valid("bootstrap"))
}

func TestSameGraphSameBytes(t *testing.T) {
	t.Parallel()
	a, b := mustResources(t, testGraph()), mustResources(t, testGraph())
	for i := range a {
		if !slices.Equal(pack(a[i].Message).GetValue(), pack(b[i].Message).GetValue()) {
			t.Errorf("%s differs from itself", a[i].Name)
		}
	}
}

// TestNamesAreWhatMessagesSay: Envoy files a resource under the name that it
// says of itself.
func TestNamesAreWhatMessagesSay(t *testing.T) {
	t.Parallel()
	for _, r := range mustResources(t, testGraph()) {
		said := ""
		switch m := r.Message.(type) {
		case interface{ GetClusterName() string }:
			said = m.GetClusterName()
		case interface{ GetName() string }:
			said = m.GetName()
		}
		if said != r.Name {
			t.Errorf("%s names itself %q", r.Name, said)
		}
	}
}

// TestFiltersHaveOneName: ECDS ties a filter's name, its resource's name and
// the key of what a route says to it (trap 8).
func TestFiltersHaveOneName(t *testing.T) {
	t.Parallel()
	types := map[string]string{}
	for _, r := range mustResources(t, testGraph()) {
		if f, ok := r.Message.(*corev3.TypedExtensionConfig); ok {
			types[f.GetName()] = f.GetTypedConfig().GetTypeUrl()
		}
	}
	used := map[string]bool{}
	for listener, ms := range all[*hcmv3.HttpConnectionManager](t) {
		for _, m := range ms {
			names := map[string]bool{}
			for _, f := range m.GetHttpFilters()[:len(m.GetHttpFilters())-1] {
				names[f.GetName()], used[f.GetName()] = true, true
				if want := f.GetConfigDiscovery().GetTypeUrls(); len(want) != 1 || types[f.GetName()] != want[0] {
					t.Errorf("%s: the filter %s has type %q, its slot takes %q", listener, f.GetName(), types[f.GetName()], want)
				}
			}
			table := one[*routev3.RouteConfiguration](t, m.GetRds().GetRouteConfigName())
			for _, key := range routeFilterKeys(table) {
				if !names[key] {
					t.Errorf("%s: routes speak to %s, which its listener has not", listener, key)
				}
			}
		}
	}
	for name := range types {
		if !used[name] {
			t.Errorf("the filter %s is in no listener", name)
		}
	}
}

func routeFilterKeys(t *routev3.RouteConfiguration) []string {
	seen := map[string]bool{}
	for _, v := range t.GetVirtualHosts() {
		for k := range v.GetTypedPerFilterConfig() {
			seen[k] = true
		}
		for _, r := range v.GetRoutes() {
			for k := range r.GetTypedPerFilterConfig() {
				seen[k] = true
			}
			for _, c := range r.GetRoute().GetWeightedClusters().GetClusters() {
				for k := range c.GetTypedPerFilterConfig() {
					seen[k] = true
				}
			}
		}
	}
	out := make([]string, 0, len(seen))
	for k := range seen {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// TestSubscriptionsWaitForEver: a port whose routes have not come is closed,
// not open with 404s.
func TestSubscriptionsWaitForEver(t *testing.T) {
	t.Parallel()
	for name, sources := range all[*corev3.ConfigSource](t) {
		for _, s := range sources {
			if proto.Equal(s, mints()) {
				continue // a handshake waits for it, and has a bound of its own
			}
			if s.GetAds() == nil {
				t.Errorf("%s subscribes elsewhere: %v", name, s)
			}
			if d := s.GetInitialFetchTimeout(); d == nil || d.AsDuration() != 0 {
				t.Errorf("%s gives up after %v", name, d)
			}
		}
	}
}

// TestEveryNameIsServed: whatever is subscribed to, or sent to, is there.
func TestEveryNameIsServed(t *testing.T) {
	t.Parallel()
	have := map[string]bool{unresolved: true, "hopgate/nowhere": true}
	for _, c := range socketClusters("/s") {
		have[c.GetName()] = true
	}
	for _, r := range mustResources(t, testGraph()) {
		switch r.Message.(type) {
		case *clusterv3.Cluster:
			have[r.Name] = true
		case *listenerv3.Listener:
			have["listener "+r.Name] = true
		}
	}
	for name, acts := range all[*routev3.RouteAction](t) {
		for _, a := range acts {
			used := []string{a.GetCluster()}
			for _, c := range a.GetWeightedClusters().GetClusters() {
				used = append(used, c.GetName())
			}
			for _, c := range used {
				if c != "" && !have[c] {
					t.Errorf("%s sends to %s, which is not there", name, c)
				}
			}
		}
	}
	for name, as := range all[*corev3.EnvoyInternalAddress](t) {
		for _, a := range as {
			if !have["listener "+a.GetServerListenerName()] {
				t.Errorf("%s leads to the listener %s, which is not there", name, a.GetServerListenerName())
			}
		}
	}
	for name, gs := range all[*corev3.GrpcService_EnvoyGrpc](t) {
		for _, g := range gs {
			if !have[g.GetClusterName()] || !strings.HasPrefix(g.GetClusterName(), "hopgate/") {
				t.Errorf("%s calls %s", name, g.GetClusterName())
			}
		}
	}
}

// TestListenersDoNotChange: what users change of a Gateway reaches no listener
// that lives.
func TestListenersDoNotChange(t *testing.T) {
	t.Parallel()
	l := &graph.Listener{Name: "agents/egress/8080", Kind: graph.ListenerRoutes, Address: testGraph().Listeners[0].Address, Port: 8080}
	other := *l
	other.Owner = routeOwner("another")
	if !proto.Equal(Listener(l, testSettings()), Listener(&other, testSettings())) {
		t.Error("a listener depends on its owner")
	}
	tls := &graph.ListenerTLS{Certificates: []graph.Certificate{{Name: "Secret/a/b", Chain: []byte("1"), Key: []byte("1")}}}
	renewed := &graph.ListenerTLS{Certificates: []graph.Certificate{{Name: "Secret/a/b", Chain: []byte("2"), Key: []byte("2")}}}
	l.TLS, other.TLS = tls, renewed
	if !proto.Equal(Listener(l, testSettings()), Listener(&other, testSettings())) {
		t.Error("a renewed certificate changes its listener")
	}
}
