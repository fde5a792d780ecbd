package envoy

import (
	"maps"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// maxDirectBytes bounds what Envoy lets a direct response hold.
const maxDirectBytes = 4096

// Fragment is what one route object adds to a table, built once and used in
// every table that has it. Routes are shared and never changed.
type Fragment struct{ entries []entry }

// NewFragment builds the routes of f. find gives the backends that it names.
func NewFragment(f *graph.Fragment, find func(name string) *graph.Backend) *Fragment {
	out := &Fragment{}
	for _, r := range f.Rules {
		for i := range r.Matches {
			built := backends(find).route(f, r, i)
			for _, h := range r.Hostnames {
				out.entries = append(out.entries, entry{host: h, fragment: f, rule: r, match: i, route: built})
			}
		}
	}
	return out
}

// RouteTable is the route table of a listener with HTTPRoutes, from any set
// of fragments: the server leaves out those that Envoy refuses.
func RouteTable(name string, gateway graph.Owner, fragments []*Fragment) *routev3.RouteConfiguration {
	byHost := map[string][]entry{"*": nil}
	for _, f := range fragments {
		for _, e := range f.entries {
			byHost[e.host] = append(byHost[e.host], e)
		}
	}
	out := tableOf(name)
	unmatched := wire.Target{Entry: wire.EntryRoute, Gateway: gateway.Namespace + "/" + gateway.Name}
	for _, host := range slices.Sorted(maps.Keys(byHost)) {
		out.VirtualHosts = append(out.VirtualHosts, vhost(host, []string{host}, shapeRoutes, unmatched, ordered(byHost[host])))
	}
	return out
}

func ordered(entries []entry) []*routev3.Route {
	slices.SortFunc(entries, compareEntries)
	out := make([]*routev3.Route, 0, len(entries)+2)
	for _, e := range entries {
		out = append(out, e.route)
	}
	return out
}

func tableOf(name string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name: name, MaxDirectResponseBodySizeBytes: u32(maxDirectBytes),
		IgnorePortInHostMatching: true,
	}
}

// bodyBuffer lets a route hold what its surface may send, and a little more:
// the listener's own limit would stop a longer body before Check.
func bodyBuffer(t wire.Target) *wrapperspb.UInt64Value {
	return wrapU64(uint64(t.BodyBytes) + 64<<10)
}
