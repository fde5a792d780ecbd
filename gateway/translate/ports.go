package translate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hopgate/hopgate/gateway/source"
)

// socketsFact is all addresses and ports that Gateways of ours listen on.
type socketsFact struct{ List []netip.AddrPort }

// has says whether a connection to a would reach one of our own listeners. Of
// one that listens on every address only loopback is known to be ours.
func (s *socketsFact) has(a netip.AddrPort) bool {
	if s == nil {
		return false
	}
	return slices.ContainsFunc(s.List, func(own netip.AddrPort) bool {
		if own.Addr().IsUnspecified() && !a.Addr().IsLoopback() {
			return false
		}
		return overlaps(own, a)
	})
}

// overlaps says whether two sockets share an address.
func overlaps(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && (covers(a.Addr(), b.Addr()) || covers(b.Addr(), a.Addr()))
}

// covers: the unspecified address is all of its family, IPv6's of both.
func covers(a, b netip.Addr) bool {
	return a == b || a.IsUnspecified() && (a.Is6() || b.Is4())
}

// lostFact is the ports of a Gateway that an older one has.
type lostFact struct{ Ports []lostPort }

type lostPort struct {
	Port uint16
	To   source.Ref
}

// to is who has the port; ok false: nobody but the Gateway itself.
func (f *lostFact) to(port uint16) (source.Ref, bool) {
	if f != nil {
		for _, l := range f.Ports {
			if l.Port == port {
				return l.To, true
			}
		}
	}
	return source.Ref{}, false
}

type claimant struct {
	ref     source.Ref
	created time.Time
	base    *baseFact
}

// assignPorts gives each port to the oldest Gateway that wants it, then to the
// first by name. A later one loses that port and nothing else.
func assignPorts(r *reader, _ source.Ref) {
	type socket struct {
		at    netip.AddrPort
		owner source.Ref
	}
	var taken []socket
	for _, at := range r.t.cfg.Reserved {
		taken = append(taken, socket{at, source.Ref{Kind: "hopgate"}})
	}
	for _, c := range r.claimants() {
		lost := &lostFact{}
		for _, port := range c.ports() {
			at := netip.AddrPortFrom(c.base.Address, port)
			i := slices.IndexFunc(taken, func(s socket) bool { return overlaps(s.at, at) })
			if i >= 0 {
				lost.Ports = append(lost.Ports, lostPort{port, taken[i].owner})
				continue
			}
			taken = append(taken, socket{at, c.ref})
		}
		if len(lost.Ports) > 0 {
			say(r, factLost, c.ref, lost)
		}
	}
	all := &socketsFact{}
	for _, s := range taken {
		all.List = append(all.List, s.at)
	}
	slices.SortFunc(all.List, netip.AddrPort.Compare)
	say(r, factSockets, source.Ref{}, all)
}

// claimants are the accepted Gateways in the order of their rights.
func (r *reader) claimants() []claimant {
	var out []claimant
	for _, o := range r.members(allOf(kindGateway, "")) {
		if b := factOf[baseFact](r, factBase, o.Ref); b != nil && b.Accepted {
			out = append(out, claimant{o.Ref, b.Created, b})
		}
	}
	slices.SortFunc(out, func(a, b claimant) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.ref.Namespace, b.ref.Namespace), cmp.Compare(a.ref.Name, b.ref.Name))
	})
	return out
}

// ports are those of listeners that work, each once.
func (c claimant) ports() []uint16 {
	var out []uint16
	for _, l := range c.base.Listeners {
		if l.ok() && !slices.Contains(out, l.Port) {
			out = append(out, l.Port)
		}
	}
	return out
}

func (r *reader) sockets() *socketsFact { return factOf[socketsFact](r, factSockets, source.Ref{}) }

func portLost(port uint16, to source.Ref) string {
	return fmt.Sprintf("port %d is taken by %s: choose another port, or another address (spec.addresses)", port, to)
}
