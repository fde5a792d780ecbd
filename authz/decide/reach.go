package decide

import (
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface/egress"
)

// Reach says how a destination is reached on a target that no route has chosen,
// before any rule is asked: what no policy can open, and what is reachable only
// as something else. The code is empty, or a name of the denial table; the
// error is an *egress.Refusal.
func Reach(p *egress.Plan, t *Target, d egress.Destination) (way egress.Way, code string, err error) {
	if way, err = p.Route(d); err != nil {
		return egress.Way{}, "", err
	}
	asSurface := len(t.Backends) > 0
	switch {
	case way.Backend != nil && (!asSurface || way.Backend.Ref != t.Backends[0]):
		return egress.Way{}, denial.SurfaceRequired, nil
	case way.Backend == nil && asSurface, way.Closed():
		return egress.Way{}, denial.NotReady, nil
	}
	return way, "", nil
}
