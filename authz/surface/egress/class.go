package egress

import "net/netip"

// Class is what kind of address one is. The words are stable: they reach
// denials and records.
type Class string

const (
	// ClassPublic is global unicast space. It alone is open by itself.
	ClassPublic Class = "public"
	// ClassPrivate: RFC 1918, and unique local IPv6 (RFC 4193).
	ClassPrivate Class = "private"
	// ClassCGNAT: shared address space (RFC 6598).
	ClassCGNAT Class = "cgnat"
	// ClassBenchmark: RFC 2544; some networks use it as private space.
	ClassBenchmark Class = "benchmark"
	// ClassLoopback: 127.0.0.0/8 and ::1.
	ClassLoopback Class = "loopback"
	// ClassLinkLocal: 169.254.0.0/16 and fe80::/10.
	ClassLinkLocal Class = "link-local"
	// ClassMetadata: clouds' metadata and credential services, wherever they
	// stand.
	ClassMetadata Class = "metadata"
	// ClassUnspecified: 0.0.0.0 and ::, which many systems dial as loopback.
	ClassUnspecified Class = "unspecified"
	// ClassThisNetwork: the rest of 0.0.0.0/8.
	ClassThisNetwork Class = "this-network"
	// ClassMulticast: 224.0.0.0/4 and ff00::/8.
	ClassMulticast Class = "multicast"
	// ClassBroadcast: 255.255.255.255.
	ClassBroadcast Class = "broadcast"
	// ClassDocumentation: RFC 5737, RFC 3849, RFC 9637.
	ClassDocumentation Class = "documentation"
	// ClassReserved: 240.0.0.0/4, protocol assignments, and all IPv6 space that
	// is not delegated as global unicast.
	ClassReserved Class = "reserved"
	// ClassTranslated: a public IPv4 address within an IPv6 one.
	ClassTranslated Class = "translated"
	// ClassInvalid: no address, or one with a zone.
	ClassInvalid Class = "invalid"
)

// openable reports whether an operator's insideRanges can open a class. What
// is not here never opens, whatever range covers it.
func (c Class) openable() bool {
	return c == ClassPrivate || c == ClassCGNAT || c == ClassBenchmark
}

// block is a range and what it is.
type block struct {
	prefix netip.Prefix
	class  Class
}

// blocks4 is IPv4 space that is not public, the first that fits counts:
// IANA's special-purpose registry, multicast, and the metadata services.
var blocks4 = [...]block{
	{netip.MustParsePrefix("169.254.169.254/32"), ClassMetadata}, // most clouds
	{netip.MustParsePrefix("169.254.169.253/32"), ClassMetadata}, // AWS: resolver
	{netip.MustParsePrefix("169.254.170.0/24"), ClassMetadata},   // AWS: credentials of tasks and pods
	{netip.MustParsePrefix("169.254.0.23/32"), ClassMetadata},    // Tencent
	{netip.MustParsePrefix("169.254.42.42/32"), ClassMetadata},   // Scaleway
	{netip.MustParsePrefix("168.63.129.16/32"), ClassMetadata},   // Azure: wire server
	{netip.MustParsePrefix("100.100.100.200/32"), ClassMetadata}, // Alibaba
	{netip.MustParsePrefix("192.0.0.192/32"), ClassMetadata},     // Oracle
	{netip.MustParsePrefix("0.0.0.0/32"), ClassUnspecified},
	{netip.MustParsePrefix("0.0.0.0/8"), ClassThisNetwork},
	{netip.MustParsePrefix("10.0.0.0/8"), ClassPrivate},
	{netip.MustParsePrefix("100.64.0.0/10"), ClassCGNAT},
	{netip.MustParsePrefix("127.0.0.0/8"), ClassLoopback},
	{netip.MustParsePrefix("169.254.0.0/16"), ClassLinkLocal},
	{netip.MustParsePrefix("172.16.0.0/12"), ClassPrivate},
	{netip.MustParsePrefix("192.0.0.0/24"), ClassReserved},
	{netip.MustParsePrefix("192.0.2.0/24"), ClassDocumentation},
	{netip.MustParsePrefix("192.88.99.0/24"), ClassReserved}, // RFC 7526: 6to4 relays
	{netip.MustParsePrefix("192.168.0.0/16"), ClassPrivate},
	{netip.MustParsePrefix("198.18.0.0/15"), ClassBenchmark},
	{netip.MustParsePrefix("198.51.100.0/24"), ClassDocumentation},
	{netip.MustParsePrefix("203.0.113.0/24"), ClassDocumentation},
	{netip.MustParsePrefix("224.0.0.0/4"), ClassMulticast},
	{netip.MustParsePrefix("255.255.255.255/32"), ClassBroadcast},
	{netip.MustParsePrefix("240.0.0.0/4"), ClassReserved},
}

// blocks6 is IPv6 space that is not public, besides what lies outside
// 2000::/3 altogether.
var blocks6 = [...]block{
	{netip.MustParsePrefix("fd00:ec2::/32"), ClassMetadata},          // AWS
	{netip.MustParsePrefix("fd20:ce::254/128"), ClassMetadata},       // Google
	{netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), ClassMetadata}, // Oracle
	{netip.MustParsePrefix("fd00:42::42/128"), ClassMetadata},        // Scaleway
	{netip.MustParsePrefix("fe80::a9fe:a9fe/128"), ClassMetadata},    // OpenStack
	{netip.MustParsePrefix("::/128"), ClassUnspecified},
	{netip.MustParsePrefix("::1/128"), ClassLoopback},
	{netip.MustParsePrefix("fc00::/7"), ClassPrivate},
	{netip.MustParsePrefix("fe80::/10"), ClassLinkLocal},
	{netip.MustParsePrefix("ff00::/8"), ClassMulticast},
	{netip.MustParsePrefix("2001::/23"), ClassReserved}, // RFC 2928: protocols, Teredo, ORCHID
	{netip.MustParsePrefix("2001:db8::/32"), ClassDocumentation},
	{netip.MustParsePrefix("3fff::/20"), ClassDocumentation},
	// What IANA keeps of 2000::/3 and gives to no registry; the 6bone's among it.
	{netip.MustParsePrefix("2d00::/8"), ClassReserved},
	{netip.MustParsePrefix("2e00::/7"), ClassReserved},
	{netip.MustParsePrefix("3000::/4"), ClassReserved},
}

// Classify says of what class an address is. Space is public by an allow-list:
// IPv4 that no registry sets apart, and 2000::/3 without its special blocks.
// An IPv6 address that holds an IPv4 one is of that one's class, but never
// public: translation is not ours to see. It allocates nothing.
func Classify(a netip.Addr) Class {
	if !a.IsValid() || a.Zone() != "" {
		return ClassInvalid
	}
	if a.Is4() {
		return classIn(blocks4[:], a, ClassPublic)
	}
	if inner, ok := embedded(a); ok {
		if c := Classify(inner); c != ClassPublic {
			return c
		}
		return ClassTranslated
	}
	if a.As16()[0]>>5 != 1 { // outside 2000::/3
		return classIn(blocks6[:], a, ClassReserved)
	}
	return classIn(blocks6[:], a, ClassPublic)
}

func classIn(blocks []block, a netip.Addr, rest Class) Class {
	for i := range blocks {
		if blocks[i].prefix.Contains(a) {
			return blocks[i].class
		}
	}
	return rest
}
