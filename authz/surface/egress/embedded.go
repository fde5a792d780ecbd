package egress

import "net/netip"

// nat64Bits is the length of the NAT64 prefixes that are decoded: the IPv4
// address is what is behind them (RFC 6052 section 2.2).
const nat64Bits = 96

// The prefixes of NAT64.
var nat64 = [...]netip.Prefix{
	netip.MustParsePrefix("64:ff9b::/96"),   // RFC 6052 section 2.1
	netip.MustParsePrefix("64:ff9b:1::/48"), // RFC 8215
}

func isNAT64(a netip.Addr) bool { return nat64[0].Contains(a) || nat64[1].Contains(a) }

// embedded is the IPv4 address that an IPv6 address leads to, by any of the
// ways there are: mapped and compatible (RFC 4291 section 2.5.5), translated
// (RFC 2765 section 2.1), NAT64, 6to4 (RFC 3056), Teredo's client (RFC 4380
// section 4) and ISATAP (RFC 5214 section 6.1).
func embedded(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	last := netip.AddrFrom4([4]byte(b[12:16]))
	switch {
	case zero(b[:8]):
		return last, inZero(b)
	case isNAT64(a):
		return last, true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case b[0] == 0x20 && b[1] == 0x01 && zero(b[2:4]):
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	case b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return last, true
	}
	return netip.Addr{}, false
}

// inZero reports whether an address of ::/64 holds an IPv4 one. :: and ::1
// are what they are.
func inZero(b [16]byte) bool {
	switch {
	case b[8] == 0 && b[9] == 0 && b[10] == 0xff && b[11] == 0xff: // mapped
		return true
	case b[8] == 0xff && b[9] == 0xff && b[10] == 0 && b[11] == 0: // translated
		return true
	case zero(b[8:12]): // compatible
		return !zero(b[12:15]) || b[15] > 1
	}
	return false
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
