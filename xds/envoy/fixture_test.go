package envoy

import (
	"slices"
	"testing"

	"github.com/hopgate/hopgate/gateway/graph"
)

// mustResources is every resource of g.
func mustResources(t testing.TB, g *graph.Graph) []Named {
	t.Helper()
	s := testSettings()
	find := func(name string) *graph.Backend {
		for _, b := range g.Backends {
			if b.Name == name {
				return b
			}
		}
		return nil
	}
	out := unique(slices.Concat(RouteFilters(s), Proxying(s), Inspecting(s), Canaries(s)))
	for _, b := range g.Backends {
		c, err := Cluster(b, s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, named(b.Name, c))
	}
	for _, e := range g.Endpoints {
		out = append(out, named(e.Name, LoadAssignment(e)))
	}
	for _, l := range g.Listeners {
		out = append(out, named(ListenerName(l), Listener(l, s)))
		if l.Capture != nil {
			out = append(out, CaptureTunnels(l.Name, s)...)
		}
		if l.TLS != nil {
			out = append(out, named(l.TLS.Certificates[0].Name, CertificateSecret(l.TLS.Certificates[0])), named(l.TLS.ClientCAName, ClientCASecret(l.TLS)))
		}
	}
	var hosts []string
	for _, e := range g.Tables {
		if e.Proxy != nil {
			hosts = append(hosts, e.Proxy.Hosts...)
			out = append(out, named(e.Name, ProxyTable(e.Name, e.Proxy, find)))
			continue
		}
		var fs []*Fragment
		for _, f := range e.Fragments {
			fs = append(fs, NewFragment(f, find))
		}
		out = append(out, named(e.Name, RouteTable(e.Name, e.Owner, fs)))
	}
	hosts = slices.Compact(hosts)
	for _, h := range hosts {
		out = append(out, InspectedHost(find(h), s)...)
	}
	return append(out, HostsTable(hosts, s), InspectHostsTable(hosts, s))
}
