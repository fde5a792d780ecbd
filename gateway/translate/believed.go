package translate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

func compareStrings(a, b string) int { return cmp.Compare(a, b) }

func compareKeys(a, b feedv1.Key) int { return cmp.Compare(a.String(), b.String()) }

// trustOf are the TrustDomains that are believed on a listener, sorted. Two of
// one audience are both not believed: a token would have two meanings, and
// which one holds must not hang on an order. Captured TLS carries no token.
func (b *proxyBuilder) trustOf(l baseListener) []feedv1.Key {
	if l.Kind == graph.ListenerCaptureTLS {
		return []feedv1.Key{}
	}
	audiences := map[string][]feedv1.Key{}
	for _, ref := range b.trustRefs(l.Name) {
		f := factOf[trustFact](b.r, factTrust, ref)
		switch {
		case f == nil:
			b.disbelieve("there is no %s", ref)
		case !f.Usable:
			b.disbelieve("%s is not accepted, or has no keys", ref)
		default:
			audiences[f.Audience] = append(audiences[f.Audience], keyOf(ref))
		}
	}
	out := []feedv1.Key{}
	for audience, keys := range audiences {
		if len(keys) > 1 {
			slices.SortFunc(keys, compareKeys)
			b.disbelieve("TrustDomains %v have one audience, %s: none of them is believed", keys, quote(audience))
			continue
		}
		out = append(out, keys[0])
	}
	slices.SortFunc(out, compareKeys)
	return out
}

// disbelieve notes why a TrustDomain is not believed, once.
func (b *proxyBuilder) disbelieve(format string, args ...any) {
	b.believed.Problems = addOnce(b.believed.Problems, fmt.Sprintf(format, args...))
	slices.Sort(b.believed.Problems)
}

// trustRefs are the TrustDomains that a listener is to believe: those that the
// GatewayConfig names, in its own namespace. Where none are named: the built-in
// one, and on the built-in Gateway those of its namespace.
func (b *proxyBuilder) trustRefs(listener string) []source.Ref {
	var out []source.Ref
	if names := b.config.trust(listener); names != nil {
		for _, name := range names {
			out = addOnce(out, refOf(kindTrust, b.base.Config.Namespace, name))
		}
		return out
	}
	if !b.r.t.cfg.BuiltIn {
		return nil
	}
	if local, ok := b.r.localTrust(); ok {
		return []source.Ref{local}
	}
	if gateway, ok := b.r.localGateway(); ok && gateway == b.ref {
		for _, o := range b.r.members(allOf(kindTrust, b.ref.Namespace)) {
			out = append(out, o.Ref)
		}
	}
	return out
}
