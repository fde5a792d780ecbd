package decide

import (
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// registries are those of a feed, by backend: its own index, and hosts of its
// files.
type registries struct {
	own, index map[string]*feedv1.Registry
}

func registriesOf(feed *feedv1.Snapshot) registries {
	r := registries{map[string]*feedv1.Registry{}, map[string]*feedv1.Registry{}}
	for i := range feed.Registries {
		x := &feed.Registries[i]
		r.own[x.Ref] = x
		for _, f := range x.Files {
			if _, twice := r.index[f]; twice {
				r.index[f] = nil // whose files they are is not known
				continue
			}
			r.index[f] = x
		}
	}
	return r
}

// Root is where requests to backends find the registry in a path; false: it
// is not at one place in all of them.
func (s *State) Root(backends []string) (root string, ok bool) {
	for i, b := range backends {
		path := ""
		if r := s.registries.own[b]; r != nil {
			path = r.Path
		}
		if i > 0 && path != root {
			return "", false
		}
		root = path
	}
	return root, len(backends) > 0
}

// Index is the registry that says of what a backend hands out when it was
// published; nil: there is none, or more than one.
func (s *State) Index(backends []string) *feedv1.Registry {
	if len(backends) != 1 {
		return nil
	}
	if x, is := s.registries.index[backends[0]]; is {
		return x
	}
	return s.registries.own[backends[0]]
}

// ReachTunnel is Reach for a CONNECT. A surface that can be read in a tunnel is
// reachable by one, if its TLS is inspected: MustInspect says so.
func ReachTunnel(p *egress.Plan, t *Target, d egress.Destination) (way egress.Way, code string, err error) {
	if way, code, err = Reach(p, t, d); code != denial.SurfaceRequired {
		return way, code, err
	}
	if way, err = p.Route(d); err != nil {
		return egress.Way{}, "", err
	}
	if way.Closed() || !way.Backend.Inspectable {
		return egress.Way{}, code, nil
	}
	return way.Direct(), "", nil
}

// MustInspect reports whether a tunnel that goes this way is allowed only as
// one that is inspected.
func MustInspect(way egress.Way, kind v1alpha1.SurfaceType) bool {
	return kind == v1alpha1.SurfaceHosts && way.Backend != nil
}
