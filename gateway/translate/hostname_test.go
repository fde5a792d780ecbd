package translate

import (
	"net/netip"
	"strings"
	"testing"
)

func TestIntersect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{"*", "*", "*"},
		{"*", "a.example", "a.example"},
		{"*", "*.example", "*.example"},
		{"a.example", "a.example", "a.example"},
		{"a.example", "b.example", ""},
		{"*.example", "a.example", "a.example"},
		{"*.example", "a.b.example", "a.b.example"},
		{"*.example", "example", ""},
		{"*.example", ".example", ""},
		{"*.example", "*.example", "*.example"},
		{"*.example", "*.b.example", "*.b.example"},
		{"*.example", "*.other", ""},
		{"*.example", "anexample", ""},
		{"*.a.example", "*.b.example", ""},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got, ok := intersect(pair[0], pair[1]); got != c.want || ok != (c.want != "") {
				t.Errorf("intersect(%q, %q) = %q, %t, want %q", pair[0], pair[1], got, ok, c.want)
			}
		}
	}
}

func TestHostName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want string
	}{
		{"Example.COM", "example.com"},
		{"localhost", "localhost"},
		{"a-b.c1", "a-b.c1"},
		{"1password.com", "1password.com"},
		{"0xyz.com", "0xyz.com"},
		{"a.0xyz", "a.0xyz"},
		{"", ""},
		{".", ""},
		{"a.", ""},
		{".a", ""},
		{"a..b", ""},
		{"a_b", ""},
		{"-a.b", ""},
		{"a b", ""},
		{"a:80", ""},
		{"*.a", ""},
		{"10.0.0.1", ""},
		{"127.1", ""},
		{"2130706433", ""},
		{"0x7f.1", ""},
		{"a.0x7f", ""},
		{"0x", ""},
		{"017700000001", ""},
		{"::1", ""},
		{"\u212a.example", ""},
		{strings.Repeat("a", 64) + ".example", ""},
		{"xn--nxasmq6b", "xn--nxasmq6b"},
		{"b\u00fccher.example", ""},
		{strings.Repeat("a.", 127) + "a", ""},
	} {
		if got, ok := hostName(c.in); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("hostName(%q) = %q, %t, want %q", c.in, got, ok, c.want)
		}
	}
}

// FuzzHostName: what is taken for a name is one in every reader's eyes.
func FuzzHostName(f *testing.F) {
	for _, s := range []string{"a.example", "*.a.example", "127.1", "0x7f.1", "::1", "a..b", "A.B", "1.2.3.4.5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, ok := hostPatternOf(s)
		if !ok {
			return
		}
		name := strings.TrimPrefix(host, "*.")
		if name != strings.ToLower(name) || strings.ContainsAny(name, "*:/;=, \t%@[]_") || name == "" || len(host) > 255 {
			t.Errorf("%q became %q", s, host)
		}
		if _, err := netip.ParseAddr(name); err == nil {
			t.Errorf("%q is an address", name)
		}
		if again, ok := hostPatternOf(host); !ok || again != host {
			t.Errorf("%q became %q, and then %q", s, host, again)
		}
		if _, ok := intersect(host, host); !ok {
			t.Errorf("%q does not meet itself", host)
		}
	})
}
