package policy

import (
	"slices"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Levels are what guards one target, found once. They never change and may be
// kept for as long as their Set is the one to decide by.
type Levels struct {
	target wire.Target
	list   []level
	// decisions are those of the Set.
	decisions *sync.Pool
}

// level is the Gateway and its listener, the route and its rule, or one
// backend.
type level struct {
	// name is KIND/NAMESPACE/NAME, with /SECTION where there is one.
	name string
	x    *index
	// Where to look, by kind of rule; for those that name backends, by those
	// that the target has.
	tools, models, packages, http, hosts reach
	// namers are the branches for base methods, one pair for each backend.
	namers [][]*branch
}

// reach is the branches for rules of one kind: a Deny or Ask is found by any
// backend, an Allow must cover all and is found by the first.
type reach struct{ restrict, allow []*branch }

// Levels resolves a target. The caller keeps the result by target; on an inner
// hop it first fills in the Gateway and listener of the tunnel, on a Proxy
// listener the backend that has the destination's name and port, if one has. A
// reference that cannot be read, or no Gateway at all, is a level that denies.
func (s *Set) Levels(t wire.Target) *Levels {
	l := &Levels{target: t.Clone(), decisions: &s.decisions}
	l.add(s, "Gateway", t.Gateway, t.Listener)
	if t.Route != "" {
		l.add(s, "HTTPRoute", t.Route, t.Rule)
	}
	for _, b := range t.Backends {
		kind, key, _ := strings.Cut(b, "/")
		l.add(s, kind, key, "")
	}
	return l
}

func (l *Levels) add(s *Set, kind, ref, section string) {
	name := kind + "/" + ref
	ns, object, ok := strings.Cut(ref, "/")
	if !ok || kind == "" || ns == "" || object == "" || strings.Contains(object, "/") {
		l.list = append(l.list, level{name: name, x: &index{
			enforcing: true, rejected: &rejection{why: "the target cannot be read"},
		}})
		return
	}
	key := feedv1.Key{Namespace: ns, Name: object}
	x := s.indexes[place{kind, key, section}]
	if section != "" {
		name += "/" + section
		if x == nil {
			x = s.indexes[place{kind, key, ""}]
		}
	}
	if x == nil {
		return
	}
	v := level{name: name, x: x}
	v.tools = newReach(x.restrict.tools, x.allow.tools, l.target.Backends)
	v.models = newReach(x.restrict.models, x.allow.models, l.target.Backends)
	v.packages = newReach(x.restrict.packages, x.allow.packages, l.target.Backends)
	v.http = reach{some(x.restrict.http), some(x.allow.http)}
	v.hosts = reach{some(x.restrict.hosts), some(x.allow.hosts)}
	for _, b := range l.target.Backends {
		v.namers = append(v.namers, some(x.namers.by[b], x.namers.any))
	}
	l.list = append(l.list, v)
}

func newReach(restrict, allow backendTrees, backends []string) reach {
	var r reach
	if len(backends) == 0 {
		return r
	}
	for _, b := range backends {
		r.restrict = append(r.restrict, some(restrict.by[b])...)
	}
	r.restrict = append(r.restrict, some(restrict.any)...)
	r.allow = some(allow.by[backends[0]], allow.any)
	return r
}

// some leaves out what is nil.
func some(list ...*branch) []*branch {
	return slices.DeleteFunc(slices.Clone(list), func(b *branch) bool { return b == nil })
}

// reach is where to look for rules of a kind; nil: there are none.
func (v *level) reach(kind v1alpha1.SurfaceType) *reach {
	switch kind {
	case v1alpha1.SurfaceTools:
		return &v.tools
	case v1alpha1.SurfaceModels:
		return &v.models
	case v1alpha1.SurfacePackages:
		return &v.packages
	case v1alpha1.SurfaceHTTP:
		return &v.http
	case v1alpha1.SurfaceHosts:
		return &v.hosts
	}
	return nil
}

// collect appends the postings that may match: of Allow rules, or of the
// others.
func (v *level) collect(q *Question, allow bool, out []posting) []posting {
	r := v.reach(q.Action.Kind)
	if r == nil {
		return out
	}
	branches := r.restrict
	if allow {
		branches = r.allow
	}
	for _, b := range branches {
		out = b.collect(q, out)
	}
	return out
}
