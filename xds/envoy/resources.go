package envoy

import (
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Named is one resource and its name.
type Named struct {
	TypeURL, Name string
	Message       proto.Message
}

func named(name string, m proto.Message) Named {
	return Named{TypeURL: typeURL(m), Name: name, Message: m}
}

// RouteFilters are the filters of listeners with HTTPRoutes.
func RouteFilters(s Settings) []Named { return filters(chain(shapeRoutes, cacheGuard, s)) }

// Proxying is all that listeners share which lead to anywhere: their filters,
// the clusters that dial by a cache, and the internal listeners that tunnels enter, with
// the routes of those whose targets are not fixed.
func Proxying(s Settings) []Named {
	var out []Named
	for _, sh := range []shape{shapeProxy, shapeCaptureTLS, shapeCaptureHTTP} {
		out = append(out, filters(chain(sh, cacheGuard, s))...)
	}
	for _, c := range []cache{cacheGuard, cacheInside} {
		out = append(out, named(directName(c), directCluster(c, s)))
		out = append(out, filters(chain(shapeInner, c, s))...)
	}
	for _, m := range tunnelModes() {
		out = append(out, named(innerName(m), innerCluster(innerName(m))), named(innerName(m), innerListener(m, s)))
		if m != wire.ModeHosts {
			out = append(out, named(innerName(m), innerTable(m, nil, s)))
		}
	}
	return unique(out)
}

// HostsTable is the routes of plain HTTP inside tunnels to fixed hosts, which
// are clusters.
func HostsTable(clusters []string, s Settings) Named {
	return named(innerName(wire.ModeHosts), innerTable(wire.ModeHosts, clusters, s))
}

func filters(fs []Filter) []Named {
	var out []Named
	for _, f := range fs {
		out = append(out, named(f.Name, f.resource()))
	}
	return out
}

// unique keeps the first of each name: chains share filters.
func unique(in []Named) []Named {
	seen := map[[2]string]bool{}
	var out []Named
	for _, n := range in {
		if k := [2]string{n.TypeURL, n.Name}; !seen[k] {
			seen[k] = true
			out = append(out, n)
		}
	}
	return out
}
