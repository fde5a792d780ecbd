package wire

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParseCanaryHost: what is read is what is written, and nothing else is.
func FuzzParseCanaryHost(f *testing.F) {
	for _, s := range []string{
		CanaryHost(CanaryOne, ModeHosts), CanaryHost(CanaryTwo, ModeGuard), "", ".hopgate.invalid", "one.hopgate.invalid", "one..hopgate.invalid",
		"one.hosts.hopgate.invalid.", "three.hosts.hopgate.invalid", "one.other.hopgate.invalid", "one.hosts.x.hopgate.invalid", "ONE.hosts.hopgate.invalid",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, m, ok := ParseCanaryHost(s)
		m = strings.TrimSuffix(m, InspectSuffix)
		if ok && (CanaryHost(d, m) != s && CanaryHost(d, m+InspectSuffix) != s || !slices.Contains(CanaryDestinations(), d) || m != ModeGuard && m != ModeInside && m != ModeHosts) {
			t.Errorf("%q is read as %q, %q", s, d, m)
		}
	})
}

func TestCanaryHost(t *testing.T) {
	t.Parallel()
	for _, d := range CanaryDestinations() {
		for _, m := range []string{ModeGuard, ModeInside, ModeHosts, ModeGuard + InspectSuffix, ModeHosts + InspectSuffix} {
			gotD, gotM, ok := ParseCanaryHost(CanaryHost(d, m))
			if diff := cmp.Diff([]string{d, m}, []string{gotD, gotM}); diff != "" || !ok {
				t.Errorf("differs (-want +got):\n%s", diff)
			}
		}
	}
}

// FuzzParseCanaryServerName: what is read is what is written, and nothing else
// is.
func FuzzParseCanaryServerName(f *testing.F) {
	host := CanaryHost(CanarySecure, ModeHosts)
	for _, s := range []string{
		CanaryServerName("0123456789", "cut", host), "", "...", host, "a.b." + host, "a.b.c." + host, "a.bb.c." + host, "..c." + host, "a.b.." + host,
		"a.b.c.three.hosts.hopgate.invalid", "a.b.c.d." + host, "a.b.c." + host + ".",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		secret, what, h, ok := ParseCanaryServerName(s)
		if _, _, known := ParseCanaryHost(h); ok && (!known || secret == "" || what == "" || CanaryServerName(secret, what, h) != s) {
			t.Errorf("%q is read as %q, %q, %q", s, secret, what, h)
		}
	})
}

func TestCanaryServerName(t *testing.T) {
	t.Parallel()
	host := CanaryHost(CanaryNever, ModeHosts)
	secret, what, h, ok := ParseCanaryServerName(CanaryServerName("0123456789ab", "refused", host))
	if diff := cmp.Diff([]string{"0123456789ab", "refused", host}, []string{secret, what, h}); diff != "" || !ok {
		t.Errorf("differs (-want +got):\n%s", diff)
	}
}

// TestCanaryTarget: it is read back, of no Gateway.
func TestCanaryTarget(t *testing.T) {
	t.Parallel()
	for _, l := range CanaryListeners() {
		want := CanaryTarget(l)
		got, err := ParseTarget(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("differs (-want +got):\n%s", diff)
		}
	}
	if got, err := ParseTarget("e=route;l=routes"); err == nil {
		t.Errorf("a route without a Gateway is read: %+v", got)
	}
}
