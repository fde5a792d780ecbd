package guard

import (
	"fmt"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/policy/glob"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Order has an order stand, and ends what lives and is cut off by it. It says
// how many that were. What is acknowledged is on disk.
func (g *Guard) Order(o contain.Order) (contain.Order, int, error) {
	o, err := g.orders.Add(o)
	if err != nil {
		return o, 0, err
	}
	hops := g.register.Hops
	if key, ok := check.KeyOf(o.Key()); ok {
		hops = func() []*leash.Hop { return g.register.HopsOf(key) }
	}
	return o, g.end(hops(), g.check.Contained), nil
}

// Lift ends an order; false: there is none of that name.
func (g *Guard) Lift(id string) (contain.Order, bool, error) { return g.orders.Lift(id) }

// Orders are all that stand.
func (g *Guard) Orders() []contain.Order { return g.orders.Orders() }

// Streams are all hops that live, oldest first.
func (g *Guard) Streams() []leash.Stream { return g.register.Streams() }

// TrustDomains are those of the feed.
func (g *Guard) TrustDomains() []feedv1.TrustDomain {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.basis == nil {
		return nil
	}
	return g.basis.feed.TrustDomains
}

// quarantines reads those of a feed.
func quarantines(f *feedv1.Snapshot) ([]contain.Order, error) {
	out := make([]contain.Order, 0, len(f.Quarantines))
	for i := range f.Quarantines {
		q := &f.Quarantines[i]
		o := contain.Order{ID: "Quarantine/" + q.Name, Verb: contain.VerbQuarantine, Value: q.Value, Until: q.Until, Reason: q.Reason}
		switch q.Type {
		case v1alpha1.QuarantineAgent:
			o.Kind = contain.KindAgent
		case v1alpha1.QuarantineSubject:
			o.Kind = contain.KindSubject
		case v1alpha1.QuarantineTransaction:
			o.Kind = contain.KindTxn
		case v1alpha1.QuarantineToken:
			o.Kind = contain.KindToken
		case v1alpha1.QuarantinePeer:
			o.Kind = contain.KindPeer
		case feedv1.QuarantineEveryone:
			o.Kind = contain.KindEveryone
		default:
			return nil, fmt.Errorf("read quarantine %s: type %q is not known", q.Name, q.Type)
		}
		o.Except = places(q.Except)
		for _, each := range inDomains(o, q, f.TrustDomains) {
			if err := each.Check(); err != nil {
				return nil, fmt.Errorf("read quarantine %s: %w", q.Name, err)
			}
			out = append(out, each)
		}
	}
	return out, nil
}

// inDomains has o stand in the trust domain of q, and where it names none in
// each that is believed.
func inDomains(o contain.Order, q *feedv1.Quarantine, believed []feedv1.TrustDomain) []contain.Order {
	switch {
	case q.Type == v1alpha1.QuarantinePeer, q.Type == feedv1.QuarantineEveryone:
		return []contain.Order{o}
	case q.Domain != feedv1.Key{}:
		o.Domain = q.Domain.String()
		return []contain.Order{o}
	}
	out := make([]contain.Order, len(believed))
	for i := range believed {
		out[i] = o
		out[i].Domain = believed[i].Key.String()
		out[i].ID += " in " + out[i].Domain
	}
	return out
}

// places leaves out what cannot be understood: it stays closed.
func places(ps []feedv1.Place) []contain.Place {
	var out []contain.Place
	for _, p := range ps {
		if _, err := glob.Compile(p.Host, '.'); p.Host == "" || err == nil {
			out = append(out, contain.Place(p))
		}
	}
	return out
}
