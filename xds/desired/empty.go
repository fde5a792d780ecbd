package desired

import (
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/xds/serve"
)

// empty is an empty resource for each name that Envoy will ask for and g has
// nothing by: it waits for an answer without end, and everything with it.
func (b *Builder) empty(g *graph.Graph) []*serve.Resource {
	endpoints, tables := map[string]bool{}, map[string]bool{}
	for _, e := range g.Endpoints {
		endpoints[e.Name] = true
	}
	for _, t := range g.Tables {
		tables[t.Name] = true
	}
	var out []*serve.Resource
	for _, be := range g.Backends {
		if be.Kind == graph.BackendEndpoints && !endpoints[be.Name] {
			out = append(out, b.keep(nothing{be}, func() *serve.Resource {
				return hollow(&endpointv3.ClusterLoadAssignment{ClusterName: be.Name}, be.Name, be.Owner)
			}))
		}
	}
	for _, l := range g.Listeners {
		if !tables[l.Name] {
			out = append(out, b.keep(nothing{l}, func() *serve.Resource {
				return hollow(&routev3.RouteConfiguration{Name: l.Name}, l.Name, l.Owner)
			}))
		}
	}
	return out
}

// nothing is the key of what an entry lacks.
type nothing struct{ of any }

func hollow(m proto.Message, name string, owner graph.Owner) *serve.Resource {
	return single(typeOf(m), name, owner, "empty", func() (proto.Message, error) { return m, nil })
}
