package egress

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// PlanConfig is what the destinations of one Gateway are judged by.
type PlanConfig struct {
	Egress feedv1.Egress
	// Listeners are those of every Gateway that this guard serves.
	Listeners []feedv1.Listener
	// Own are further sockets of this process that nothing may reach through
	// it: health, DNS, Envoy's admin.
	Own []netip.AddrPort
	// Local are the addresses of this machine, for listeners on an unspecified
	// address.
	Local []netip.Addr
}

// Plan says of a destination how it is reached, if at all. It never changes.
type Plan struct {
	space    *Space
	hosts    map[string]hostEntry
	backends map[Destination]*feedv1.Backend
}

// hostEntry is a name of egress.hosts.
type hostEntry struct {
	addrs    []netip.Addr
	ports    []uint16
	clusters []string
}

// Way is how a destination is reached.
type Way struct {
	// Mode is a wire.Mode; empty: the name must be resolved first, and then
	// Settle says.
	Mode string
	// Cluster is the Envoy cluster, with wire.ModeHosts.
	Cluster string
	// host is the cluster of the host itself, where the backend has one of its
	// own.
	host string
	// Addrs are the addresses behind it, where they are known.
	Addrs []netip.Addr
	// Backend is the XBackend with this host name and port, and then the
	// destination is reachable only as that; nil: there is none.
	Backend *feedv1.Backend
}

// Closed reports that nothing reaches the destination: it is of an XBackend
// that was not accepted, or that nobody has said how to dial.
func (w Way) Closed() bool {
	b := w.Backend
	return b != nil && (b.Rejected != "" || b.Mode == "" || b.Cluster == "")
}

// Direct is w to the host itself, not to what it is a backend as: a tunnel
// ends there.
func (w Way) Direct() Way {
	w.Cluster = w.host
	return w
}

// NeedsResolution reports whether the name must be resolved.
func (w Way) NeedsResolution() bool { return w.Mode == "" }

// NewPlan makes a Plan. What is not well formed is left closed, and said in the
// warnings.
func NewPlan(c PlanConfig) (*Plan, []Warning) {
	own := slices.Clone(c.Own)
	for _, l := range c.Listeners {
		own = append(own, netip.AddrPortFrom(l.Address, l.Port))
	}
	space, warnings := NewSpace(SpaceConfig{Inside: c.Egress.InsideRanges, Own: own, Local: c.Local})
	p := &Plan{space: space, hosts: map[string]hostEntry{}, backends: map[Destination]*feedv1.Backend{}}
	for i := range c.Egress.Hosts {
		warnings = append(warnings, p.addHost(&c.Egress.Hosts[i])...)
	}
	for i := range c.Egress.Backends {
		b := c.Egress.Backends[i]
		name, err := ParseName(b.Hostname)
		if err != nil {
			warnings = append(warnings, Warning{b.Ref, "has no host name that can be reached"})
			continue
		}
		if b.Port == 0 && b.Rejected == "" {
			b.Rejected = "has no port"
			warnings = append(warnings, Warning{b.Ref, "has no port; it is closed on every one"})
		}
		p.backends[Destination{Host: name, Port: b.Port}] = &b
	}
	return p, warnings
}

// addHost keeps a host even where it opens nothing: its name is never asked of
// resolvers.
func (p *Plan) addHost(h *feedv1.Host) []Warning {
	warn := func(format string, args ...any) []Warning {
		return []Warning{{h.Name, fmt.Sprintf(format, args...)}}
	}
	name, err := ParseName(h.Name)
	if err != nil {
		return warn("is no host name")
	}
	if _, twice := p.hosts[name]; twice {
		return warn("is there twice: the first one serves")
	}
	p.hosts[name] = hostEntry{}
	if len(h.Clusters) != len(h.Ports) {
		return warn("has not one cluster for each port; it is closed")
	}
	for _, a := range h.Addresses {
		if !hostAddress(a) {
			return warn("has an address that never opens (%s); it is closed", Classify(a))
		}
		for _, port := range h.Ports {
			if p.space.IsOwn(a, port) {
				return warn("leads to one of our own listeners (%s); it is closed", netip.AddrPortFrom(a, port))
			}
		}
	}
	if len(h.Addresses) > 0 {
		p.hosts[name] = hostEntry{addrs: h.Addresses, ports: h.Ports, clusters: h.Clusters}
	}
	return nil
}

// hostAddress reports whether a host of the configuration may have an address:
// any of one machine, loopback included, since the operator named the very
// port; never a metadata service.
func hostAddress(a netip.Addr) bool {
	if a.Is4In6() {
		return false
	}
	switch Classify(a) {
	case ClassInvalid, ClassUnspecified, ClassThisNetwork, ClassMulticast, ClassBroadcast, ClassLinkLocal, ClassMetadata:
		return false
	}
	return true
}

// Space is what addresses are judged by.
func (p *Plan) Space() *Space { return p.space }

// backend is the XBackend of a host name and port; nil: there is none. One that
// was not accepted may have every port.
func (p *Plan) backend(d Destination) *feedv1.Backend {
	if b := p.backends[Destination{Host: d.Host, Port: d.Port}]; b != nil {
		return b
	}
	return p.backends[Destination{Host: d.Host}]
}

// At is the XBackend that is a destination; nil: there is none.
func (p *Plan) At(d Destination) *feedv1.Backend { return p.backend(d) }

// Route says how d is reached. The error is a *Refusal.
func (p *Plan) Route(d Destination) (Way, error) {
	w := Way{Backend: p.backend(d)}
	if h, ok := p.hosts[d.Host]; ok {
		return h.route(w, d.Port)
	}
	if d.Addr.IsValid() {
		return p.Settle(d, w, []netip.Addr{d.Addr})
	}
	if ClassifyName(d.Host) != NamePublic {
		return Way{}, refuse(ReasonName)
	}
	return w, nil
}

func (h hostEntry) route(w Way, port uint16) (Way, error) {
	i := slices.Index(h.ports, port)
	if i < 0 {
		return Way{}, refuse(ReasonHostPort)
	}
	w.Mode, w.Cluster, w.host, w.Addrs = wire.ModeHosts, h.clusters[i], h.clusters[i], h.addrs
	if w.Backend != nil {
		w.Cluster = w.Backend.Cluster
	}
	return w, nil
}

// Settle says how d is reached now that its name has these addresses, where
// Route said that it must be resolved. The error is a *Refusal.
func (p *Plan) Settle(d Destination, w Way, addrs []netip.Addr) (Way, error) {
	v := p.space.OpenAll(addrs, d.Port)
	if err := v.Err(); err != nil {
		return Way{}, err
	}
	w.Mode, w.Addrs = v.Mode, addrs
	if w.Backend == nil || w.Backend.Mode == v.Mode {
		return w, nil
	}
	// A backend's cluster is fixed to one cache. The one for inside addresses
	// serves public ones too, the other way round never.
	if w.Backend.Mode != wire.ModeInside {
		return Way{}, &Refusal{Reason: ReasonClass, Class: v.Class}
	}
	w.Mode = wire.ModeInside
	return w, nil
}
