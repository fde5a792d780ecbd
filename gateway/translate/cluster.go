package translate

import (
	"slices"
	"strconv"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// maxAncestors bounds lists of ancestors in status (GEP-713).
const maxAncestors = 16

// translateBackend makes the clusters of a Service or XBackend that somebody
// sends to.
func translateBackend(r *reader, ref source.Ref) {
	f := factOf[backendFact](r, factBackend, ref)
	if f == nil {
		return
	}
	uses := r.run.Marks(topic{space: bagUses, ref: ref})
	if ref.Kind == kindXBackend {
		translateXBackend(r, ref, f, uses)
		return
	}
	for _, port := range usedPorts(f, uses) {
		r.run.Put(&r.t.backends, portName(ref, port.Number), &graph.Backend{
			Name: portName(ref, port.Number), Owner: ownerOf(ref), Kind: graph.BackendEndpoints, Protocol: port.Protocol,
		})
	}
	r.refusedFor(ref, uses)
}

// usedPorts are the ports of a Service that somebody sends to.
func usedPorts(f *backendFact, uses []mark) []backendPort {
	if f.Reason != "" {
		return nil
	}
	var out []backendPort
	for _, m := range uses {
		n, err := strconv.ParseUint(m.Section, 10, 16)
		if err != nil {
			continue
		}
		if p, ok := f.port(uint16(n)); ok && p.Reason == "" {
			out = addOnce(out, p)
		}
	}
	return out
}

func translateXBackend(r *reader, ref source.Ref, f *backendFact, uses []mark) {
	v, ok := get[*gatewayxv1alpha1.XBackend](r, kindXBackend, ref.Namespace, ref.Name)
	if !ok {
		return
	}
	if f.X != nil {
		for _, gateway := range gatewaysOf(uses) {
			if g := factOf[gatewayFact](r, factGateway, gateway); g != nil {
				b := r.egressOf(g.Config).backend(ref, f.X)
				r.putBackend(b)
			}
		}
	}
	if f.X != nil {
		r.putRegistry(ref, f.X)
	}
	r.refusedFor(ref, uses)
	r.status(xBackendStatus(r, ref, v, f, uses))
}

// putBackend leaves a cluster, once.
func (r *reader) putBackend(b *graph.Backend) { r.run.PutOnce(&r.t.backends, b.Name, b) }

// gatewaysOf are the Gateways of uses, each once, sorted.
func gatewaysOf(uses []mark) []source.Ref {
	var out []source.Ref
	for _, m := range uses {
		out = addOnce(out, m.Ref)
	}
	return out
}

// refusedFor tells the Gateways that send to an object that Envoy refused it.
func (r *reader) refusedFor(ref source.Ref, uses []mark) {
	o := r.outcome(ref)
	if o.State != OutcomeRefused {
		return
	}
	for _, gateway := range gatewaysOf(uses) {
		r.run.Mark(topic{space: bagRefused, ref: gateway}, mark{Ref: ref, Text: o.Message})
	}
}

func xBackendStatus(r *reader, ref source.Ref, v *gatewayxv1alpha1.XBackend, f *backendFact, uses []mark) Status {
	c := conditions{generation: v.Generation}
	if f.Reason != "" {
		c.no(typeAccepted, f.Reason, f.Message)
	} else {
		c.accepted(nil)
	}
	if o := r.outcome(ref); o.State == OutcomeRefused {
		c.no(typeProgrammed, reasonEnvoyRefused, o.Message)
	}
	s := Status{Ref: ref, Backend: &gatewayxv1alpha1.BackendStatus{}}
	gateways := gatewaysOf(uses)
	if len(gateways) == 0 && f.Reason != "" {
		s.Notes = []string{"not accepted: " + f.Message}
	}
	for i, gateway := range gateways {
		if i == maxAncestors {
			break
		}
		own := conditions{generation: c.generation, list: slices.Clone(c.list)}
		for _, m := range uses {
			if m.Ref == gateway && m.Text != "" {
				own.yes(typeDestination, reasonDestinationClaimed, m.Text)
			}
		}
		s.Backend.Ancestors = append(s.Backend.Ancestors, gatewayxv1alpha1.BackendAncestorStatus{
			ControllerName: v1alpha1.ControllerName, AncestorRef: parentOf(gateway), Conditions: own.list,
		})
	}
	return s
}

// parentOf is a reference to an object in a status.
func parentOf(ref source.Ref) gatewayv1.ParentReference {
	return gatewayv1.ParentReference{
		Group: new(gatewayv1.Group(ref.Group)), Kind: new(gatewayv1.Kind(ref.Kind)),
		Namespace: new(gatewayv1.Namespace(ref.Namespace)), Name: gatewayv1.ObjectName(ref.Name),
	}
}
