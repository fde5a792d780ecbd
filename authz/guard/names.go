package guard

import (
	"net/netip"

	"github.com/hopgate/hopgate/authz/nameserver"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// own are the sockets that no hop may reach, besides listeners.
func (g *Guard) own(f *feedv1.Snapshot) []netip.AddrPort {
	out := append([]netip.AddrPort{g.dns.Address()}, g.cfg.Own...)
	for i := range f.Gateways {
		if d := f.Gateways[i].Egress.DNS; d != nil {
			out = append(out, d.Listen)
		}
	}
	return out
}

// nameViews are how workloads are answered that ask for names, by Gateways that
// say so.
func nameViews(f *feedv1.Snapshot, set *policy.Set, next ways) (out []*nameserver.View) {
	for i := range f.Gateways {
		gw := &f.Gateways[i]
		if gw.Egress.DNS == nil {
			continue
		}
		key := gw.Key.String()
		out = append(out, &nameserver.View{
			Gateway: key, Revision: f.Revision, DNS: gw.Egress.DNS,
			Names: set.Names(gw.Key, gw.Egress.Backends), Resolver: next[key].exit.resolver, Backends: backendsOf(gw),
		})
	}
	return out
}

// backendsOf are the backends of a Gateway by the names that lead to them.
func backendsOf(gw *feedv1.Gateway) map[string][]string {
	out := map[string][]string{}
	for i := range gw.Egress.Backends {
		b := &gw.Egress.Backends[i]
		if b.Rejected == "" {
			out[b.Hostname] = append(out[b.Hostname], b.Ref)
		}
	}
	return out
}
