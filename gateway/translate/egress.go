package translate

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// egressFact is what a GatewayConfig opens beyond public space.
type egressFact struct {
	Ref    source.Ref
	Hosts  []egressHost
	Ranges []netip.Prefix
	// ECH: TLS may pass that may hide its name.
	ECH bool
	// DNS is how workloads ask for names; nil: not at all.
	DNS *feedv1.DNS
	// Problems are entries that were left out, or left without what they open.
	Problems []string
}

// egressHost is a name that is answered by the gateway itself. One that has no
// addresses is answered all the same, with nothing: asked elsewhere, the name
// would lead to another place than was meant.
type egressHost struct {
	Name      string
	Addresses []netip.Addr
	Ports     []uint16
}

func (h egressHost) opens(port uint16) bool {
	return len(h.Addresses) > 0 && slices.Contains(h.Ports, port)
}

func (h egressHost) sockets(port uint16) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(h.Addresses))
	for _, a := range h.Addresses {
		out = append(out, netip.AddrPortFrom(a, port))
	}
	return out
}

func (e *egressFact) host(name string) (egressHost, bool) {
	i, ok := slices.BinarySearchFunc(e.Hosts, name, func(h egressHost, n string) int {
		switch {
		case h.Name < n:
			return -1
		case h.Name > n:
			return 1
		}
		return 0
	})
	if !ok {
		return egressHost{}, false
	}
	return e.Hosts[i], true
}

func checkEgress(r *reader, ref source.Ref) {
	v, ok := get[*v1alpha1.GatewayConfig](r, kindConfig, ref.Namespace, ref.Name)
	if !ok || v.Spec.Egress == nil {
		return
	}
	e := &egressFact{Ref: ref}
	own := r.sockets()
	for i := range v.Spec.Egress.Hosts {
		e.readHost(fmt.Sprintf("spec.egress.hosts[%d]", i), &v.Spec.Egress.Hosts[i], own)
	}
	slices.SortFunc(e.Hosts, func(a, b egressHost) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	for i, s := range v.Spec.Egress.InsideRanges {
		e.readRange(fmt.Sprintf("spec.egress.insideRanges[%d]", i), s)
	}
	e.readDNS(v.Spec.Egress.DNS, own)
	switch v.Spec.Egress.EncryptedClientHello {
	case "", v1alpha1.ECHRefuse:
	case v1alpha1.ECHAllow:
		e.ECH = true
	default:
		e.fail("spec.egress.encryptedClientHello", "%s is neither Refuse nor Allow", quote(string(v.Spec.Egress.EncryptedClientHello)))
	}
	slices.SortFunc(e.Ranges, netip.Prefix.Compare)
	e.Ranges = slices.Compact(e.Ranges)
	say(r, factEgress, ref, e)
}

func (e *egressFact) fail(field, format string, args ...any) {
	e.Problems = append(e.Problems, field+": "+fmt.Sprintf(format, args...))
}

func (e *egressFact) readHost(field string, h *v1alpha1.EgressHost, own *socketsFact) {
	name, ok := hostName(h.Name)
	if !ok {
		e.fail(field+".name", "%s is no host name", quote(h.Name))
		return
	}
	if slices.ContainsFunc(e.Hosts, func(o egressHost) bool { return o.Name == name }) {
		e.fail(field+".name", "%s is there twice: the first one serves", quote(h.Name))
		return
	}
	out := egressHost{Name: name}
	for i, s := range h.Addresses {
		a, problem := hostAddress(s)
		if problem != "" {
			e.fail(fmt.Sprintf("%s.addresses[%d]", field, i), "%s %s", quote(s), problem)
			continue
		}
		out.Addresses = append(out.Addresses, a)
	}
	for i, p := range h.Ports {
		if p < 1 || p > 65535 {
			e.fail(fmt.Sprintf("%s.ports[%d]", field, i), "is not between 1 and 65535")
			continue
		}
		out.Ports = append(out.Ports, uint16(p))
	}
	e.keepHost(field, out, own)
}

// keepHost closes a host that leads back to one of our own listeners: a hop
// must not be decided as another one.
func (e *egressFact) keepHost(field string, h egressHost, own *socketsFact) {
	slices.SortFunc(h.Addresses, netip.Addr.Compare)
	h.Addresses = slices.Compact(h.Addresses)
	slices.Sort(h.Ports)
	h.Ports = slices.Compact(h.Ports)
	for _, port := range h.Ports {
		for _, at := range h.sockets(port) {
			if own.has(at) {
				e.fail(field, "%s is one of our own listeners: the host is closed", at)
				e.Hosts = append(e.Hosts, egressHost{Name: h.Name})
				return
			}
		}
	}
	e.Hosts = append(e.Hosts, h)
}

// hostAddress reads an address that a host may have. Loopback is open to it:
// the operator names the very port.
func hostAddress(s string) (netip.Addr, string) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil || a.Zone() != "" || a.Is4In6():
		return a, "is no address"
	case a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return a, "is no address of one host"
	case a.IsLinkLocalUnicast() || slices.Contains(metadataAddresses(), a):
		return a, "is where metadata services are: it never opens"
	}
	return a, ""
}

// metadataAddresses are those of cloud metadata services that are not
// link-local.
func metadataAddresses() []netip.Addr {
	return []netip.Addr{
		netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd20:ce::254"),
		netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"),
		netip.MustParseAddr("192.0.0.192"),
	}
}

func (e *egressFact) readRange(field, s string) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		e.fail(field, "%s is no address range", quote(s))
		return
	}
	if p != p.Masked() {
		e.fail(field, "%s has bits beyond its length: is %s meant?", quote(s), p.Masked())
		return
	}
	for _, never := range neverOpen() {
		if p.Overlaps(never) {
			e.fail(field, "%s overlaps %s, which never opens", p, never)
			return
		}
	}
	e.Ranges = append(e.Ranges, p)
}

// neverOpen are ranges that are no other host: this one, loopback, link-local,
// multicast and reserved space.
func neverOpen() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
		netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0/96"),
		netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
	}
}

// cluster is the name of the Envoy cluster of a host and port.
func (e *egressFact) cluster(h egressHost, port uint16) string {
	return fmt.Sprintf("Host/%s/%s/%s/%d", e.Ref.Namespace, e.Ref.Name, h.Name, port)
}

// feed is what the guard is told of the hosts.
func (e *egressFact) feed() []feedv1.Host {
	var out []feedv1.Host
	for _, h := range e.Hosts {
		f := feedv1.Host{Name: h.Name, Addresses: h.Addresses, Ports: h.Ports}
		for _, port := range h.Ports {
			if h.opens(port) {
				f.Clusters = append(f.Clusters, e.cluster(h, port))
			}
		}
		if len(f.Clusters) == 0 {
			f.Ports, f.Addresses = nil, nil
		}
		out = append(out, f)
	}
	return out
}

// clusters are the Envoy clusters of the hosts.
func (e *egressFact) clusters() []*graph.Backend {
	var out []*graph.Backend
	for _, h := range e.Hosts {
		for _, port := range h.Ports {
			if !h.opens(port) {
				continue
			}
			out = append(out, &graph.Backend{
				Name: e.cluster(h, port), Owner: ownerOf(e.Ref), Kind: graph.BackendAddresses,
				Hostname: h.Name, Port: port, Addresses: h.sockets(port), Protocol: graph.ProtocolHTTP1,
			})
		}
	}
	return out
}
