package egress

import (
	"net/netip"
	"slices"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// SpaceConfig is what a gateway's address space is made of. The zero value is
// public space alone.
type SpaceConfig struct {
	// Inside are the operator's insideRanges.
	Inside []netip.Prefix
	// Own are the sockets that this gateway listens on, of every listener it
	// has. One on an unspecified address is on every address of Local.
	Own []netip.AddrPort
	// Local are the addresses of this machine. None: a listener on an
	// unspecified address is taken to be on any address there is.
	Local []netip.Addr
}

// Space judges addresses: which are open, and by which of Envoy's caches. It
// never changes. The zero value is public space alone.
type Space struct {
	inside []netip.Prefix
	own    []netip.AddrPort // sorted
	// anyPorts are those of listeners on unspecified addresses, local the
	// addresses that these have.
	anyPorts []uint16
	local    []netip.Addr // sorted
}

// NewSpace makes a Space. Ranges that are not well formed are left out, and
// said in the warnings, as is what a range covers and does not open.
func NewSpace(c SpaceConfig) (*Space, []Warning) {
	s := &Space{}
	for _, at := range c.Own {
		if at.Addr().IsUnspecified() {
			s.anyPorts = append(s.anyPorts, at.Port())
		} else {
			s.own = append(s.own, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
		}
	}
	slices.SortFunc(s.own, netip.AddrPort.Compare)
	for _, a := range c.Local {
		s.local = append(s.local, a.Unmap().WithZone(""))
	}
	slices.SortFunc(s.local, netip.Addr.Compare)
	var warnings []Warning
	for _, p := range c.Inside {
		warnings = append(warnings, checkRange(p)...)
		if wellFormed(p) {
			s.inside = append(s.inside, p)
		}
	}
	return s, warnings
}

// Verdict is what a Space says of an address.
type Verdict struct {
	// Mode is wire.ModeGuard for public addresses, wire.ModeInside for the
	// operator's; empty: refused.
	Mode string
	// Class is the address's.
	Class Class
	// Reason is why it is refused; else empty.
	Reason Reason
}

// Open reports whether the address may be dialled.
func (v Verdict) Open() bool { return v.Mode != "" }

// Err is nil for an address that is open, else a *Refusal.
func (v Verdict) Err() error {
	if v.Open() {
		return nil
	}
	return &Refusal{Reason: v.Reason, Class: v.Class}
}

// Open judges one address at one port. Port 0 judges the address alone: what
// depends on the port is then not looked at. It allocates nothing.
func (s *Space) Open(a netip.Addr, port uint16) Verdict {
	c := Classify(a)
	switch {
	case s.IsOwn(a, port):
		return Verdict{Class: c, Reason: ReasonOwn}
	case c == ClassPublic:
		return Verdict{Mode: wire.ModeGuard, Class: c}
	case !s.isInside(a, c, port):
		return Verdict{Class: c, Reason: ReasonClass}
	case controlPlane(port):
		return Verdict{Class: c, Reason: ReasonControlPort}
	}
	return Verdict{Mode: wire.ModeInside, Class: c}
}

// OpenAll judges the addresses of one name. All must be open, and all in the
// same way: whoever dials them chooses which. The verdict of a refusal is that
// of the first address at fault.
func (s *Space) OpenAll(addrs []netip.Addr, port uint16) Verdict {
	if len(addrs) == 0 {
		return Verdict{Class: ClassInvalid, Reason: ReasonNoAddress}
	}
	first := s.Open(addrs[0], port)
	for _, a := range addrs[1:] {
		if !first.Open() {
			return first
		}
		v := s.Open(a, port)
		if !v.Open() {
			return v
		}
		if v.Mode != first.Mode {
			return Verdict{Class: v.Class, Reason: ReasonMixed}
		}
	}
	return first
}

// IsOwn reports whether one of our own listeners is at a and port. Port 0 is
// none's.
func (s *Space) IsOwn(a netip.Addr, port uint16) bool {
	if port == 0 || len(s.own)+len(s.anyPorts) == 0 {
		return false
	}
	a = a.Unmap()
	if _, ok := slices.BinarySearchFunc(s.own, netip.AddrPortFrom(a, port), netip.AddrPort.Compare); ok {
		return true
	}
	return slices.Contains(s.anyPorts, port) && s.isLocal(a)
}

func (s *Space) isLocal(a netip.Addr) bool {
	if len(s.local) == 0 || a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	_, ok := slices.BinarySearchFunc(s.local, a, netip.Addr.Compare)
	return ok
}

// isInside reports whether the operator opened a, which is of class c. NAT64
// is open where the operator declared its prefix and the address within is
// open by itself.
func (s *Space) isInside(a netip.Addr, c Class, port uint16) bool {
	inner, holds := netip.Addr{}, false
	if a.Is6() {
		inner, holds = embedded(a)
	}
	if holds && !isNAT64(a) || !holds && !c.openable() {
		return false
	}
	for _, p := range s.inside {
		if p.Contains(a) && (!holds || p.Bits() >= nat64Bits && s.Open(inner, port).Open()) {
			return true
		}
	}
	return false
}

// controlPlane are the ports of Kubernetes' API server, kubelet and etcd: an
// operator who opens a range does not mean them.
func controlPlane(port uint16) bool {
	switch port {
	case 2379, 2380, 6443, 10250, 10255:
		return true
	}
	return false
}
