package translate

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Defaults of a DNSConfig, and the widest ranges of clients: whoever answers
// more is an open resolver.
const (
	defaultQueriesPerSecond = 50
	defaultNamesPerHour     = 200
	widestClients4          = 8
	widestClients6          = 16
)

// readDNS reads how workloads may ask for names. Anything wrong closes it.
func (e *egressFact) readDNS(d *v1alpha1.DNSConfig, own *socketsFact) {
	if d == nil {
		return
	}
	const field = "spec.egress.dns"
	out := &feedv1.DNS{QueriesPerSecond: defaultQueriesPerSecond, NamesPerHour: defaultNamesPerHour}
	before := len(e.Problems)
	at, err := netip.ParseAddrPort(d.Listen)
	switch {
	case err != nil || at.Port() == 0 || at.Addr().Zone() != "" || at.Addr().Is4In6() || at.Addr().IsMulticast():
		e.fail(field+".listen", "%s is no ADDRESS:PORT to listen on, as 10.0.0.1:53", quote(d.Listen))
	case own.has(at):
		e.fail(field+".listen", "%s is one of our own listeners: choose another port", at)
	}
	out.Listen = at
	for i, s := range d.Clients {
		e.readClient(fmt.Sprintf("%s.clients[%d]", field, i), s, out)
	}
	if len(d.Clients) == 0 {
		e.fail(field+".clients", "are missing: name the addresses of workloads that may ask")
	}
	if d.QueriesPerSecond != 0 {
		out.QueriesPerSecond = e.count(field+".queriesPerSecond", d.QueriesPerSecond, 10_000)
	}
	if d.NamesPerHour != 0 {
		out.NamesPerHour = e.count(field+".namesPerHour", d.NamesPerHour, 100_000)
	}
	if len(e.Problems) > before {
		return
	}
	slices.SortFunc(out.Clients, netip.Prefix.Compare)
	out.Clients = slices.Compact(out.Clients)
	e.DNS = out
}

// readClient reads an address, or a range of them.
func (e *egressFact) readClient(field, s string, d *feedv1.DNS) {
	p, err := netip.ParsePrefix(s)
	if a, single := netip.ParseAddr(s); single == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	widest := widestClients6
	if p.Addr().Is4() {
		widest = widestClients4
	}
	switch {
	case err != nil || p.Addr().Is4In6() || p.Addr().Zone() != "":
		e.fail(field, "%s is no address and no range, as 10.1.2.3 or 10.1.2.0/24", quote(s))
	case p != p.Masked():
		e.fail(field, "%s has bits beyond its length: is %s meant?", quote(s), p.Masked())
	case p.Bits() < widest:
		e.fail(field, "%s is wider than /%d: a resolver for so many is an open one: name the ranges of your workloads", p, widest)
	default:
		d.Clients = append(d.Clients, p)
	}
}

func (e *egressFact) count(field string, n int32, most int) int {
	if n < 1 || int(n) > most {
		e.fail(field, "%d is not between 1 and %d", n, most)
	}
	return int(n)
}
