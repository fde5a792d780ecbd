// Package desired says which resources an Envoy is to have for a graph, and of
// whose parts they are made.
//
// A Builder keeps what it made: an entry of the graph that did not change, by
// pointer, gives the same resource again, by pointer. It is for one goroutine.
package desired

import (
	"fmt"
	"net/netip"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/serve"
)

// Own is the owner of what no object asked for by name: filters, and what
// tunnels go through.
func Own() graph.Owner { return graph.Owner{Kind: "Hopgate", Name: "own"} }

// Builder makes the resources of graphs.
type Builder struct {
	settings envoy.Settings
	routes   []*serve.Resource // what route listeners share
	proxying []*serve.Resource // what Proxy listeners share
	canaries []*serve.Resource // what an Envoy is proven by
	kept     map[any]*serve.Resource
	next     map[any]*serve.Resource
	tables   tables
}

// New makes a Builder for an Envoy with these settings.
func New(s envoy.Settings) *Builder {
	return &Builder{
		settings: s,
		routes:   constants(envoy.RouteFilters(s)),
		proxying: constants(append(envoy.Proxying(s), envoy.Inspecting(s)...)),
		canaries: constants(envoy.Canaries(s)),
		tables:   newTables(s),
	}
}

func constants(ns []envoy.Named) []*serve.Resource {
	var out []*serve.Resource
	for _, n := range ns {
		out = append(out, single(n.TypeURL, n.Name, Own(), "1", func() (proto.Message, error) { return n.Message, nil }))
	}
	return out
}

// single is a resource of one owner.
func single(typ, name string, owner graph.Owner, version string, build func() (proto.Message, error)) *serve.Resource {
	return &serve.Resource{
		TypeURL: typ, Name: name,
		Parts: []serve.Part{{Owner: owner, Version: version}},
		Build: func([]serve.Part) (proto.Message, error) { return build() },
	}
}

// Resources are all resources of g.
func (b *Builder) Resources(g *graph.Graph) []*serve.Resource {
	b.next = make(map[any]*serve.Resource, len(b.kept))
	find := index(g.Backends)
	var out []*serve.Resource
	for _, be := range g.Backends {
		out = append(out, b.keep(be, func() *serve.Resource { return b.cluster(be) }))
	}
	for _, e := range g.Endpoints {
		out = append(out, b.keep(e, func() *serve.Resource { return endpoints(e) }))
	}
	for _, l := range g.Listeners {
		out = append(out, b.keep(l, func() *serve.Resource { return b.listener(l) }))
		out = append(out, b.secrets(l)...)
		out = append(out, b.captureTunnels(l)...)
	}
	out = append(out, b.tables.resources(g, find)...)
	out = append(out, b.empty(g)...)
	out = append(out, b.shared(g, find)...)
	b.kept, b.next = b.next, nil
	return unique(out)
}

func index(bs []*graph.Backend) func(string) *graph.Backend {
	m := make(map[string]*graph.Backend, len(bs))
	for _, b := range bs {
		m[b.Name] = b
	}
	return func(name string) *graph.Backend { return m[name] }
}

// keep gives what was made for the same entry before, or makes it.
func (b *Builder) keep(entry any, make func() *serve.Resource) *serve.Resource {
	r := b.kept[entry]
	if r == nil {
		r = make()
	}
	b.next[entry] = r
	return r
}

func (b *Builder) cluster(be *graph.Backend) *serve.Resource {
	return single(typeOf(&clusterv3.Cluster{}), be.Name, be.Owner, hash(be), func() (proto.Message, error) {
		return envoy.Cluster(be, b.settings)
	})
}

func endpoints(e *graph.Endpoints) *serve.Resource {
	return single(typeOf(&endpointv3.ClusterLoadAssignment{}), e.Name, e.Owner, hash(e), func() (proto.Message, error) {
		return envoy.LoadAssignment(e), nil
	})
}

func (b *Builder) listener(l *graph.Listener) *serve.Resource {
	return single(typeOf(&listenerv3.Listener{}), envoy.ListenerName(l), l.Owner, hash(listenerVersion(l)), func() (proto.Message, error) {
		return envoy.Listener(l, b.settings), nil
	})
}

// listenerVersion leaves the keys out: a new certificate changes no listener.
func listenerVersion(l *graph.Listener) any {
	names := []string{l.Name, string(l.Kind), netip.AddrPortFrom(l.Address, l.Port).String()}
	if l.TLS != nil {
		names = append(names, "tls", l.TLS.ClientCAName)
		for _, c := range l.TLS.Certificates {
			names = append(names, c.Name)
		}
	}
	if l.Capture != nil {
		names = append(names, "capture", l.Capture.Target.String(), fmt.Sprint(l.Capture.Port))
	}
	return names
}

func (b *Builder) secrets(l *graph.Listener) []*serve.Resource {
	if l.TLS == nil {
		return nil
	}
	typ := typeOf(&tlsv3.Secret{})
	var out []*serve.Resource
	for _, c := range l.TLS.Certificates {
		out = append(out, b.keep(secretKey{l.TLS, c.Name}, func() *serve.Resource {
			return single(typ, c.Name, l.Owner, hash(c), func() (proto.Message, error) { return envoy.CertificateSecret(c), nil })
		}))
	}
	if len(l.TLS.ClientCA) > 0 {
		out = append(out, b.keep(secretKey{l.TLS, "roots"}, func() *serve.Resource {
			return single(typ, l.TLS.ClientCAName, l.Owner, hash(l.TLS.ClientCA), func() (proto.Message, error) { return envoy.ClientCASecret(l.TLS), nil })
		}))
	}
	return out
}

type secretKey struct {
	tls  *graph.ListenerTLS
	name string
}

// shared is what the kinds of listener that g has need besides. Canaries are of
// every kind: an Envoy is proven whatever it is to serve.
func (b *Builder) shared(g *graph.Graph, find func(string) *graph.Backend) []*serve.Resource {
	var out []*serve.Resource
	if b.needs(g, func(k graph.ListenerKind) bool { return k == graph.ListenerRoutes }) {
		out = append(out, b.routes...)
	}
	if b.needs(g, graph.ListenerKind.Egress) {
		out = append(out, b.proxying...)
		out = append(out, b.tables.hosts(g)...)
		out = append(out, b.inspected(g, find)...)
	}
	return append(out, b.canaries...)
}

// inspected are fixed hosts as inspected requests reach them.
func (b *Builder) inspected(g *graph.Graph, find func(string) *graph.Backend) []*serve.Resource {
	if !b.settings.Inspect {
		return nil
	}
	var out []*serve.Resource
	for _, name := range hostsOf(g) {
		be := find(name)
		if be == nil {
			continue
		}
		for i, n := range envoy.InspectedHost(be, b.settings) {
			out = append(out, b.keep(inspectedKey{be, i}, func() *serve.Resource {
				return single(n.TypeURL, n.Name, be.Owner, hash(be), func() (proto.Message, error) { return n.Message, nil })
			}))
		}
	}
	return out
}

type inspectedKey struct {
	host *graph.Backend
	n    int
}

func (b *Builder) needs(g *graph.Graph, is func(graph.ListenerKind) bool) bool {
	return len(b.canaries) > 0 || slices.ContainsFunc(g.Listeners, func(l *graph.Listener) bool { return is(l.Kind) })
}

// unique keeps the first of each key: kinds of listener share filters.
func unique(in []*serve.Resource) []*serve.Resource {
	seen := make(map[[2]string]bool, len(in))
	return slices.DeleteFunc(in, func(r *serve.Resource) bool {
		k := [2]string{r.TypeURL, r.Name}
		dup := seen[k]
		seen[k] = true
		return dup
	})
}

func typeOf(m proto.Message) string {
	return "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName())
}

func routeType() string { return typeOf(&routev3.RouteConfiguration{}) }
