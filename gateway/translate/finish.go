package translate

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/source"
)

// finishGateway writes the status of a Gateway.
func finishGateway(r *reader, ref source.Ref) {
	v, ok := get[*gatewayv1.Gateway](r, kindGateway, ref.Namespace, ref.Name)
	base := factOf[baseFact](r, factBase, ref)
	if !ok || base == nil {
		return
	}
	s := gatewayStatus{r: r, ref: ref, v: v, base: base, outcome: r.outcome(ref)}
	if f := factOf[listenersFact](r, factListeners, ref); f != nil {
		s.listeners = f.List
	}
	c := conditions{generation: v.Generation}
	s.accepted(&c)
	s.programmed(&c)
	s.resolved(&c)
	s.refused(&c)
	s.names(&c)
	out := &gatewayv1.GatewayStatus{Conditions: c.list}
	if base.Accepted {
		out.Addresses = []gatewayv1.GatewayStatusAddress{{
			Type: new(gatewayv1.IPAddressType), Value: base.Address.String(),
		}}
	}
	for i := range s.listeners {
		out.Listeners = append(out.Listeners, s.listener(&s.listeners[i]))
	}
	r.status(Status{Ref: ref, Gateway: out})
}

type gatewayStatus struct {
	r         *reader
	ref       source.Ref
	v         *gatewayv1.Gateway
	base      *baseFact
	listeners []listenerState
	outcome   Outcome
}

// broken are the listeners that are not accepted.
func (s *gatewayStatus) broken() (names []string) {
	for i := range s.listeners {
		if s.listeners[i].Accepted != nil {
			names = append(names, s.listeners[i].Base.Name)
		}
	}
	return names
}

func (s *gatewayStatus) serves() bool {
	for i := range s.listeners {
		if s.listeners[i].Serves {
			return s.base.Accepted
		}
	}
	return false
}

func (s *gatewayStatus) accepted(c *conditions) {
	const listeners = string(gatewayv1.GatewayReasonListenersNotValid)
	broken := s.broken()
	switch {
	case s.base.Pending:
		c.set(typeAccepted, metav1.ConditionUnknown, s.base.Reason, s.base.Message)
	case !s.base.Accepted:
		c.no(typeAccepted, s.base.Reason, s.base.Message)
	case len(broken) > 0 && len(broken) == len(s.listeners):
		c.no(typeAccepted, listeners, "no listener is accepted: "+strings.Join(broken, ", "))
	case len(broken) > 0:
		c.yes(typeAccepted, listeners, "these listeners are not accepted, all others are: "+strings.Join(broken, ", "))
	default:
		c.yes(typeAccepted, typeAccepted, s.trust())
	}
}

// trust warns of a Gateway that believes nobody.
func (s *gatewayStatus) trust() string {
	f := factOf[believedFact](s.r, factBelieved, s.ref)
	if f == nil {
		return ""
	}
	problems := f.Problems
	if len(f.List) == 0 {
		problems = append([]string{"no TrustDomain is believed: hops that need a token are denied"}, problems...)
	}
	return strings.Join(problems, "; ")
}

func (s *gatewayStatus) programmed(c *conditions) {
	switch {
	case s.base.Pending:
		c.set(typeProgrammed, metav1.ConditionUnknown, s.base.Reason, s.base.Message)
	case !s.serves():
		c.no(typeProgrammed, string(gatewayv1.GatewayReasonInvalid), "nothing of it is served")
	case s.outcome.State == OutcomeRefused:
		c.no(typeProgrammed, string(gatewayv1.GatewayReasonInvalid), "Envoy refused it: "+s.outcome.Message)
	case s.pending():
		c.set(typeProgrammed, metav1.ConditionUnknown, string(gatewayv1.GatewayReasonPending), "Envoy has not answered yet")
	default:
		c.yes(typeProgrammed, typeProgrammed, "")
	}
}

func (s *gatewayStatus) pending() bool {
	return s.r.t.cfg.AwaitEnvoy && s.outcome.State == OutcomeUnknown
}

// resolved sums up the references of the listeners, and those beside them.
func (s *gatewayStatus) resolved(c *conditions) {
	var names []string
	for i := range s.listeners {
		if s.listeners[i].Resolved != nil {
			names = append(names, s.listeners[i].Base.Name)
		}
	}
	switch {
	case s.v.Spec.TLS != nil && s.v.Spec.TLS.Backend != nil && s.v.Spec.TLS.Backend.ClientCertificateRef != nil:
		c.no(typeResolvedRefs, string(gatewayv1.GatewayReasonInvalidClientCertificateRef),
			"spec.tls.backend.clientCertificateRef: is not supported; backends get no client certificate")
	case len(names) > 0:
		c.no(typeResolvedRefs, string(gatewayv1.GatewayReasonListenersNotResolved), "of these listeners: "+strings.Join(names, ", "))
	default:
		c.resolved(nil)
	}
}

// refused says what Envoy refused of what the Gateway serves; all else of it is
// served, so it is programmed all the same.
func (s *gatewayStatus) refused(c *conditions) {
	marks := s.r.run.Marks(topic{space: bagRefused, ref: s.ref})
	if len(marks) == 0 {
		return
	}
	var texts []string
	for _, m := range marks[:min(len(marks), 5)] {
		texts = append(texts, fmt.Sprintf("%s: %s", m.Ref, m.Text))
	}
	if len(marks) > len(texts) {
		texts = append(texts, fmt.Sprintf("and %d more", len(marks)-len(texts)))
	}
	c.yes(typePartlyRefused, reasonPartly, "Envoy refused "+strings.Join(texts, "; "))
}

func (s *gatewayStatus) listener(l *listenerState) gatewayv1.ListenerStatus {
	message, refused := s.outcome.refusal(tableName(s.ref, l.Base.Port))
	c := conditions{generation: s.v.Generation}
	c.accepted(l.Accepted)
	c.resolved(l.Resolved)
	if l.Base.Conflict != "" {
		c.yes(typeConflicted, l.Base.Conflict, l.Base.Message)
	}
	switch {
	case !l.Serves || !s.base.Accepted:
		c.no(typeProgrammed, string(gatewayv1.ListenerReasonInvalid), "it is not served")
	case refused:
		c.no(typeProgrammed, string(gatewayv1.ListenerReasonInvalid), "Envoy refused it: "+message)
	case s.pending():
		c.set(typeProgrammed, metav1.ConditionUnknown, string(gatewayv1.ListenerReasonPending), "Envoy has not answered yet")
	default:
		c.yes(typeProgrammed, typeProgrammed, "")
	}
	return gatewayv1.ListenerStatus{
		Name: gatewayv1.SectionName(l.Base.Name), SupportedKinds: l.Kinds, Conditions: c.list,
		AttachedRoutes: int32(s.r.run.Count(topic{space: bagAttached, ref: s.ref, section: l.Base.Name})),
	}
}
