package envoy

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// maxDirectBytes bounds what Envoy lets a direct response hold.
const maxDirectBytes = 4096

// RouteTable is the route table of a listener with HTTPRoutes, from any set
// of its fragments: the server leaves out those that Envoy refuses.
func RouteTable(t *graph.RouteTable, fragments []*graph.Fragment, bs []*graph.Backend) *routev3.RouteConfiguration {
	find := indexBackends(bs)
	byHost := hostEntries(fragments)
	out := tableOf(t.Name)
	unmatched := wire.Target{Entry: wire.EntryRoute, Gateway: t.Owner.Namespace + "/" + t.Owner.Name}
	for _, host := range sortedHosts(byHost) {
		entries := byHost[host]
		slices.SortFunc(entries, compareEntries)
		routes := make([]*routev3.Route, 0, len(entries)+1)
		for _, e := range entries {
			routes = append(routes, find.route(e.fragment, e.rule, e.match))
		}
		out.VirtualHosts = append(out.VirtualHosts, vhost(host, []string{host}, shapeRoutes, unmatched, routes))
	}
	if _, ok := byHost["*"]; !ok {
		out.VirtualHosts = append(out.VirtualHosts, vhost("*", []string{"*"}, shapeRoutes, unmatched, nil))
	}
	return out
}

func indexBackends(bs []*graph.Backend) backends {
	find := make(backends, len(bs))
	for _, b := range bs {
		find[b.Name] = b
	}
	return find
}

func tableOf(name string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name: name, MaxDirectResponseBodySizeBytes: u32(maxDirectBytes),
		IgnorePortInHostMatching: true,
	}
}

func hostEntries(fragments []*graph.Fragment) map[string][]entry {
	byHost := map[string][]entry{}
	for _, f := range fragments {
		for _, r := range f.Rules {
			for _, h := range r.Hostnames {
				for i := range r.Matches {
					byHost[h] = append(byHost[h], entry{fragment: f, rule: r, match: i})
				}
			}
		}
	}
	return byHost
}

func sortedHosts(m map[string][]entry) []string {
	out := make([]string, 0, len(m))
	for h := range m {
		out = append(out, h)
	}
	slices.Sort(out)
	return out
}

// bodyBuffer lets a route hold what its surface may send, and a little more:
// the listener's own limit would stop a longer body before Check.
func bodyBuffer(t wire.Target) *wrapperspb.UInt64Value {
	return wrapU64(uint64(t.BodyBytes) + 64<<10)
}
