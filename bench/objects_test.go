package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/xds/envoy"
)

// The objects are good, every route is there, and holds are off where they
// are meant to be.
func TestLayout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		layout
		hold time.Duration
	}{
		{"held", layout{port: 18080, upstream: 18081, routes: 1}, 0},
		{"unleashed", layout{port: 18080, upstream: 18081, routes: 1, unleashed: true}, 5 * time.Minute},
		{"many", layout{port: 18080, upstream: 18081, routes: 25}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := tt.write(dir); err != nil {
				t.Fatal(err)
			}
			r, err := laptop.Look([]string{dir}, t.TempDir(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if !r.Good() {
				t.Errorf("problems: %v", r.Worst())
			}
			var routes int
			for _, table := range r.Graph.Tables {
				routes += len(table.Fragments)
			}
			if routes != tt.routes || r.Feed.Gateways[0].Unleashed != tt.hold {
				t.Errorf("%d routes, unleashed %v; want %d, %v", routes, r.Feed.Gateways[0].Unleashed, tt.routes, tt.hold)
			}
		})
	}
}

// A baseline is a bootstrap that Envoy's own rules allow, with and without
// someone to ask.
func TestBaseline(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]string{"bare": "", "always-ok": "/run/guard.sock"} {
		v := baseline{port: 18080, upstream: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 18081), socket: socket}
		boot, err := v.bootstrap("/run/bench")
		if err != nil {
			t.Fatal(err)
		}
		if err := envoy.Check(boot); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := 1
		if socket != "" {
			want = 2
		}
		if got := len(boot.GetStaticResources().GetClusters()); got != want || boot.GetDynamicResources() != nil {
			t.Errorf("%s: %d clusters, want %d; dynamic %v", name, got, want, boot.GetDynamicResources())
		}
	}
}
