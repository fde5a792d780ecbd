package check

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func keysOf(h *leash.Hop) map[leash.Key]int {
	out := map[leash.Key]int{}
	h.Subject.(*Held).Keys(func(k leash.Key) { out[k]++ })
	return out
}

// TestKeys: a hop is found by all that an order can name it by, by each token
// that it stood on, and by what allowed it.
func TestKeys(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	h.cfg.Contained = &orders{}
	first := h.tokenOf(10*time.Minute, func(c *token.Claims) { c.Actors = []string{"researcher", "planner"} })
	hop := h.live(at("/renew", first))
	h.ask(at("/public/a", h.tokenOf(20*time.Minute, func(c *token.Claims) { c.Actors = []string{"researcher", "planner"} })))
	want := map[leash.Key]int{
		{Kind: leash.KeyTxn, Domain: "agents/corp", Value: "txn-1"}:              1,
		{Kind: leash.KeySubject, Domain: "agents/corp", Value: "bob"}:            1,
		{Kind: leash.KeyAgent, Domain: "agents/corp", Value: "researcher"}:       1,
		{Kind: leash.KeyAgent, Domain: "agents/corp", Value: "planner"}:          1,
		{Kind: leash.KeyToken, Domain: "agents/corp", Value: "00ee000000000000"}: 1,
		{Kind: leash.KeyToken, Domain: "agents/corp", Value: "00ee010000000000"}: 1,
		{Kind: leash.KeyRule, Domain: "agents/renew", Value: "renewable"}:        1,
		{Kind: leash.KeyDomain, Domain: "agents/corp"}:                           1,
	}
	if diff := cmp.Diff(want, keysOf(hop)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if by := hop.Subject.(*Held).By(); by.Domain != key("corp") || by.Target.Listener != "agents" || by.Target.Gateway != "agents/egress" {
		t.Errorf("it was decided by %+v", by)
	}
	nobody := &leash.Hop{Subject: &Held{hop: h.live(at("/public/a")).Subject.(*Held).hop}}
	held := nobody.Subject.(*Held)
	held.hop.Claims, held.hop.Peer = nil, "spiffe://corp/x"
	if diff := cmp.Diff(map[leash.Key]int{{Kind: leash.KeyPeer, Value: "spiffe://corp/x"}: 1}, keysOf(nobody)); diff != "" {
		t.Errorf("keys without a token (-want +got):\n%s", diff)
	}
	if by := held.By(); by.Domain != (feedv1.Key{}) {
		t.Errorf("without a token it is of trust domain %s", by.Domain)
	}
}

// TestKeyOf: every kind of order has a kind of key, and no two the same.
func TestKeyOf(t *testing.T) {
	t.Parallel()
	seen := map[leash.KeyKind]bool{}
	for _, kind := range []contain.Kind{contain.KindToken, contain.KindTxn, contain.KindSubject, contain.KindAgent, contain.KindPeer} {
		k, ok := KeyOf(contain.Key{Kind: kind, Domain: "d", Value: "v"})
		if !kind.Known() || !ok || seen[k.Kind] || k.Domain != "d" || k.Value != "v" {
			t.Errorf("the key of %s is %+v, %t", kind, k, ok)
		}
		seen[k.Kind] = true
	}
	if k, ok := KeyOf(contain.Key{Kind: "odd", Value: "v"}); ok {
		t.Errorf("an odd kind has key %+v", k)
	}
}

// late is an order for a token that comes as a hop is renewed by it.
type late struct{}

func (late) Cut(h *contain.Hop, _ time.Time) (contain.Order, bool) {
	return contain.Order{Verb: contain.VerbRevoke}, len(h.Before) > 0
}

// TestAnOrderThatComesAsAHopIsRenewed ends it.
func TestAnOrderThatComesAsAHopIsRenewed(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	h.cfg.Contained = late{}
	hop := h.live(at("/renew"))
	h.ask(at("/public/a", h.tokenOf(20*time.Minute)))
	if _, lives := h.register.Live(hop.ID); lives {
		t.Error("the hop lives on")
	}
}

func TestCutOf(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		denial.TokenRevoked: wire.DetailRevoked, denial.Quarantined: wire.DetailQuarantined, denial.RuleDenied: wire.DetailRefused,
		denial.Expired: wire.DetailExpired, "": wire.DetailRefused,
	} {
		if got := CutOf(code); got.Detail != want || got.Code != code {
			t.Errorf("CutOf(%q) = %+v, want %s", code, got, want)
		}
	}
}
