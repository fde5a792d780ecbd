package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/policy/glob"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Order has an order stand, and ends what lives and is cut off by it. It says
// how many that were. What is acknowledged is on disk.
func (g *Guard) Order(o contain.Order) (contain.Order, int, error) {
	o, err := g.orders.Add(o)
	if err != nil {
		return o, 0, err
	}
	return o, g.end(g.check.Contained), nil
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
	return g.domains
}

// end ends every live hop for which judge has a code, and says how many.
func (g *Guard) end(judge func(*leash.Hop) (code string)) int {
	n := 0
	for _, h := range g.register.Hops() {
		if code := judge(h); code != "" && g.register.Cut(h.ID, leash.Cut{Code: code, Detail: detailOf(code)}) {
			n++
		}
	}
	return n
}

// detailOf is what a cut leaves in Envoy's log.
func detailOf(code string) string {
	switch code {
	case denial.TokenRevoked:
		return wire.DetailRevoked
	case denial.Quarantined:
		return wire.DetailQuarantined
	case denial.Expired:
		return wire.DetailExpired
	default:
		return wire.DetailRefused
	}
}

// keyPoll is how soon a key that was withdrawn ends what it had signed.
const keyPoll = time.Second

// redecide decides every live hop again when the feed has changed, and when a
// key was withdrawn. One goroutine does it, so that ten thousand cuts at once do
// not stand in the way of new decisions.
func (g *Guard) redecide(ctx context.Context) {
	t := time.NewTicker(keyPoll)
	defer t.Stop()
	seen := g.tokens.Generation()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.changed:
		case <-t.C:
			now := g.tokens.Generation()
			if now == seen {
				continue
			}
			seen = now
		}
		if n := g.end(g.check.Redecide); n > 0 {
			g.cfg.Log.Info("streams ended by a later decision", "number", n)
		}
	}
}

// feedChanged has every live hop decided again, soon.
func (g *Guard) feedChanged() {
	select {
	case g.changed <- struct{}{}:
	default: // it is going to be
	}
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
	case q.Type == v1alpha1.QuarantinePeer:
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
