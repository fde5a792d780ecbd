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
			Names: set.Names(gw.Key, gw.Egress.Backends), Resolver: next[key].exit.resolver,
		})
	}
	return out
}
