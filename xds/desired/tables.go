package desired

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/serve"
)

// tables makes route tables. Each route object is a part of its table, so
// that Envoy's refusal of one is brought home to it.
type tables struct {
	settings  envoy.Settings
	fragments map[*graph.Fragment]*part
	made      map[string]*table
	hostsOf   []*serve.Resource
	hostNames []string
}

// part is a fragment with the backends that its routes depend on.
type part struct {
	version  string
	backends []*graph.Backend
	built    *envoy.Fragment
}

// table is a resource that was made, and of what.
type table struct {
	entry    *graph.RouteTable
	parts    []*part
	backends []*graph.Backend
	resource *serve.Resource
}

func newTables(s envoy.Settings) tables {
	return tables{settings: s, fragments: map[*graph.Fragment]*part{}, made: map[string]*table{}}
}

func (t *tables) resources(g *graph.Graph, find func(string) *graph.Backend) []*serve.Resource {
	kept := make(map[*graph.Fragment]*part, len(t.fragments))
	made := make(map[string]*table, len(t.made))
	var out []*serve.Resource
	for _, e := range g.Tables {
		next := t.proxyTable(e, find)
		if e.Proxy == nil {
			next = t.routeTable(e, find, kept)
		}
		made[e.Name] = next
		out = append(out, next.resource)
	}
	t.fragments, t.made = kept, made
	return out
}

func (t *tables) routeTable(e *graph.RouteTable, find func(string) *graph.Backend, kept map[*graph.Fragment]*part) *table {
	next := &table{entry: e}
	for _, f := range e.Fragments {
		p := t.part(f, find)
		kept[f] = p
		next.parts = append(next.parts, p)
	}
	if old := t.made[e.Name]; old != nil && old.entry.Owner == e.Owner && old.entry.Proxy == nil && slices.Equal(old.parts, next.parts) {
		next.resource = old.resource
		return next
	}
	next.resource = routeResource(e, next.parts)
	return next
}

// part builds a fragment once for as long as it and its backends stay.
func (t *tables) part(f *graph.Fragment, find func(string) *graph.Backend) *part {
	needs := needed(f, find)
	if old := t.fragments[f]; old != nil && slices.Equal(old.backends, needs) {
		return old
	}
	return &part{version: hash(f, needs), backends: needs, built: envoy.NewFragment(f, find)}
}

// needed are the backends whose kind shows in the routes of f.
func needed(f *graph.Fragment, find func(string) *graph.Backend) []*graph.Backend {
	var out []*graph.Backend
	for _, r := range f.Rules {
		if r.Forward == nil {
			continue
		}
		for _, w := range r.Forward.Backends {
			if b := find(w.Backend); b != nil && b.Kind == graph.BackendName {
				out = append(out, b)
			}
		}
	}
	return out
}

func routeResource(e *graph.RouteTable, ps []*part) *serve.Resource {
	r := &serve.Resource{
		TypeURL: routeType(), Name: e.Name, Divisible: true,
		Build: func(parts []serve.Part) (proto.Message, error) {
			var fs []*envoy.Fragment
			for _, p := range parts {
				if f, ok := p.Content.(*envoy.Fragment); ok {
					fs = append(fs, f)
				}
			}
			return envoy.RouteTable(e.Name, e.Owner, fs), nil
		},
	}
	// The Gateway's own part keeps the table there when it has no routes. It
	// may have a fragment of its own instead.
	if !slices.ContainsFunc(e.Fragments, func(f *graph.Fragment) bool { return f.Owner == e.Owner }) {
		r.Parts = append(r.Parts, serve.Part{Owner: e.Owner, Version: "1"})
	}
	for i, p := range ps {
		r.Parts = append(r.Parts, serve.Part{Owner: e.Fragments[i].Owner, Version: p.version, Content: p.built})
	}
	return r
}

func (t *tables) proxyTable(e *graph.RouteTable, find func(string) *graph.Backend) *table {
	if e.Proxy == nil {
		return nil
	}
	next := &table{entry: e}
	for _, s := range e.Proxy.Surfaces {
		next.backends = append(next.backends, find(s.Backend))
	}
	if old := t.made[e.Name]; old != nil && old.entry == e && slices.Equal(old.backends, next.backends) {
		next.resource = old.resource
		return next
	}
	next.resource = single(routeType(), e.Name, e.Owner, hash(e.Proxy, next.backends), func() (proto.Message, error) {
		return envoy.ProxyTable(e.Name, e.Proxy, find), nil
	})
	return next
}

// hosts are the tables that all tunnels to fixed hosts share.
func (t *tables) hosts(g *graph.Graph) []*serve.Resource {
	names := hostsOf(g)
	if t.hostsOf != nil && slices.Equal(t.hostNames, names) {
		return t.hostsOf
	}
	made := []envoy.Named{envoy.HostsTable(names, t.settings)}
	if t.settings.Inspect {
		made = append(made, envoy.InspectHostsTable(names, t.settings))
	}
	t.hostNames, t.hostsOf = names, nil
	for _, n := range made {
		t.hostsOf = append(t.hostsOf, single(n.TypeURL, n.Name, Own(), hash(names), func() (proto.Message, error) { return n.Message, nil }))
	}
	return t.hostsOf
}

// hostsOf are the clusters of fixed hosts of all Proxy listeners, sorted.
func hostsOf(g *graph.Graph) []string {
	var names []string
	for _, e := range g.Tables {
		if e.Proxy != nil {
			names = append(names, e.Proxy.Hosts...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
