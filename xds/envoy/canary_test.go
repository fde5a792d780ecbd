package envoy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// TestCanariesProveWhatServes: but for its name and its table, a connection
// manager of canaries is that of the listeners of its shape.
func TestCanariesProveWhatServes(t *testing.T) {
	t.Parallel()
	managers := all[*hcmv3.HttpConnectionManager](t)
	for canary, serves := range map[string]string{
		"hopgate/canary/routes":              "agents/egress/8080@127.0.0.1",
		"hopgate/canary/proxy":               "agents/egress/3128@127.0.0.1",
		"hopgate/canary/http":                "agents/egress/3480@127.0.0.1",
		"hopgate/capture/hopgate/canary/tls": "hopgate/capture/agents/egress/3443",
	} {
		want := proto.CloneOf(managers[serves][0])
		table := strings.TrimPrefix(canary, "hopgate/capture/")
		want.StatPrefix, want.GetRds().RouteConfigName = table, table
		if diff := cmp.Diff(want, managers[canary][0], protocmp.Transform()); diff != "" {
			t.Errorf("%s differs from what serves (-want +got):\n%s", canary, diff)
		}
	}
}

// TestCanariesProveWhatIsCaptured: but for its name, its place, where its
// tunnels go, and that it is told where they come from, the listener of captured TLS is the one that serves.
func TestCanariesProveWhatIsCaptured(t *testing.T) {
	t.Parallel()
	const canary, serves = "hopgate/canary/tls", "agents/egress/3443"
	text := func(name string) string {
		l := proto.CloneOf(one[*listenerv3.Listener](t, name))
		l.Name, l.Address = "", nil
		l.ListenerFilters = slices.DeleteFunc(l.ListenerFilters, func(f *listenerv3.ListenerFilter) bool {
			return name == canary && f.GetName() == "envoy.filters.listener.proxy_protocol"
		})
		s := protojson.Format(l)
		for from, to := range map[string]string{
			serves: canary, ":443": ":80", "e=capture-tls;g=agents/egress;l=tls": "e=canary;l=tls",
		} {
			s = strings.ReplaceAll(s, from, to)
		}
		return strings.Join(strings.Fields(s), " ")
	}
	if diff := cmp.Diff(text(serves+"@127.0.0.1"), text(canary)); diff != "" {
		t.Errorf("it differs from what serves (-want +got):\n%s", diff)
	}
}

// TestCanariesAreApart: their routes lead to their clusters alone or into a
// tunnel, and theirs is no cluster that a route leads to which Check did not
// name it for.
func TestCanariesAreApart(t *testing.T) {
	t.Parallel()
	for name, rs := range all[*routev3.Route](t) {
		ours := strings.HasPrefix(name, "hopgate/canary/")
		for _, r := range rs {
			a := r.GetRoute()
			if a == nil || a.GetCluster() == unresolved {
				continue
			}
			toOurs := strings.HasPrefix(a.GetCluster(), "hopgate/canary/")
			if ours && !toOurs && !strings.HasPrefix(a.GetCluster(), "hopgate/tunnel/") && !strings.HasPrefix(a.GetCluster(), "hopgate/inspect/") {
				t.Errorf("%s: %s leads to %q", name, r.GetName(), a)
			}
			if name != "hopgate/canary/routes" && toOurs && !namedByCheck(r, a.GetCluster()) {
				t.Errorf("%s: %s leads to a canary's end", name, r.GetName())
			}
		}
	}
}

// namedByCheck reports whether a route is taken only where Check named a cluster.
func namedByCheck(r *routev3.Route, cluster string) bool {
	for _, m := range r.GetMatch().GetDynamicMetadata() {
		if m.GetPath()[0].GetKey() == wire.MetaCluster && m.GetValue().GetStringMatch().GetExact() == cluster {
			return true
		}
	}
	return false
}

// TestCanariesAreReachedBySocketsAlone: of a folder, with a mode, and at paths
// that are short enough wherever the guard's own is.
func TestCanariesAreReachedBySocketsAlone(t *testing.T) {
	t.Parallel()
	for _, n := range wire.CanaryListeners() {
		p := one[*listenerv3.Listener](t, wire.CanaryName(n)).GetAddress().GetPipe()
		if p.GetPath() != wire.CanarySocket("/run/hopgate", n) || p.GetMode() != 0o600 {
			t.Errorf("%s listens on %v", n, p)
		}
	}
	for _, n := range wire.CanaryDestinations() {
		e := one[*clusterv3.Cluster](t, wire.CanaryName(n)).GetLoadAssignment().GetEndpoints()
		if len(e) != 1 || len(e[0].GetLbEndpoints()) != 1 || e[0].GetLbEndpoints()[0].GetEndpoint().GetAddress().GetPipe().GetPath() != wire.CanarySocket("/run/hopgate", n) {
			t.Errorf("%s leads to %v", n, e)
		}
	}
}

// TestWithoutCanaries: where there is no folder for them nothing knows of any.
func TestWithoutCanaries(t *testing.T) {
	t.Parallel()
	s := testSettings()
	s.CanaryDir = ""
	if got := Canaries(s); got != nil {
		t.Errorf("canaries without a folder: %v", got)
	}
	for _, r := range append(Proxying(s), HostsTable(nil, s)) {
		if strings.Contains(fmt.Sprint(r.Message), "canary") {
			t.Errorf("%s knows of canaries", r.Name)
		}
	}
}
