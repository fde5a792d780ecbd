package egress_test

import (
	"net/netip"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

func BenchmarkParseAuthority(b *testing.B) {
	for _, s := range []string{"api.example.com:443", "API.Example.com:443", "10.20.30.40:443", "[2606:4700:4700::1111]:443", "xn--bcher-kva.example.com:443"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := egress.ParseAuthority(s, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkClassify(b *testing.B) {
	for _, s := range []string{"10.0.0.1", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::a00:1"} {
		a := netip.MustParseAddr(s)
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = egress.Classify(a)
			}
		})
	}
}

func BenchmarkCanonicalPath(b *testing.B) {
	for _, s := range []string{"/v1/messages?beta=true", "/repos/acme/caf%c3%a9/%40scope"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := egress.CanonicalPath(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
