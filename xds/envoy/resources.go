package envoy

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
)

// Named is one resource before it is served.
type Named struct {
	Name    string
	Message proto.Message
}

// Everything is all resources of a graph, in the order Envoy wants them:
// clusters, endpoints, filters, listeners, routes.
func Everything(g *graph.Graph, s Settings) []Named {
	var out []Named
	add := func(name string, m proto.Message) { out = append(out, Named{name, m}) }
	for _, c := range []cache{cacheGuard, cacheInside} {
		add(directName(c), directCluster(c, s))
	}
	for _, m := range tunnelModes() {
		add(innerName(m), innerCluster(m))
	}
	for _, b := range g.Backends {
		c, err := Cluster(b, s)
		if err != nil {
			panic(fmt.Sprint(err))
		}
		add(b.Name, c)
	}
	for _, e := range g.Endpoints {
		add(e.Name, LoadAssignment(e))
	}
	for _, sh := range []shape{shapeRoutes, shapeProxy} {
		for _, f := range chain(sh, cacheGuard, s) {
			add(f.Name, f.resource())
		}
	}
	for _, c := range []cache{cacheGuard, cacheInside} {
		for _, f := range chain(shapeInner, c, s) {
			add(f.Name, f.resource())
		}
	}
	for _, m := range tunnelModes() {
		add(innerName(m), innerListener(m, s))
	}
	for _, l := range g.Listeners {
		add(l.Name, Listener(l, s))
	}
	for _, m := range tunnelModes() {
		add(innerName(m), innerTable(m, g.Tables[1].Proxy.Hosts))
	}
	for _, t := range g.Tables {
		if t.Proxy != nil {
			add(t.Name, ProxyTable(t, g.Backends))
			continue
		}
		add(t.Name, RouteTable(t, t.Fragments, g.Backends))
	}
	return out
}
