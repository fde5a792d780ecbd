package egress

import (
	"net/netip"
	"strconv"
)

// Destination is where a hop wants to go, in canonical form. Two spellings of
// one place that are accepted give equal Destinations (==).
type Destination struct {
	// Host is a name in lower-case ASCII without a trailing dot, at most 253
	// bytes; or an address as netip prints it, IPv6 without brackets.
	Host string
	// Addr is valid when Host is an address.
	Addr netip.Addr
	// Port is never 0.
	Port uint16
}

// DialHost is Host as Envoy takes it: IPv6 in brackets. Without them Envoy
// reads the end of the address as a port.
func (d Destination) DialHost() string {
	if d.Addr.Is6() {
		return "[" + d.Host + "]"
	}
	return d.Host
}

// String is HOST:PORT, IPv6 in brackets; ParseAuthority reads it back.
func (d Destination) String() string {
	return d.DialHost() + ":" + strconv.Itoa(int(d.Port))
}
