package translate

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/source"
)

// NamesState is what became of the socket at which a Gateway answers names.
type NamesState struct {
	// Gateway is NAMESPACE/NAME.
	Gateway string
	Listen  netip.AddrPort
	// Reason and Message say why names are not answered there; empty: they are.
	Reason, Message string
}

// SetNames says what became of the sockets at which names are answered: of all
// of them that are known of.
func (t *Translator) SetNames(list []NamesState, now time.Time) Result {
	next := make(map[string]NamesState, len(list))
	for _, s := range list {
		next[s.Gateway] = s
	}
	for _, o := range t.store.members(allOf(kindGateway, "")) {
		if key := keyOf(o.Ref).String(); t.names[key] != next[key] {
			t.engine.Touch(topic{space: onNames, ref: o.Ref})
		}
	}
	t.names = next
	return t.translate(now)
}

// namesState is what became of the socket of a Gateway; false: nobody has said.
func (r *reader) namesState(ref source.Ref) (NamesState, bool) {
	r.run.Read(topic{space: onNames, ref: ref})
	s, ok := r.t.names[keyOf(ref).String()]
	return s, ok
}

// namesLostFact is who has the socket at which a Gateway was to answer names.
type namesLostFact struct{ To source.Ref }

// assignNames gives each socket at which names are answered to the first Gateway
// that wants it, as ports. One that has lost it answers nobody.
func assignNames(r *reader, _ source.Ref) {
	type socket struct {
		at    netip.AddrPort
		owner source.Ref
	}
	var taken []socket
	for _, c := range r.claimants() {
		e := r.egressOf(c.base.Config)
		if e == nil || e.DNS == nil {
			continue
		}
		i := slices.IndexFunc(taken, func(s socket) bool { return overlaps(s.at, e.DNS.Listen) })
		if i >= 0 {
			say(r, factNamesLost, c.ref, &namesLostFact{taken[i].owner})
			continue
		}
		taken = append(taken, socket{e.DNS.Listen, c.ref})
	}
}

// dnsOf is how names are answered by a Gateway that is run with e; nil: not at
// all.
func (r *reader) dnsOf(ref source.Ref, e *egressFact) *feedv1.DNS {
	if e == nil || factOf[namesLostFact](r, factNamesLost, ref) != nil {
		return nil
	}
	return e.DNS
}

// names says whether names are answered; nothing where they need not be.
func (s *gatewayStatus) names(c *conditions) {
	e := s.r.egressOf(s.base.Config)
	if !s.base.Accepted || e == nil || e.DNS == nil {
		return
	}
	if lost := factOf[namesLostFact](s.r, factNamesLost, s.ref); lost != nil {
		c.no(typeNames, string(gatewayv1.ListenerReasonPortUnavailable), fmt.Sprintf(
			"spec.egress.dns.listen of %s: names are answered at %s by %s: run each Gateway with a GatewayConfig and a socket of its own",
			s.base.Config, e.DNS.Listen, lost.To))
		return
	}
	switch state, known := s.r.namesState(s.ref); {
	case known && state.Listen == e.DNS.Listen && state.Reason != "":
		c.no(typeNames, state.Reason, "names are not answered: "+state.Message)
	case s.r.t.cfg.AwaitEnvoy && (!known || state.Listen != e.DNS.Listen):
		c.set(typeNames, metav1.ConditionUnknown, string(gatewayv1.GatewayReasonPending), "the socket was not opened yet")
	default:
		c.yes(typeNames, reasonAnswered, "")
	}
}
