package envoy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	commondfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/dynamic_forward_proxy/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
)

// cache is one of the two DNS caches. What users open or close lives in the
// guard's resolver and in Check; the filter of a cache is constant: what can
// never be opened there.
type cache string

const (
	// cacheGuard knows public space alone.
	cacheGuard cache = "guard"
	// cacheInside knows private space too, for the operator's insideRanges.
	cacheInside cache = "inside"
)

// neverOpen is loopback, link-local, metadata, multicast and reserved space.
func neverOpen() []string {
	return []string{
		"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", "100.100.100.200/32",
		"::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4",
		"4000::/2", "8000::/2", "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/7", "fd00:ec2::/32", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	}
}

// private is what only the operator can open.
func private() []string {
	return []string{"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "fc00::/7"}
}

// nat64 is space that an operator can open too (RFC 6052, RFC 8215), but not
// what in it leads to an IPv4 address that never opens.
const nat64 = "64:ff9b::/32"

func (c cache) denied() []string {
	if c != cacheInside {
		return append(neverOpen(), private()...)
	}
	var out []string
	for _, p := range neverOpen() {
		switch prefix := netip.MustParsePrefix(p); {
		case prefix.Addr().Is4():
			out = append(out, p, translated(prefix).String())
		case prefix.Overlaps(netip.MustParsePrefix(nat64)):
			out = append(out, without(prefix, netip.MustParsePrefix(nat64))...)
		default:
			out = append(out, p)
		}
	}
	return out
}

// translated is an IPv4 range as NAT64's well-known prefix has it (RFC 6052
// section 2.1).
func translated(p netip.Prefix) netip.Prefix {
	b, last := netip.MustParsePrefix(nat64).Addr().As16(), p.Addr().As4()
	copy(b[12:], last[:])
	return netip.PrefixFrom(netip.AddrFrom16(b), 96+p.Bits())
}

// without is p but for a range in it: at each bit on the way, the other half.
func without(p, hole netip.Prefix) []string {
	var out []string
	for n := p.Bits(); n < hole.Bits(); n++ {
		b := hole.Addr().As16()
		b[n/8] ^= 0x80 >> (n % 8)
		out = append(out, netip.PrefixFrom(netip.AddrFrom16(b), n+1).Masked().String())
	}
	return out
}

// hostTTL is how long a host stays in a cache that nobody uses. What a new one
// costs grows with how many there are: each of the clusters above the cache has
// its list of them made anew, in every thread. The guard, which remembers for
// longer, is asked again when somebody comes back.
const hostTTL = 10 * time.Second

// config is the cache's configuration. All copies of one name must be equal,
// or Envoy refuses them, so that the name carries a hash of the rest.
func (c cache) config(s Settings) *commondfpv3.DnsCacheConfig {
	cfg := &commondfpv3.DnsCacheConfig{
		Name:              string(c),
		DnsLookupFamily:   clusterv3.Cluster_ALL,
		DnsMinRefreshRate: dur(time.Second),
		// By default Envoy believes for a minute that a name has nothing: one that
		// was gone for a moment would lead to where it led before.
		DnsRefreshRate:        dur(time.Second),
		DnsFailureRefreshRate: &clusterv3.Cluster_RefreshRate{BaseInterval: dur(time.Second), MaxInterval: dur(time.Second)},
		HostTtl:               dur(hostTTL),
		MaxHosts:              u32(maxCachedHosts),
		DnsCacheCircuitBreaker: &commondfpv3.DnsCacheCircuitBreakers{
			MaxPendingRequests: u32(maxPendingLookups),
		},
		TypedDnsResolverConfig: resolver(s),
		ResolvedAddressFilter:  addressMatcher(c.denied()),
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(cfg)
	if err != nil {
		panic("marshal dns cache: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	cfg.Name = string(c) + "-" + hex.EncodeToString(sum[:4])
	return cfg
}

// resolver asks the guard, and only the guard, on loopback.
func resolver(s Settings) *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{
		Name: "envoy.network.dns_resolver.cares",
		TypedConfig: pack(&caresv3.CaresDnsResolverConfig{
			Resolvers:           []*corev3.Address{socketAddress(netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.DNSPort)},
			DnsResolverOptions:  &corev3.DnsResolverOptions{NoDefaultSearchDomain: true},
			QueryTimeoutSeconds: wrapU64(2),
			QueryTries:          u32(1),
		}),
	}
}

func addressMatcher(cidrs []string) *matcherv3.AddressMatcher {
	m := &matcherv3.AddressMatcher{}
	for _, c := range cidrs {
		m.Ranges = append(m.Ranges, cidrRange(netip.MustParsePrefix(c)))
	}
	return m
}
