package egress_test

import (
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testcorpus"
)

// inetAton reads an address as the C library does (inet_aton(3)): one to four
// parts, each decimal, octal or hexadecimal, the last one filling the rest. It
// is laxer than any real one: parts may overflow.
func inetAton(s string) bool {
	parts := strings.Split(strings.TrimSuffix(s, "."), ".")
	if len(parts) > 4 {
		return false
	}
	for _, p := range parts {
		digits, set := p, "0123456789"
		switch {
		case strings.HasPrefix(p, "0x"), strings.HasPrefix(p, "0X"):
			digits, set = p[2:]+"0", "0123456789abcdefABCDEF"
		case strings.HasPrefix(p, "0"):
			set = "01234567"
		}
		if digits == "" || strings.Trim(digits, set) != "" {
			return false
		}
	}
	return true
}

func TestInetAton(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"127.0.0.1": true, "0177.1": true, "0x7f.1": true, "2130706433": true, "127.1": true, "0": true, "0x": true, "127.0.0.1.": true,
		"a.example": false, "1.2.3.4.5": false, "08": false, "0x7g": false, "": false,
	} {
		if got := inetAton(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

func FuzzParseAuthority(f *testing.F) {
	for _, r := range testcorpus.Rows(f) {
		f.Add(r.Target)
		f.Add(r.Host)
		f.Add(r.SNI)
	}
	for _, s := range []string{"0x7f.1:1", "[2001:DB8::1]", "a.example.:443", "XN--BCHER-KVA.de:1", "1.2.3.4", "08.example:1", "a.08"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, port := range []uint16{0, 80} {
			d, err := egress.ParseAuthority(s, port)
			if err != nil {
				reasonOf(t, err)
				continue
			}
			checkDestination(t, s, d)
		}
		if name, err := egress.ParseName(s); err == nil {
			if again, err := egress.ParseName(name); again != name || err != nil {
				t.Fatalf("name %q of %q is not canonical: %q, %v", name, s, again, err)
			}
		}
	})
}

func checkDestination(t *testing.T, s string, d egress.Destination) {
	t.Helper()
	if again, err := egress.ParseAuthority(d.String(), 0); again != d || err != nil {
		t.Fatalf("%q is %s, which is read as %s, %v", s, d, again, err)
	}
	if d.Port == 0 || len(d.Host) > 253 || strings.ToLower(d.Host) != d.Host || strings.HasSuffix(d.Host, ".") {
		t.Fatalf("%q gives %+v", s, d)
	}
	u, err := url.Parse("http://" + s + "/")
	if err != nil {
		t.Fatalf("%q is accepted, net/url refuses it: %v", s, err)
	}
	if got := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."); got != d.Host || u.Path != "/" || u.User != nil {
		t.Fatalf("%q: net/url reads %q, we %q", s, got, d.Host)
	}
	if p := u.Port(); p != "" && p != strconv.Itoa(int(d.Port)) {
		t.Fatalf("%q: net/url reads port %s, we %d", s, p, d.Port)
	}
	if a, err := netip.ParseAddr(d.Host); d.Addr.IsValid() != (err == nil) || a != d.Addr {
		t.Fatalf("%q gives address %s, netip reads %s, %v", s, d.Addr, a, err)
	}
	if !d.Addr.IsValid() && inetAton(d.Host) {
		t.Fatalf("%q is a name here and an address to C", d.Host)
	}
}

func FuzzCanonicalPath(f *testing.F) {
	for _, r := range testcorpus.Rows(f) {
		if len(r.Path) < 1000 {
			f.Add(r.Path)
		}
	}
	for _, s := range []string{"/%40a/%2B", "/%e4%b8%ad/", "/a%2e%2e", "/%2e./", "/%c0%ae", "/a?b#c", "/%EF%BC%8E"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := egress.CanonicalPath(s)
		if err != nil {
			reasonOf(t, err)
			return
		}
		if again, err := egress.CanonicalPath(p); again != p || err != nil {
			t.Fatalf("%q is %q, which is read as %q, %v", s, p, again, err)
		}
		raw, _, _ := strings.Cut(s, "?")
		want, err := url.PathUnescape(raw)
		if err != nil {
			t.Fatalf("%q is accepted, net/url refuses it: %v", s, err)
		}
		got, err := url.PathUnescape(p)
		if err != nil || got != want {
			t.Fatalf("%q is compared as %q, which decodes to %q and not %q (%v)", s, p, got, want, err)
		}
		if clean := path.Clean(got); clean != got && clean+"/" != got {
			t.Fatalf("%q decodes to %q, which cleans to %q", s, got, clean)
		}
		if twice, err := url.PathUnescape(got); err != nil || twice != got {
			t.Fatalf("%q decodes twice to %q", s, twice)
		}
	})
}

// FuzzKeptPath: what is kept is sound to each who reads it: to who undoes
// encoded slashes, and to who does not.
func FuzzKeptPath(f *testing.F) {
	for _, r := range testcorpus.Rows(f) {
		if len(r.Path) < 1000 {
			f.Add(r.Path)
		}
	}
	for _, s := range []string{"/a%2Fb", "/a%2f%2e./b", "/%2fa", "/a%2f", "/a%252fb", "/a%2f/b", "/a%2fb%5c", "/a%2fb?%2f", "/a%2F.%2Fb/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain, plainErr := egress.CanonicalPath(s)
		p, err := egress.KeptPath(s)
		switch {
		case err != nil:
			reasonOf(t, err)
			if plainErr == nil {
				t.Fatalf("%q is %q, and refused where slashes are kept: %v", s, plain, err)
			}
			return
		case plainErr == nil && plain != p:
			t.Fatalf("%q is %q, and %q where slashes are kept", s, plain, p)
		case (plainErr == nil) == strings.Contains(p, "%2F") || strings.Contains(p, "%2f"):
			t.Fatalf("%q is kept as %q, and without slashes %q, %v", s, p, plain, plainErr)
		}
		if again, err := egress.KeptPath(p); again != p || err != nil {
			t.Fatalf("%q is %q, which is read as %q, %v", s, p, again, err)
		}
		undone := strings.ReplaceAll(p, "%2F", "/")
		if again, err := egress.CanonicalPath(undone); again != undone || err != nil {
			t.Fatalf("%q is %q, and to who undoes its slashes %q, which is read as %q, %v", s, p, undone, again, err)
		}
		if strings.HasSuffix(p, "%2F") {
			t.Fatalf("%q is %q, which ends in an empty segment to who undoes its slashes", s, p)
		}
		raw, _, _ := strings.Cut(s, "?")
		want, err := url.PathUnescape(raw)
		if got, err2 := url.PathUnescape(p); err != nil || err2 != nil || got != want {
			t.Fatalf("%q is kept as %q, which decodes to %q and not %q (%v, %v)", s, p, got, want, err, err2)
		}
	})
}

func FuzzClassify(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "169.254.169.254", "8.8.8.8"} {
		a := netip.MustParseAddr(s).As4()
		f.Add(a[:])
	}
	for _, s := range []string{"::1", "2001:db8::1", "64:ff9b::a9fe:a9fe", "2600:1f00::5efe:a00:1", "2606:4700::1", "::ffff:10.0.0.1"} {
		a := netip.MustParseAddr(s).As16()
		f.Add(a[:])
	}
	rows4, rows6 := registry(f, "iana-ipv4.csv"), everyRow6(f)
	for _, r := range slices.Concat(rows4, rows6) {
		f.Add(r.prefix.Addr().AsSlice())
		f.Add(last(r.prefix).AsSlice())
	}
	plain, _ := egress.NewSpace(egress.SpaceConfig{})
	wide, _ := egress.NewSpace(egress.SpaceConfig{Inside: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		c := egress.Classify(a)
		if c == egress.ClassInvalid || c == "" {
			t.Fatalf("%s is %q", a, c)
		}
		rows := rows4
		if a.Is6() {
			rows = rows6
		}
		// ISATAP is no block: it is in the second half of any address.
		if isatap := a.Is6() && a.As16()[8]&^2 == 0 && a.As16()[9] == 0 && a.As16()[10] == 0x5e && a.As16()[11] == 0xfe; !isatap {
			checkClass(t, rows, a)
		} else if c == egress.ClassPublic {
			t.Fatalf("%s holds an IPv4 address, and is public", a)
		}
		public := c == egress.ClassPublic
		if public && (!a.IsGlobalUnicast() || a.IsPrivate() || a.Is4In6() || a.Is6() && a.As16()[0]>>5 != 1) {
			t.Fatalf("%s is public", a)
		}
		if got := plain.Open(a, 443); got.Open() != public || public && got.Mode != wire.ModeGuard {
			t.Fatalf("%s, %s, is open: %+v", a, c, got)
		}
		got := wide.Open(a, 443)
		never := a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.Is4In6() || c == egress.ClassMetadata
		if never && got.Open() {
			t.Fatalf("%s, %s, opens: %+v", a, c, got)
		}
		if got.Mode == wire.ModeInside && !a.IsPrivate() && c != egress.ClassCGNAT && c != egress.ClassBenchmark {
			t.Fatalf("%s, %s, opens inside", a, c)
		}
		if _, err := egress.ParseAuthority(egress.Destination{Host: a.String(), Addr: a, Port: 443}.String(), 0); err != nil {
			t.Fatalf("%s cannot be asked for: %v", a, err)
		}
	})
}
