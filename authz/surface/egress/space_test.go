package egress_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func verdictText(v egress.Verdict) string {
	if v.Open() {
		return v.Mode
	}
	return string(v.Reason) + " " + string(v.Class)
}

func TestOpen(t *testing.T) {
	t.Parallel()
	all := prefixes("0.0.0.0/0", "::/0")
	for _, c := range []struct {
		name   string
		inside []netip.Prefix
		at     string
		want   string
	}{
		{"public", nil, "8.8.8.8:443", wire.ModeGuard},
		{"public v6", nil, "[2606:4700::1]:443", wire.ModeGuard},
		{"private", nil, "10.0.0.5:443", "address_class private"},
		{"private, declared", prefixes("10.0.0.0/8"), "10.0.0.5:443", wire.ModeInside},
		{"private, other range", prefixes("10.20.0.0/16"), "10.0.0.5:443", "address_class private"},
		{"unique local", prefixes("fd12::/16"), "[fd12::5]:443", wire.ModeInside},
		{"cgnat", prefixes("100.64.0.0/10"), "100.64.0.1:443", wire.ModeInside},
		{"benchmark", prefixes("198.18.0.0/15"), "198.19.0.1:443", wire.ModeInside},
		{"public within a declared range stays public", prefixes("8.0.0.0/8"), "8.8.8.8:443", wire.ModeGuard},
		{"metadata in a declared cgnat range", prefixes("100.64.0.0/10"), "100.100.100.200:80", "address_class metadata"},
		{"metadata in a declared local range", prefixes("fd00::/8"), "[fd00:ec2::254]:80", "address_class metadata"},
		{"metadata in all", all, "169.254.169.254:80", "address_class metadata"},
		{"loopback in all", all, "127.0.0.1:80", "address_class loopback"},
		{"loopback v6 in all", all, "[::1]:80", "address_class loopback"},
		{"link-local in all", all, "[fe80::1]:80", "address_class link-local"},
		{"unspecified in all", all, "0.0.0.0:80", "address_class unspecified"},
		{"unspecified v6 in all", all, "[::]:80", "address_class unspecified"},
		{"multicast in all", all, "[ff02::1]:80", "address_class multicast"},
		{"reserved in all", all, "240.0.0.1:80", "address_class reserved"},
		{"documentation in all", all, "192.0.2.1:80", "address_class documentation"},
		{"wire server in all", all, "168.63.129.16:80", "address_class metadata"},
		{"private in all", all, "172.16.3.4:80", wire.ModeInside},
		{"mapped private in all", all, "[::ffff:10.0.0.5]:80", "address_class private"},
		{"mapped public in all", all, "[::ffff:8.8.8.8]:80", "address_class translated"},
		{"6to4 private in all", all, "[2002:a00:5::1]:80", "address_class private"},
		{"6to4 declared", prefixes("2002::/16"), "[2002:808:808::1]:80", "address_class translated"},
		{"isatap declared", prefixes("2600:1f00::/64"), "[2600:1f00::5efe:a00:1]:80", "address_class private"},
		{"isatap in a declared local range", prefixes("fd00::/8"), "[fd00::5efe:a00:1]:80", "address_class private"},
		{"isatap, declared to the bit", prefixes("fd00::5efe:0:0/96", "10.0.0.0/8"), "[fd00::5efe:a00:1]:80", "address_class private"},
		{"6to4, declared to the bit", prefixes("2002:a00:5::/112", "10.0.0.0/8"), "[2002:a00:5::1]:80", "address_class private"},
		{"NAT64 in all is not declared", all, "[64:ff9b::808:808]:80", "address_class translated"},
		{"NAT64 declared", prefixes("64:ff9b::/96"), "[64:ff9b::808:808]:80", wire.ModeInside},
		{"NAT64 of private", prefixes("64:ff9b::/96"), "[64:ff9b::a00:5]:80", "address_class private"},
		{"NAT64 of private, both declared", prefixes("64:ff9b::/96", "10.0.0.0/8"), "[64:ff9b::a00:5]:80", wire.ModeInside},
		{"NAT64 of loopback, both declared", prefixes("64:ff9b::/96", "127.0.0.0/8"), "[64:ff9b::7f00:1]:80", "address_class loopback"},
		{"local NAT64 too short to decode", prefixes("64:ff9b:1::/48"), "[64:ff9b:1::808:808]:80", "address_class translated"},
		{"local NAT64", prefixes("64:ff9b:1:7::/96"), "[64:ff9b:1:7::808:808]:80", wire.ModeInside},
		{"local NAT64 of another prefix", prefixes("64:ff9b:1:7::/96"), "[64:ff9b:1:8::808:808]:80", "address_class translated"},
		{"API server", prefixes("10.0.0.0/8"), "10.0.0.5:6443", "control_plane_port private"},
		{"kubelet", prefixes("10.0.0.0/8"), "10.0.0.5:10250", "control_plane_port private"},
		{"kubelet, read only", prefixes("10.0.0.0/8"), "10.0.0.5:10255", "control_plane_port private"},
		{"etcd by NAT64", prefixes("64:ff9b::/96", "10.0.0.0/8"), "[64:ff9b::a00:5]:2379", "address_class private"},
		{"API server on a public address", nil, "8.8.8.8:6443", wire.ModeGuard},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := egress.NewSpace(egress.SpaceConfig{Inside: c.inside})
			at := netip.MustParseAddrPort(c.at)
			got := s.Open(at.Addr(), at.Port())
			if verdictText(got) != c.want {
				t.Errorf("%s: %s, want %s", c.at, verdictText(got), c.want)
			}
			if (got.Err() == nil) != got.Open() {
				t.Errorf("open %v, error %v", got.Open(), got.Err())
			}
		})
	}
}

func TestOwnListeners(t *testing.T) {
	t.Parallel()
	s, _ := egress.NewSpace(egress.SpaceConfig{
		Inside: prefixes("10.0.0.0/8"),
		Own: []netip.AddrPort{
			netip.MustParseAddrPort("10.0.0.9:3128"), netip.MustParseAddrPort("[::ffff:10.0.0.9]:8080"),
			netip.MustParseAddrPort("198.200.0.7:3128"), netip.MustParseAddrPort("0.0.0.0:15001"), netip.MustParseAddrPort("[::]:15002"),
		},
		Local: addrs("10.0.0.9", "fe80::9%eth0", "198.200.0.8", "2606:4700::9"),
	})
	for at, own := range map[string]bool{
		"10.0.0.9:3128": true, "10.0.0.9:8080": true, "10.0.0.9:443": false, "10.0.0.8:3128": false,
		"198.200.0.7:3128": true, "198.200.0.7:443": false, "127.0.0.1:15001": true, "127.9.9.9:15001": true, "[::1]:15001": true,
		"10.0.0.9:15001": true, "10.0.0.8:15001": false, "198.200.0.8:15002": true, "[2606:4700::9]:15002": true,
		"[fe80::9]:15002": true, "0.0.0.0:15001": true, "8.8.8.8:15001": false, "[::ffff:10.0.0.9]:3128": true,
	} {
		a := netip.MustParseAddrPort(at)
		if got := s.IsOwn(a.Addr(), a.Port()); got != own {
			t.Errorf("%s is ours: %v, want %v", at, got, own)
		}
		if own && s.Open(a.Addr(), a.Port()).Open() {
			t.Errorf("%s is open", at)
		}
	}
	if v := s.Open(netip.MustParseAddr("10.0.0.9"), 0); v.Mode != wire.ModeInside {
		t.Errorf("by address alone: %s", verdictText(v))
	}
	if v := s.Open(netip.MustParseAddr("198.200.0.7"), 3128); v.Reason != egress.ReasonOwn {
		t.Errorf("a listener on a public address: %s", verdictText(v))
	}
}

// NAT64 does not lead back to a listener either.
func TestOwnListenerByNAT64(t *testing.T) {
	t.Parallel()
	s, _ := egress.NewSpace(egress.SpaceConfig{Inside: prefixes("64:ff9b::/96"), Own: []netip.AddrPort{netip.MustParseAddrPort("198.200.0.7:3128")}})
	a := netip.MustParseAddr("64:ff9b::c6c8:7")
	if s.Open(a, 3128).Open() || !s.Open(a, 443).Open() {
		t.Errorf("%s: %s, at 443 %s", a, verdictText(s.Open(a, 3128)), verdictText(s.Open(a, 443)))
	}
}

// Not knowing this machine's addresses closes the listener's port everywhere.
func TestUnspecifiedListenerWithoutLocalAddresses(t *testing.T) {
	t.Parallel()
	s, _ := egress.NewSpace(egress.SpaceConfig{Own: []netip.AddrPort{netip.MustParseAddrPort("[::]:8443")}})
	if v := s.Open(netip.MustParseAddr("8.8.8.8"), 8443); v.Reason != egress.ReasonOwn {
		t.Errorf("verdict is %s", verdictText(v))
	}
}

func TestOpenAll(t *testing.T) {
	t.Parallel()
	s, _ := egress.NewSpace(egress.SpaceConfig{Inside: prefixes("10.0.0.0/8")})
	for _, c := range []struct {
		name  string
		addrs []netip.Addr
		want  string
	}{
		{"none", nil, "no_address invalid"},
		{"one", addrs("8.8.8.8"), wire.ModeGuard},
		{"two families", addrs("8.8.8.8", "2606:4700::1"), wire.ModeGuard},
		{"inside", addrs("10.0.0.1", "10.0.0.2"), wire.ModeInside},
		{"public and inside", addrs("8.8.8.8", "10.0.0.1"), "mixed_answer private"},
		{"inside and public", addrs("10.0.0.1", "8.8.8.8"), "mixed_answer public"},
		{"public and private", addrs("8.8.8.8", "192.168.0.1"), "address_class private"},
		{"private first", addrs("192.168.0.1", "8.8.8.8"), "address_class private"},
		{"private alone", addrs("192.168.0.1"), "address_class private"},
		{"metadata last", addrs("8.8.8.8", "8.8.4.4", "169.254.169.254"), "address_class metadata"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := verdictText(s.OpenAll(c.addrs, 443)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestRangeWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   netip.Prefix
		says []string // parts of the warnings; none: there are none
	}{
		{netip.MustParsePrefix("10.20.0.0/16"), nil},
		{netip.MustParsePrefix("100.64.0.0/10"), nil},
		{netip.MustParsePrefix("fd00::/8"), nil},
		{netip.MustParsePrefix("64:ff9b::/96"), nil},
		{netip.MustParsePrefix("64:ff9b:1:2::/96"), nil},
		{netip.MustParsePrefix("198.18.0.0/15"), nil},
		{netip.MustParsePrefix("0.0.0.0/0"), []string{"loopback", "link-local", "multicast", "unspecified", "stays closed"}},
		{netip.MustParsePrefix("::/0"), []string{"loopback", "link-local", "documentation", "stays closed"}},
		{netip.MustParsePrefix("172.0.0.0/6"), []string{}},
		{netip.MustParsePrefix("192.0.0.0/8"), []string{"documentation, reserved"}},
		{netip.MustParsePrefix("127.0.0.0/8"), []string{"opens nothing"}},
		{netip.MustParsePrefix("169.254.169.254/32"), []string{"opens nothing"}},
		{netip.MustParsePrefix("8.8.8.0/24"), []string{"opens nothing"}},
		{netip.MustParsePrefix("64:ff9b:1::/48"), []string{"opens nothing"}},
		{netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), 8), []string{"no range"}},
		{netip.MustParsePrefix("::ffff:10.0.0.0/104"), []string{"no range"}},
		{netip.Prefix{}, []string{"no range"}},
	} {
		s, warnings := egress.NewSpace(egress.SpaceConfig{Inside: []netip.Prefix{c.in}})
		if (len(c.says) > 0) != (len(warnings) == 1) {
			t.Errorf("%s: warnings %v, want %q", c.in, warnings, c.says)
			continue
		}
		for _, part := range c.says {
			if !strings.Contains(warnings[0].String(), part) {
				t.Errorf("%s: %q does not say %q", c.in, warnings[0], part)
			}
		}
		if slices.Contains(c.says, "no range") && s.Open(netip.MustParseAddr("10.0.0.5"), 443).Open() {
			t.Errorf("%s opens", c.in)
		}
	}
}
