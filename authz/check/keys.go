package check

import (
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Keys are what a live hop is found by (leash.Keyed): all that an order can
// name it by, and more.
func (h *Held) Keys(add func(leash.Key)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.hop.Claims
	for _, k := range (&contain.Hop{Claims: c, Before: h.before, Peer: h.hop.Peer}).Keys() {
		if key, ok := KeyOf(k); ok {
			add(key)
		}
	}
	if h.policy != "" {
		add(leash.Key{Kind: leash.KeyRule, Domain: h.policy, Value: h.rule})
	}
	if c != nil {
		add(DomainKey(c.Domain))
	}
}

// KeyOf is the key of live hops that an order of k can cut off; false: there is
// none.
func KeyOf(k contain.Key) (key leash.Key, ok bool) {
	key = leash.Key{Domain: k.Domain, Value: k.Value}
	switch k.Kind {
	case contain.KindTxn:
		key.Kind = leash.KeyTxn
	case contain.KindSubject:
		key.Kind = leash.KeySubject
	case contain.KindAgent:
		key.Kind = leash.KeyAgent
	case contain.KindPeer:
		key.Kind = leash.KeyPeer
	case contain.KindToken:
		key.Kind = leash.KeyToken
	default:
		return leash.Key{}, false
	}
	return key, true
}

// DomainKey is the key of all hops whose token is of a trust domain.
func DomainKey(d feedv1.Key) leash.Key { return leash.Key{Kind: leash.KeyDomain, Domain: d.String()} }

// CutOf is how a live hop is ended that is denied by this code.
func CutOf(code string) leash.Cut {
	c := leash.Cut{Code: code, Detail: wire.DetailRefused}
	switch code {
	case denial.TokenRevoked:
		c.Detail = wire.DetailRevoked
	case denial.Quarantined:
		c.Detail = wire.DetailQuarantined
	case denial.Expired:
		c.Detail = wire.DetailExpired
	case denial.BudgetExhausted:
		c.Detail = wire.DetailLimit
	case denial.ShuttingDown:
		c.Detail = wire.DetailShutdown
	}
	return c
}

// By is what a live hop was decided by, as far as a feed can change it.
type By struct {
	Target wire.Target
	// Domain is the trust domain of its token; zero: it has none.
	Domain feedv1.Key
}

// By is what h was decided by. The target is not to be changed.
func (h *Held) By() By {
	h.mu.Lock()
	defer h.mu.Unlock()
	by := By{Target: h.hop.Target.Target}
	if c := h.hop.Claims; c != nil {
		by.Domain = c.Domain
	}
	return by
}
