package egress_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/internal/testcorpus"
)

func TestParseAbsolute(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://a.example": "a.example:80 /", "HTTP://A.example.:81/x?y": "a.example:81 /x?y", "http://[2606:4700::1]/": "[2606:4700::1]:80 /",
		"https://a.example/": "bad_scheme", "ftp://a.example/": "bad_scheme", "http:/a.example/": "bad_scheme", "/x": "bad_scheme", "": "bad_scheme",
		"http://": "bad_host", "http:///x": "bad_host", "http://u@a.example/": "user_info", "http://a.example#x": "fragment", "http://a.example?x": "path_form",
	} {
		d, path, err := egress.ParseAbsolute(in)
		got := d.String() + " " + path
		if err != nil {
			got = reasonOf(t, err)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestParseHostWantsADefault(t *testing.T) {
	t.Parallel()
	if _, err := egress.ParseHost("a.example", 0); err == nil {
		t.Error("a host without any port is read")
	}
	if d, err := egress.ParseTarget("a.example"); err == nil {
		t.Errorf("a target without a port is read: %s", d)
	}
}

func TestParseServerName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a.example": "a.example", "A.Example": "a.example", "a.example.": "bad_host", "": "bad_host", "127.0.0.1": "address_notation",
		"[::1]": "address_notation", "a.example:443": "address_notation", "a\x00.example": "bad_bytes", "a,b.example": "bad_host", "0x7f.1": "address_notation",
	} {
		got, err := egress.ParseServerName(in)
		if err != nil {
			got = reasonOf(t, err)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestPlainMethod(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"GET": true, "VERSION-CONTROL": true, "M_SEARCH": true, "get": false, "Get": false, "": false, "GET ": false, "GET\x00": false, "G\u00c9T": false, "GET/": false,
	} {
		if got := egress.PlainMethod(in); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

func FuzzParsePort(f *testing.F) {
	for _, s := range []string{"443", "0", "0443", "65535", "65536", "+1", "-1", " 1", "1 ", "0x1", "", "\u0664", "1e3", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := egress.ParsePort(s)
		n, err2 := strconv.ParseUint(s, 10, 16)
		if one := err2 == nil && n > 0 && strconv.FormatUint(n, 10) == s; one != (err == nil) || one && uint64(got) != n {
			t.Errorf("%q: %d, %v; strconv reads %d, %v", s, got, err, n, err2)
		}
	})
}

func FuzzParseServerName(f *testing.F) {
	for _, r := range testcorpus.Rows(f) {
		f.Add(r.SNI)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := egress.ParseServerName(s)
		if err != nil {
			reasonOf(t, err)
			return
		}
		// What is compared with it is the target of a CONNECT.
		if d, err := egress.ParseTarget(s + ":443"); err != nil || d.Host != name || d.Addr.IsValid() || !strings.EqualFold(s, name) {
			t.Errorf("%q is %q as a server name, and %s as a target, %v", s, name, d, err)
		}
	})
}

func FuzzParseAbsolute(f *testing.F) {
	for _, r := range testcorpus.Rows(f) {
		if r.Client == testcorpus.Absolute {
			f.Add(r.Target)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, path, err := egress.ParseAbsolute(s)
		if err != nil {
			reasonOf(t, err)
			return
		}
		if again, p, err := egress.ParseAbsolute("http://" + d.String() + path); again != d || p != path || err != nil {
			t.Fatalf("%q is %s and %q, which is read as %s and %q, %v", s, d, path, again, p, err)
		}
		p, err := egress.CanonicalPath(path)
		if err != nil {
			return // the path is read by itself, and refused
		}
		u, err := url.Parse(s)
		if err != nil {
			t.Fatalf("%q is accepted, net/url refuses it: %v", s, err)
		}
		if got := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."); got != d.Host || u.User != nil || u.Scheme != "http" {
			t.Fatalf("%q: net/url reads %q, we %q", s, got, d.Host)
		}
		if want, err := url.PathUnescape(p); err != nil || u.Path != want && (u.Path != "" || want != "/") {
			t.Fatalf("%q: net/url reads the path %q, we %q", s, u.Path, want)
		}
	})
}

func FuzzPlainMethod(f *testing.F) {
	for _, s := range []string{"GET", "get", "CONNECT", "", " ", "A-B", "A_B", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if egress.PlainMethod(s) && (s == "" || strings.ToUpper(s) != s || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "") {
			t.Errorf("%q is plain", s)
		}
	})
}
