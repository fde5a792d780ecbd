package resolve_test

import (
	"context"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/resolve"
)

func BenchmarkLookupCached(b *testing.B) {
	x := newBench(b, func(c *resolve.Config) { c.Hosts = hostsOf("web.example", "127.0.0.1") })
	x.up.set("api.example.com", hasFor(300, "198.200.0.1", "198.200.0.2", "2606:4700::1"))
	x.up.set("trap.example.com", hasFor(300, "198.200.0.1", "10.0.0.5"))
	x.look(b, "api.example.com")
	x.look(b, "trap.example.com")
	for name, host := range map[string]string{"open": "api.example.com", "refused": "trap.example.com", "host": "web.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = x.Lookup(context.Background(), host)
			}
		})
	}
	b.Run("open, in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				_, _ = x.Lookup(context.Background(), "api.example.com")
			}
		})
	})
}

func BenchmarkLookupUncached(b *testing.B) {
	x := newBench(b, nil)
	x.up.set("api.example.com", hasFor(5, "198.200.0.1", "2606:4700::1"))
	b.ReportAllocs()
	for b.Loop() {
		x.clock.pass(time.Hour)
		if _, err := x.Lookup(context.Background(), "api.example.com"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApprove(b *testing.B) {
	c := newCounter(b, nil)
	until := c.clock.now()
	b.ReportAllocs()
	for b.Loop() {
		c.zone.Approve("api.example.com", until)
	}
}
