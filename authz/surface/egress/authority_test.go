package egress_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

func TestParseAuthorityAccepts(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	long := strings.Repeat("a", 63)
	name253 := strings.Join([]string{long, long, long, strings.Repeat("b", 61)}, ".")
	for _, c := range []struct {
		in          string
		defaultPort uint16
		want        egress.Destination
		text        string
	}{
		{"api.example.com:443", 0, egress.Destination{Host: "api.example.com", Port: 443}, "api.example.com:443"},
		{"API.Example.COM", 80, egress.Destination{Host: "api.example.com", Port: 80}, "api.example.com:80"},
		{"api.example.com.:1", 0, egress.Destination{Host: "api.example.com", Port: 1}, "api.example.com:1"},
		{"api.example.com:65535", 80, egress.Destination{Host: "api.example.com", Port: 65535}, "api.example.com:65535"},
		{"localhost:80", 0, egress.Destination{Host: "localhost", Port: 80}, "localhost:80"},
		{"_sip.a_b.example:80", 0, egress.Destination{Host: "_sip.a_b.example", Port: 80}, "_sip.a_b.example:80"},
		{"r3---sn-x.example:80", 0, egress.Destination{Host: "r3---sn-x.example", Port: 80}, "r3---sn-x.example:80"},
		{"1.2.3.example:80", 0, egress.Destination{Host: "1.2.3.example", Port: 80}, "1.2.3.example:80"},
		{"0x7f.example:80", 0, egress.Destination{Host: "0x7f.example", Port: 80}, "0x7f.example:80"},
		{"0x7g:80", 0, egress.Destination{Host: "0x7g", Port: 80}, "0x7g:80"},
		{"1e100.example:80", 0, egress.Destination{Host: "1e100.example", Port: 80}, "1e100.example:80"},
		{"XN--BCHER-KVA.example:80", 0, egress.Destination{Host: "xn--bcher-kva.example", Port: 80}, "xn--bcher-kva.example:80"},
		{"xn--strae-oqa.example:80", 0, egress.Destination{Host: "xn--strae-oqa.example", Port: 80}, "xn--strae-oqa.example:80"},
		{name253 + ":80", 0, egress.Destination{Host: name253, Port: 80}, name253 + ":80"},
		{name253 + ".:65535", 0, egress.Destination{Host: name253, Port: 65535}, name253 + ":65535"},
		{"8.8.8.8:53", 0, egress.Destination{Host: "8.8.8.8", Addr: addr("8.8.8.8"), Port: 53}, "8.8.8.8:53"},
		{"255.255.255.255", 9, egress.Destination{Host: "255.255.255.255", Addr: addr("255.255.255.255"), Port: 9}, "255.255.255.255:9"},
		{"[2001:db8::1]:443", 0, egress.Destination{Host: "2001:db8::1", Addr: addr("2001:db8::1"), Port: 443}, "[2001:db8::1]:443"},
		{"[2001:DB8::A]", 80, egress.Destination{Host: "2001:db8::a", Addr: addr("2001:db8::a"), Port: 80}, "[2001:db8::a]:80"},
		{"[::]:1", 0, egress.Destination{Host: "::", Addr: addr("::"), Port: 1}, "[::]:1"},
		{"[::ffff:10.0.0.5]:1", 0, egress.Destination{Host: "::ffff:10.0.0.5", Addr: addr("::ffff:10.0.0.5"), Port: 1}, "[::ffff:10.0.0.5]:1"},
	} {
		got, err := egress.ParseAuthority(c.in, c.defaultPort)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.in, diff)
		}
		if got.String() != c.text {
			t.Errorf("%q: text is %s, want %s", c.in, got, c.text)
		}
	}
}

func TestParseAuthorityRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for _, c := range []struct {
		in   string
		want egress.Reason
	}{
		// Ports.
		{"a.example", egress.ReasonNoPort},
		{"10.0.0.1", egress.ReasonNoPort},
		{"[2001:db8::1]", egress.ReasonNoPort},
		{"a.example:0", egress.ReasonPort},
		{"a.example:00", egress.ReasonPort},
		{"a.example:080", egress.ReasonPort},
		{"a.example:65536", egress.ReasonPort},
		{"a.example:99999", egress.ReasonPort},
		{"a.example:4294967739", egress.ReasonPort},
		{"a.example:0x1bb", egress.ReasonPort},
		{"a.example:4e2", egress.ReasonPort},
		{"a.example:443.", egress.ReasonPort},
		{"a.example: 443", egress.ReasonBytes},
		{"a.example:443 ", egress.ReasonBytes},
		{"a.example:443\r\nHost: b", egress.ReasonBytes},
		{"a.example:４４３", egress.ReasonBytes},
		{"a.example:1_0", egress.ReasonPort},
		{"[2001:db8::1]:", egress.ReasonPort},
		{"a.example::443", egress.ReasonPort},
		{"a.example:443:", egress.ReasonPort},
		// Names.
		{"", egress.ReasonHost},
		{":443", egress.ReasonHost},
		{".:443", egress.ReasonHost},
		{"..:443", egress.ReasonHost},
		{".example:443", egress.ReasonHost},
		{"a..example:443", egress.ReasonHost},
		{"a.example..:443", egress.ReasonHost},
		{"-a.example:443", egress.ReasonHost},
		{"a-.example:443", egress.ReasonHost},
		{"a.-:443", egress.ReasonHost},
		{long + "a.example:443", egress.ReasonHost},
		{"*.example:443", egress.ReasonHost},
		{"a!b.example:443", egress.ReasonHost},
		{long + "." + long + "." + long + "." + strings.Repeat("b", 62) + ":1", egress.ReasonHost},
		{strings.Repeat("a", 1<<20), egress.ReasonHost},
		{"a+b.example:443", egress.ReasonHost},
		{"(a).example:443", egress.ReasonHost},
		{"a.example;b:443", egress.ReasonHost},
		{"a.example&b:443", egress.ReasonHost},
		{`"a.example":443`, egress.ReasonHost},
		{"a.example/:443", egress.ReasonHost},
		{"a.example\\:443", egress.ReasonHost},
		{"//a.example:443", egress.ReasonHost},
		{"a.example#:443", egress.ReasonHost},
		{"a.example,b.example:443", egress.ReasonHost},
		{"<a>.example:443", egress.ReasonHost},
		// User, encoding, bytes.
		{"u@a.example:443", egress.ReasonUserInfo},
		{"u:p@a.example:443", egress.ReasonUserInfo},
		{"@a.example:443", egress.ReasonUserInfo},
		{"a%2eexample:443", egress.ReasonEncoded},
		{"%:443", egress.ReasonEncoded},
		{"a.example%:443", egress.ReasonEncoded},
		{"a.example\x00:443", egress.ReasonBytes},
		{"\x7fa.example:443", egress.ReasonBytes},
		{"a\xff.example:443", egress.ReasonBytes},
		{"bücher.example:443", egress.ReasonBytes},
		{" a.example:443", egress.ReasonBytes},
		{"\ta.example:443", egress.ReasonBytes},
		// A-labels.
		{"xn--:443", egress.ReasonHost},
		{"xn--a.example:443", egress.ReasonALabel},
		{"xn--abc.example:443", egress.ReasonALabel},
		{"xn--allowed-.example:443", egress.ReasonHost},
		{"a.xn---:443", egress.ReasonHost},
		{"xn--_-x.example:443", egress.ReasonALabel},
		{"xn--allowed-x.example:443", egress.ReasonALabel},
		{"xn--zz zz:443", egress.ReasonBytes},
		{"xn--99999999999.example:443", egress.ReasonALabel},
		// IPv4 in other spellings.
		{"127.1:443", egress.ReasonNotation},
		{"127.0.0.1.:443", egress.ReasonNotation},
		{"0:443", egress.ReasonNotation},
		{"0x0:443", egress.ReasonNotation},
		{"0X7F.0.0.1:443", egress.ReasonNotation},
		{"127.0.0.0x1:443", egress.ReasonNotation},
		{"a.0x:443", egress.ReasonNotation},
		{"0x.:443", egress.ReasonNotation},
		{"a.1:443", egress.ReasonNotation},
		{"a.08:443", egress.ReasonNotation},
		{"1.2.3.4.5:443", egress.ReasonNotation},
		{"1.2.3:443", egress.ReasonNotation},
		{"1.2.3.256:443", egress.ReasonNotation},
		{".1.2.3.4:443", egress.ReasonNotation},
		{"1..2.3.4:443", egress.ReasonNotation},
		{"1.2.3.04:443", egress.ReasonNotation},
		{"99999999999999999999:443", egress.ReasonNotation},
		{"a_b.7:443", egress.ReasonNotation},
		// IPv6 in other spellings.
		{"::1:443", egress.ReasonNotation},
		{"2001:db8::1", egress.ReasonNotation},
		{"[]:443", egress.ReasonNotation},
		{"[:443", egress.ReasonNotation},
		{"[::1:443", egress.ReasonNotation},
		{"[::1]443", egress.ReasonNotation},
		{"[::1]]:443", egress.ReasonNotation},
		{"[[::1]]:443", egress.ReasonNotation},
		{"a[::1]:443", egress.ReasonNotation},
		{"[0:0:0:0:0:0:0:1]:443", egress.ReasonNotation},
		{"[::0001]:443", egress.ReasonNotation},
		{"[2001:db8:0:0::1]:443", egress.ReasonNotation},
		{"[::ffff:a00:5]:443", egress.ReasonNotation},
		{"[::1.2.3.4]:443", egress.ReasonNotation},
		{"[::ffff:010.0.0.5]:443", egress.ReasonNotation},
		{"[1.2.3.4]:443", egress.ReasonNotation},
		{"[a.example]:443", egress.ReasonNotation},
		{"[v1.a]:443", egress.ReasonNotation},
		{"[::1", egress.ReasonNotation},
		{"]::1[:443", egress.ReasonNotation},
		{"[::1].:443", egress.ReasonNotation},
		{"[::1%25lo]:443", egress.ReasonZone},
		{"[fe80::1%eth0]:443", egress.ReasonZone},
		{"[::1%]:443", egress.ReasonZone},
		{"::1%lo", egress.ReasonEncoded},
	} {
		got, err := egress.ParseAuthority(c.in, 0)
		if err == nil {
			t.Errorf("%.80q: accepted as %s", c.in, got)
			continue
		}
		if reason := reasonOf(t, err); reason != string(c.want) {
			t.Errorf("%.80q: reason is %s, want %s", c.in, reason, c.want)
		}
		if got != (egress.Destination{}) {
			t.Errorf("%.80q: refused, yet gives %+v", c.in, got)
		}
	}
}

// A Host header within a tunnel is its tunnel's target or another place: one
// comparison says.
func TestDestinationsCompare(t *testing.T) {
	t.Parallel()
	parse := func(s string) egress.Destination {
		d, err := egress.ParseAuthority(s, 443)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tunnel := parse("Allowed.Example.:443")
	for s, same := range map[string]bool{
		"allowed.example": true, "ALLOWED.example:443": true, "allowed.example.": true,
		"allowed.example:80": false, "other.example": false, "a.allowed.example": false,
	} {
		if got := parse(s) == tunnel; got != same {
			t.Errorf("%s is the target: %v, want %v", s, got, same)
		}
	}
	if parse("[2001:DB8::1]") != parse("[2001:db8::1]:443") {
		t.Error("two spellings of one address differ")
	}
}

func TestParseName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"A.Example": "a.example", "a.example.": "a.example", "single": "single", "_x.example": "_x.example"} {
		if got, err := egress.ParseName(in); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]egress.Reason{
		"": egress.ReasonHost, ".": egress.ReasonHost, "a.example:443": egress.ReasonNotation, "10.0.0.1": egress.ReasonNotation,
		"[::1]": egress.ReasonNotation, "::1": egress.ReasonNotation, `a\.b.example`: egress.ReasonHost, "a b.example": egress.ReasonBytes,
		strings.Repeat("a.", 126) + "a": "", strings.Repeat("a.", 200): egress.ReasonHost, "0x7f": egress.ReasonNotation,
		"u@a.example": egress.ReasonUserInfo, "a..b": egress.ReasonHost,
	} {
		got, err := egress.ParseName(in)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", in, err)
			}
			continue
		}
		if err == nil || got != "" || reasonOf(t, err) != string(want) {
			t.Errorf("%q: %q, %v, want %s", in, got, err, want)
		}
	}
}
