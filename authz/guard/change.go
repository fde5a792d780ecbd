package guard

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// change is what is other than before, by what hops are decided by: those that
// none of it was used for would be decided as they were. What is not understood
// concerns all. The zero change is none.
type change struct {
	all bool
	// unrouted is every hop that no route has chosen: how destinations are
	// reached depends on the listeners of all Gateways, and on this machine.
	unrouted bool
	// gateways and routes are NAMESPACE/NAME, backends KIND/NAMESPACE/NAME.
	gateways, routes, backends map[string]bool
	domains                    map[feedv1.Key]bool
	// cutOff is what orders name that are new.
	cutOff map[leash.Key]bool
}

func newChange() *change {
	return &change{
		gateways: map[string]bool{}, routes: map[string]bool{}, backends: map[string]bool{},
		domains: map[feedv1.Key]bool{}, cutOff: map[leash.Key]bool{},
	}
}

// basis is all that a feed makes of what hops are decided by.
type basis struct {
	feed   *feedv1.Snapshot
	orders []contain.Order
	// local are the addresses of this machine.
	local []netip.Addr
}

// since is what is other in b than before.
func (b *basis) since(before *basis) *change {
	c := newChange()
	if before == nil || before.feed == nil || !reflect.DeepEqual(unknown(before.feed), unknown(b.feed)) {
		c.all = true
		return c
	}
	old, f := before.feed, b.feed
	c.unrouted = !slices.Equal(before.local, b.local) || !reflect.DeepEqual(allListeners(old), allListeners(f))
	differing(old.Gateways, f.Gateways, func(g *feedv1.Gateway) feedv1.Key { return g.Key }, func(g *feedv1.Gateway) { c.gateways[g.Key.String()] = true })
	differing(old.TrustDomains, f.TrustDomains, func(d *feedv1.TrustDomain) feedv1.Key { return d.Key }, func(d *feedv1.TrustDomain) { c.domains[d.Key] = true })
	differing(old.Policies, f.Policies, func(p *feedv1.Policy) feedv1.Key { return p.Key }, c.policy)
	was, is := credentials(old), credentials(f)
	for backend := range keysOf(was, is) {
		if !slices.Equal(was[backend], is[backend]) {
			c.backends[backend] = true
		}
	}
	differing(before.orders, b.orders, func(o *contain.Order) string { return o.ID }, c.order)
	return c
}

// unknown is what of a feed is not looked at part by part. Names are those that
// Envoy may resolve, and no hop is decided by them.
func unknown(f *feedv1.Snapshot) feedv1.Snapshot {
	u := *f
	u.Revision, u.Names = "", nil
	u.Gateways, u.TrustDomains, u.Policies, u.Credentials, u.Quarantines = nil, nil, nil, nil, nil
	return u
}

// differing tells of all that is in one of the lists alone, or is not the same
// in both: as it was, and as it is.
func differing[T any, K comparable](before, now []T, key func(*T) K, tell func(*T)) {
	was := make(map[K]*T, len(before))
	for i := range before {
		was[key(&before[i])] = &before[i]
	}
	for i := range now {
		k := key(&now[i])
		old := was[k]
		delete(was, k)
		if old != nil && reflect.DeepEqual(old, &now[i]) {
			continue
		}
		if old != nil {
			tell(old)
		}
		tell(&now[i])
	}
	for _, old := range was {
		tell(old)
	}
}

// policy notes what a policy guards that has changed. Sections are not told
// apart: one that comes stands in for the whole.
func (c *change) policy(p *feedv1.Policy) {
	for _, t := range p.Targets {
		switch t.Kind {
		case "Gateway":
			c.gateways[t.Key.String()] = true
		case "HTTPRoute":
			c.routes[t.Key.String()] = true
		case "XBackend", "Service":
			c.backends[t.Kind+"/"+t.Key.String()] = true
		default:
			c.all = true
		}
	}
}

// order notes whom a new order cuts off; one that is gone cuts nobody off, and
// does no harm here.
func (c *change) order(o *contain.Order) {
	key, ok := check.KeyOf(o.Key())
	if !ok {
		c.all = true
		return
	}
	c.cutOff[key] = true
}

// credentials are those of each backend, in their order.
func credentials(f *feedv1.Snapshot) map[string][]feedv1.Credential {
	out := map[string][]feedv1.Credential{}
	for _, c := range f.Credentials {
		out[c.Backend] = append(out[c.Backend], c)
	}
	return out
}

// keysOf are the keys of all of some maps.
func keysOf[K comparable, V any](ms ...map[K]V) map[K]bool {
	out := map[K]bool{}
	for _, m := range ms {
		for k := range m {
			out[k] = true
		}
	}
	return out
}

// add has c be what c and o are together.
func (c *change) add(o *change) {
	c.all, c.unrouted = c.all || o.all, c.unrouted || o.unrouted
	c.gateways, c.routes, c.backends = keysOf(c.gateways, o.gateways), keysOf(c.routes, o.routes), keysOf(c.backends, o.backends)
	c.domains, c.cutOff = keysOf(c.domains, o.domains), keysOf(c.cutOff, o.cutOff)
}

// concerns reports whether a hop could be decided otherwise for c.
func (c *change) concerns(h *leash.Hop) bool {
	held, ok := h.Subject.(*check.Held)
	if !ok || c.all {
		return true
	}
	by := held.By()
	t := &by.Target
	return c.gateways[t.Gateway] || c.routes[t.Route] || c.domains[by.Domain] || c.unrouted && t.Entry != wire.EntryRoute ||
		slices.ContainsFunc(t.Backends, func(b string) bool { return c.backends[b] })
}

// byDomain reports whether c concerns hops by their trust domain alone.
func (c *change) byDomain() bool {
	return !c.all && !c.unrouted && len(c.gateways)+len(c.routes)+len(c.backends) == 0
}
