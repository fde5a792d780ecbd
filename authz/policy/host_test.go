package policy

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"web.example", []string{"web.example"}, []string{"", "Web.example", "web.example.", "www.web.example", "xweb.example"}},
		{"*.example.com", []string{"a.example.com"}, []string{"example.com", "a.b.example.com", "evilexample.com"}},
		{"**.example.com", []string{"a.example.com", "a.b.example.com"}, []string{"example.com", "evil-example.com", "example.com.evil"}},
		{"*", []string{"anything.example", "10.0.0.1", "[2001:db8::1]"}, []string{""}},
		{"**", []string{"anything.example"}, []string{""}},
		{"api.*.example", []string{"api.eu.example"}, []string{"api.example", "api.a.b.example"}},
		{"**.1", nil, []string{"10.0.0.1"}},
		{"10.0.0.1", []string{"10.0.0.1", "::ffff:10.0.0.1", "[::ffff:10.0.0.1]"}, []string{"10.0.0.2", "010.0.0.1"}},
		{"10.0.0.0/8", []string{"10.1.2.3", "[::ffff:10.1.2.3]"}, []string{"11.0.0.1", "10.example", "10.1.2.3.example"}},
		{"2001:db8::/32", []string{"2001:db8::1", "[2001:db8::1]"}, []string{"2001:db9::1", "[2001:db8::1%eth0]", "10.0.0.1"}},
		{"2001:db8::1", []string{"[2001:db8::1]", "2001:db8:0::1"}, []string{"[2001:db8::2]"}},
		{"0.0.0.0/0", []string{"8.8.8.8"}, []string{"[2001:db8::1]", "a.example"}},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			t.Parallel()
			h := newHosts([]string{tt.pattern}, func(_ int, err error) {
				if tt.yes != nil {
					t.Errorf("refused: %v", err)
				}
			})
			for _, host := range tt.yes {
				if !h.match(host) {
					t.Errorf("%q does not match", host)
				}
			}
			for _, host := range tt.no {
				if h.match(host) {
					t.Errorf("%q matches", host)
				}
			}
		})
	}
}

func TestHostsRefuse(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]error{
		"Web.example":                     errUpper,
		"web.example.":                    errDot,
		"api-*.example.com":               errPartial,
		"*x.example.com":                  errPartial,
		"***.example":                     errStars,
		"a..example":                      errLabel,
		"":                                errLabel,
		"-a.example":                      errLabel,
		"a-.example":                      errLabel,
		"a b.example":                     errLabel,
		"bücher.example":                  errLabel,
		strings.Repeat("a", 64) + ".x":    errLabel,
		strings.Repeat("a.", 127) + "abc": errHostLong,
		"10.0.0.01":                       errNumeric,
		"10.0.1":                          errNumeric,
		"2130706433":                      errNumeric,
		"0x7f.1":                          errNumeric,
		"127.0.0.0x1":                     errNumeric,
		"*.1":                             errNumeric,
		"[2001:db8::1]":                   errBrackets,
		"fe80::1%eth0":                    errZone,
		"::ffff:10.0.0.1":                 errMapped,
		"::ffff:10.0.0.0/104":             errMapped,
		"10.0.0.1/8":                      errHostBits,
		"web.example:443":                 errNumeric,
		"https://web.example":             nil,
		"10.0.0.0/33":                     nil,
		"a/b":                             nil,
	} {
		var got error
		newHosts([]string{pattern}, func(_ int, err error) { got = err })
		if got == nil || (want != nil && !errors.Is(got, want)) {
			t.Errorf("%q: got %v, want %v", pattern, got, want)
		}
	}
}

func TestTooWide(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		"*.com": true, "**.com": true, "*.co.uk": true, "*.*.com": true,
		"*": false, "**": false, "com": false, "*.example.com": false, "*.internal": false, "*.example": false,
		"**.github.io": false, "web.com": false, "api.*.com": false,
	} {
		if got := tooWide(pattern); got != want {
			t.Errorf("tooWide(%q) = %v, want %v", pattern, got, want)
		}
	}
}

func FuzzHosts(f *testing.F) {
	f.Add("*.example.com", "a.example.com")
	f.Add("10.0.0.0/8", "10.1.1.1")
	f.Add("2001:db8::/32", "[2001:db8::1]")
	f.Fuzz(func(t *testing.T, pattern, host string) {
		ok := true
		h := newHosts([]string{pattern}, func(int, error) { ok = false })
		if !ok && h.match(host) {
			t.Errorf("%q was refused and matches %q", pattern, host)
		}
		if ok && !strings.ContainsAny(pattern, "*:/") && !numeric(pattern) && h.match(host) != (pattern == host) {
			t.Errorf("%q matches %q", pattern, host)
		}
	})
}

// A long list of globs matches what one of them does, and nothing else.
func TestManyHosts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	name := func(stars bool) string {
		of := []string{"a", "b", "c"}
		if stars {
			of = append(of, "*", "**")
		}
		var ls []string
		for range 1 + r.IntN(4) {
			ls = append(ls, of[r.IntN(len(of))])
		}
		return strings.Join(ls, ".")
	}
	good := func(_ int, err error) { t.Error(err) }
	matched := 0
	for range 100 {
		list := make([]string, 3*few)
		for i := range list {
			list[i] = "*." + name(true)
			if i%few == 0 {
				list[i] = name(true) + ".*"
			}
		}
		many := newHosts(list, good)
		for range 50 {
			host := name(false)
			want := slices.ContainsFunc(list, func(p string) bool { return newHosts([]string{p}, good).match(host) })
			if got := many.match(host); got != want {
				t.Fatalf("%q in %v: %v, want %v", host, list, got, want)
			}
			if want {
				matched++
			}
		}
		if !many.any && many.byTail == nil {
			t.Fatal("many globs are looked at one by one")
		}
	}
	if matched == 0 {
		t.Error("nothing matched, so that nothing was tried")
	}
}
