package egress_test

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// registered is one row of IANA's registries.
type registered struct {
	prefix netip.Prefix
	name   string
	global string
	class  egress.Class
}

func registry(t testing.TB, file string) []registered {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []registered
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), ",")
		if len(f) != 5 {
			t.Fatalf("%s: %q has %d fields", file, line, len(f))
		}
		rows = append(rows, registered{netip.MustParsePrefix(f[0]), f[1], f[3], egress.Class(f[4])})
	}
	return rows
}

// assignments are what IANA has made of global unicast space.
func assignments(t testing.TB) []registered {
	t.Helper()
	raw, err := os.ReadFile("testdata/iana-ipv6-unicast.csv")
	if err != nil {
		t.Fatal(err)
	}
	var rows []registered
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), ",")
		if len(f) != 3 {
			t.Fatalf("%q has %d fields", line, len(f))
		}
		rows = append(rows, registered{prefix: netip.MustParsePrefix(f[0]), name: f[1], class: egress.Class(f[2])})
	}
	return rows
}

// everyRow6 is all that is registered of IPv6.
func everyRow6(t testing.TB) []registered {
	t.Helper()
	return append(assignments(t), registry(t, "iana-ipv6.csv")...)
}

// lookUp is the class of the longest row that holds a; none: public. within
// stands for a class that an embedded address decides.
const within = egress.Class("*")

func lookUp(rows []registered, a netip.Addr) egress.Class {
	best, class := -1, egress.ClassPublic
	for _, r := range rows {
		if r.prefix.Contains(a) && r.prefix.Bits() >= best {
			best, class = r.prefix.Bits(), r.class
		}
	}
	return class
}

func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func checkClass(t *testing.T, rows []registered, a netip.Addr) {
	t.Helper()
	want, got := lookUp(rows, a), egress.Classify(a)
	if got == egress.ClassMetadata {
		return // these have a table of their own
	}
	if want == within && got == egress.ClassPublic || want != within && got != want {
		t.Errorf("%s is %s, want %s", a, got, want)
	}
}

// The edges of every registered block, and their neighbours, are what the
// registries say.
func TestRegistries(t *testing.T) {
	t.Parallel()
	for i, rows := range [][]registered{registry(t, "iana-ipv4.csv"), everyRow6(t)} {
		if len(rows) < 25 {
			t.Fatalf("registry %d has %d rows", i, len(rows))
		}
		for _, r := range rows {
			for _, a := range []netip.Addr{r.prefix.Addr(), r.prefix.Addr().Prev(), last(r.prefix), last(r.prefix).Next()} {
				if a.IsValid() {
					checkClass(t, rows, a)
				}
			}
			if r.global == "False" && r.class == egress.ClassPublic {
				t.Errorf("%s (%s) is not globally reachable, and public here", r.prefix, r.name)
			}
		}
	}
}

func TestRegistriesAtRandom(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	rows4, rows6 := registry(t, "iana-ipv4.csv"), everyRow6(t)
	for range 200_000 {
		var b [16]byte
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		checkClass(t, rows4, netip.AddrFrom4([4]byte(b[:4])))
		// Within a registered block, so that the small ones are met too.
		p := rows6[rng.IntN(len(rows6))].prefix
		base := p.Addr().As16()
		for i := p.Bits(); i < 128; i++ {
			base[i/8] = base[i/8]&^(0x80>>(i%8)) | b[i/8]&(0x80>>(i%8))
		}
		a := netip.AddrFrom16(base)
		if a.As16()[10] == 0x5e && a.As16()[11] == 0xfe {
			continue
		}
		checkClass(t, rows6, a)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]egress.Class{
		"8.8.8.8": egress.ClassPublic, "2606:4700:4700::1111": egress.ClassPublic, "2620:4f:8000::1": egress.ClassPublic,
		// Metadata, wherever it stands.
		"169.254.169.254": egress.ClassMetadata, "169.254.169.253": egress.ClassMetadata, "169.254.170.2": egress.ClassMetadata,
		"169.254.170.23": egress.ClassMetadata, "168.63.129.16": egress.ClassMetadata, "100.100.100.200": egress.ClassMetadata,
		"192.0.0.192": egress.ClassMetadata, "169.254.0.23": egress.ClassMetadata, "169.254.42.42": egress.ClassMetadata,
		"fd00:ec2::254": egress.ClassMetadata, "fd00:ec2::23": egress.ClassMetadata, "fd20:ce::254": egress.ClassMetadata,
		"fd00:c1::a9fe:a9fe": egress.ClassMetadata, "fd00:42::42": egress.ClassMetadata, "fe80::a9fe:a9fe": egress.ClassMetadata,
		"168.63.129.15": egress.ClassPublic, "168.63.129.17": egress.ClassPublic, "169.254.169.252": egress.ClassLinkLocal,
		"100.100.100.201": egress.ClassCGNAT, "fd20:ce::253": egress.ClassPrivate, "fd00:ec3::254": egress.ClassPrivate,
		// IPv4 within IPv6, by each way.
		"::ffff:127.0.0.1": egress.ClassLoopback, "::ffff:8.8.8.8": egress.ClassTranslated, "::127.0.0.1": egress.ClassLoopback,
		"::8.8.8.8": egress.ClassTranslated, "::2": egress.ClassThisNetwork, "::": egress.ClassUnspecified, "::1": egress.ClassLoopback,
		"::ffff:0:7f00:1": egress.ClassLoopback, "::ffff:0:808:808": egress.ClassTranslated,
		"64:ff9b::a9fe:a9fe": egress.ClassMetadata, "64:ff9b::808:808": egress.ClassTranslated, "64:ff9b::a00:5": egress.ClassPrivate,
		"64:ff9b:1::a00:5": egress.ClassPrivate, "64:ff9b:1:2:3:4:808:808": egress.ClassTranslated, "64:ff9b:1::": egress.ClassUnspecified,
		"64:ff9b:0:1::a00:5": egress.ClassReserved, "64:ff9b:2::a00:5": egress.ClassReserved,
		"2002:a9fe:a9fe::1": egress.ClassMetadata, "2002:808:808::1": egress.ClassTranslated, "2002:e000:1::": egress.ClassMulticast,
		"2001:0:808:808:0:0:80ff:fffe": egress.ClassLoopback, "2001:0:7f00:1:0:0:f7f7:f7f7": egress.ClassTranslated,
		"2600:1f00::5efe:a00:1": egress.ClassPrivate, "2600:1f00::200:5efe:a9fe:a9fe": egress.ClassMetadata,
		"2600:1f00::5efe:808:808": egress.ClassTranslated, "2600:1f00::100:5efe:a00:1": egress.ClassPublic, "fd00::5efe:7f00:1": egress.ClassLoopback,
		// Zero groups that hold nothing.
		"::1:0:0": egress.ClassReserved, "0:0:0:1::1": egress.ClassReserved, "::fffe:a00:5": egress.ClassReserved,
	} {
		if got := egress.Classify(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
	for _, a := range []netip.Addr{{}, netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("2606:4700::1%1"), netip.MustParseAddr("::ffff:8.8.8.8%lo")} {
		if got := egress.Classify(a); got != egress.ClassInvalid {
			t.Errorf("%s is %s, want invalid", a, got)
		}
	}
}

func TestClassifyAllocatesNothing(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2600:1f00::5efe:a00:1"), netip.MustParseAddr("fe80::1")}
	s, _ := egress.NewSpace(egress.SpaceConfig{Inside: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if n := testing.AllocsPerRun(100, func() {
		for _, a := range addrs {
			_ = s.Open(a, 443)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
