package translate

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// translateEndpoints makes the endpoints of the ports of a Service that
// somebody sends to.
func translateEndpoints(r *reader, ref source.Ref) {
	f := factOf[backendFact](r, factBackend, ref)
	if f == nil {
		return
	}
	ports := usedPorts(f, r.run.Marks(topic{space: bagUses, ref: ref}))
	if len(ports) == 0 {
		return
	}
	own := r.sockets()
	list := r.slicesOf(ref)
	s := Status{Ref: ref}
	for _, p := range ports {
		ready, notes := r.ready(list, p, own)
		s.Notes = append(s.Notes, notes...)
		name := portName(ref, p.Number)
		r.run.Put(&r.t.endpoints, name, &graph.Endpoints{Name: name, Owner: ownerOf(ref), Ready: ready})
	}
	if len(s.Notes) > 0 {
		r.status(s)
	}
}

func (r *reader) slicesOf(service source.Ref) []*discoveryv1.EndpointSlice {
	var out []*discoveryv1.EndpointSlice
	for _, o := range r.members(topic{space: onSlices, ref: service}) {
		if s, ok := o.Value.(*discoveryv1.EndpointSlice); ok {
			out = append(out, s)
		}
	}
	return out
}

// ready are the sockets of a port that are ready, sorted, and notes on those
// that are not used.
func (r *reader) ready(list []*discoveryv1.EndpointSlice, p backendPort, own *socketsFact) ([]netip.AddrPort, []string) {
	var out []netip.AddrPort
	var notes []string
	for _, s := range list {
		for _, at := range socketsOf(s, p.Name) {
			problem := r.endpointProblem(at, own)
			if problem != "" {
				notes = addOnce(notes, fmt.Sprintf("EndpointSlice/%s/%s: %s %s: nothing is sent to it", s.Namespace, s.Name, at, problem))
				continue
			}
			out = append(out, at)
		}
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	slices.Sort(notes)
	return slices.Compact(out), notes
}

// socketsOf are the ready sockets of a named port of a slice.
func socketsOf(s *discoveryv1.EndpointSlice, name string) []netip.AddrPort {
	if s.AddressType == discoveryv1.AddressTypeFQDN {
		return nil
	}
	var out []netip.AddrPort
	for _, p := range s.Ports {
		if deref(p.Name, "") != name || p.Port == nil || *p.Port < 1 || *p.Port > 65535 || deref(p.Protocol, corev1.ProtocolTCP) != corev1.ProtocolTCP {
			continue
		}
		for i := range s.Endpoints {
			if !deref(s.Endpoints[i].Conditions.Ready, true) {
				continue
			}
			for _, text := range s.Endpoints[i].Addresses {
				if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
					out = append(out, netip.AddrPortFrom(a.Unmap(), uint16(*p.Port)))
				}
			}
		}
	}
	return out
}

// endpointProblem says why nothing is sent to a socket: what no Service may
// have, and our own listeners, since a request would go round in a circle.
func (r *reader) endpointProblem(at netip.AddrPort, own *socketsFact) string {
	a := at.Addr()
	switch {
	case a.IsUnspecified() || a.IsMulticast():
		return "is no address of one host"
	case a.IsLinkLocalUnicast():
		return "is link-local: metadata services are there"
	case a.IsLoopback() && !r.t.cfg.LoopbackEndpoints:
		return "is a loopback address"
	case own.has(at):
		return "is one of our own listeners"
	}
	return ""
}

// exposureFact says of a Service that a secret is meant for whether its
// endpoints are where cleartext may go.
type exposureFact struct {
	// Public is the first endpoint, by order, that is in public space.
	Public string
}

// findExposure looks at the endpoints of Services with a Credential, and at no
// other: most changes of endpoints concern nobody.
func findExposure(r *reader, ref source.Ref) {
	f := factOf[backendFact](r, factBackend, ref)
	if f == nil || len(r.members(credentialsOf(ref))) == 0 {
		return
	}
	list := r.slicesOf(ref)
	for _, p := range f.Ports {
		sockets := []netip.AddrPort{}
		for _, s := range list {
			sockets = append(sockets, socketsOf(s, p.Name)...)
		}
		slices.SortFunc(sockets, netip.AddrPort.Compare)
		for _, at := range sockets {
			if !private(at.Addr()) {
				say(r, factExposure, ref, &exposureFact{Public: at.String()})
				return
			}
		}
	}
}

// private says whether an address is inside: loopback, RFC 1918, RFC 4193, or
// shared space (RFC 6598), which clusters use for pods.
func private(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}
