package check

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// TestPools: who and what may share a connection.
func TestPools(t *testing.T) {
	t.Parallel()
	s := open(t, build{}).Service
	target, claims, state := new(decide.Target), &token.Claims{Hash: [32]byte{1}}, &decide.State{Epoch: 7}
	a, b := netip.MustParseAddr("198.200.0.1"), netip.MustParseAddr("198.200.0.2")
	base := func() *work {
		w := &work{name: "first", world: &World{State: state}}
		w.hop.Target, w.hop.Claims, w.hop.Peer = target, claims, "10.1.2.3"
		w.way.Addrs = []netip.Addr{a, b}
		return w
	}
	for _, tc := range []struct {
		name   string
		change func(w *work)
		shared bool
	}{
		{"the next request", func(w *work) { w.name = "second" }, true},
		{"the same addresses in another order", func(w *work) { slices.Reverse(w.way.Addrs) }, true},
		{"the same token, read again", func(w *work) { c := *claims; w.hop.Claims = &c }, true},
		{"another token", func(w *work) { w.hop.Claims = &token.Claims{Hash: [32]byte{2}} }, false},
		{"no token", func(w *work) { w.hop.Claims = nil }, false},
		{"another peer", func(w *work) { w.hop.Peer = "10.1.2.4" }, false},
		{"another listener", func(w *work) { w.hop.Target = &decide.Target{Listener: &feedv1.Listener{Name: "other"}} }, false},
		{"another state", func(w *work) { w.world = &World{State: &decide.State{Epoch: 8}} }, false},
		{"another address", func(w *work) { w.way.Addrs = []netip.Addr{a, netip.MustParseAddr("198.200.0.3")} }, false},
		{"an address more", func(w *work) { w.way.Addrs = append(w.way.Addrs, netip.MustParseAddr("198.200.0.3")) }, false},
		{"an address less", func(w *work) { w.way.Addrs = w.way.Addrs[:1] }, false},
	} {
		w := base()
		tc.change(w)
		if shared := s.pool(base()) == s.pool(w); shared != tc.shared {
			t.Errorf("%s: shares connections: %v", tc.name, shared)
		}
	}
	w := base()
	w.hop.Claims, w.hop.Peer = nil, ""
	if got := s.pool(w); got != w.name {
		t.Errorf("somebody shares connections by %q", got)
	}
}

// TestRequestsShareConnections: two of the same caller, and neither hands on an id.
func TestRequestsShareConnections(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	one, two := h.ask(absolute("api.example")), h.ask(absolute("api.example"))
	if p := one.meta(wire.MetaPool); p == "" || p != two.meta(wire.MetaPool) || one.meta(wire.MetaTunnel) != "" {
		t.Errorf("pools %q, %q, tunnel %q", p, two.meta(wire.MetaPool), one.meta(wire.MetaTunnel))
	}
}
