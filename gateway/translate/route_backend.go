package translate

import (
	"fmt"
	"slices"
	"strconv"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// maxWeight is what Gateway API lets a backend weigh.
const maxWeight = 1_000_000

// backendDraft is a backend of a rule that resolved.
type backendDraft struct {
	ref      source.Ref
	port     backendPort
	x        *externalBackend
	weight   uint32
	request  *graph.HeaderMod
	response *graph.HeaderMod
}

// section narrows a use of the backend down: the port of a Service.
func (b *backendDraft) section() string {
	if b.x != nil {
		return ""
	}
	return strconv.FormatUint(uint64(b.port.Number), 10)
}

func (b *backendDraft) surface() surface {
	if b.x != nil {
		return b.x.Surface
	}
	return b.port.Surface
}

// readBackends resolves the backends of a rule. The share of one that does not
// resolve is answered 500.
func (b *routeBuilder) readBackends(d *ruleDraft, list []gatewayv1.HTTPBackendRef) {
	for i := range list {
		field := fmt.Sprintf("backendRefs[%d]", i)
		weight := deref(list[i].Weight, 1)
		if weight < 0 || weight > maxWeight {
			d.fail(unsupported("%s.weight: is not between 0 and %d", field, maxWeight))
			continue
		}
		draft, err := b.resolve(&list[i].BackendRef)
		if err != nil {
			b.unresolved(d.index, prefixed(field, err))
			d.failed += uint32(weight)
			continue
		}
		draft.weight = uint32(weight)
		if err := draft.readFilters(list[i].Filters); err != nil {
			d.fail(prefixed(field, err))
		}
		b.uses = append(b.uses, draft)
		if weight > 0 {
			d.backends = append(d.backends, draft)
		}
	}
	d.fail(d.joinSurfaces())
	d.fail(d.packagesPath())
}

// joinSurfaces finds the one surface of a rule: a request is read once, before
// its backend is chosen.
func (d *ruleDraft) joinSurfaces() error {
	for i := range d.backends {
		s := d.backends[i].surface()
		if i > 0 && s != d.surface {
			return unsupported("backendRefs: %s is %s, and another backend of the rule %s: all must be one", d.backends[i].ref, s, d.surface)
		}
		d.surface = s
	}
	return nil
}

// unresolved notes a reference for the ResolvedRefs condition.
func (b *routeBuilder) unresolved(rule int, err error) {
	b.resolved = joined(b.resolved, prefixed(fmt.Sprintf("rules[%d]", rule), err))
}

func (b *routeBuilder) resolve(in *gatewayv1.BackendRef) (backendDraft, error) {
	kind := string(deref(in.Kind, kindService))
	group := string(deref(in.Group, source.GroupCore))
	if kind != kindService && kind != kindXBackend || group != groupOf(kind) {
		return backendDraft{}, reject(string(gatewayv1.RouteReasonInvalidKind), "%s/%s is not supported, only Service and XBackend", group, quote(kind))
	}
	ref := refOf(kind, string(deref(in.Namespace, gatewayv1.Namespace(b.v.Namespace))), string(in.Name))
	if !b.r.permitted(kindRoute, b.v.Namespace, ref) {
		return backendDraft{}, reject(string(gatewayv1.RouteReasonRefNotPermitted), "no ReferenceGrant permits %s", ref)
	}
	f := factOf[backendFact](b.r, factBackend, ref)
	if f == nil {
		return backendDraft{}, reject(string(gatewayv1.RouteReasonBackendNotFound), "there is no %s", ref)
	}
	if f.Reason != "" {
		b.refused = append(b.refused, ref)
		return backendDraft{}, reject(routeReason(f.Reason), "%s cannot be sent to: %s", ref, f.Message)
	}
	if kind == kindXBackend {
		return resolveX(ref, f.X, in.Port)
	}
	return resolvePort(ref, f, in.Port)
}

// routeReason keeps reasons that a route may have.
func routeReason(reason string) string {
	known := []gatewayv1.RouteConditionReason{gatewayv1.RouteReasonInvalidKind, gatewayv1.RouteReasonUnsupportedProtocol}
	if slices.Contains(known, gatewayv1.RouteConditionReason(reason)) {
		return reason
	}
	return string(gatewayv1.RouteReasonBackendNotFound)
}

func resolveX(ref source.Ref, x *externalBackend, port *gatewayv1.PortNumber) (backendDraft, error) {
	if port != nil && *port != int32(x.Port) {
		return backendDraft{}, reject(string(gatewayv1.RouteReasonBackendNotFound), "%s has port %d, not %d: leave the port out", ref, x.Port, *port)
	}
	return backendDraft{ref: ref, x: x}, nil
}

func resolvePort(ref source.Ref, f *backendFact, port *gatewayv1.PortNumber) (backendDraft, error) {
	if port == nil {
		return backendDraft{}, reject(string(gatewayv1.RouteReasonBackendNotFound), "port is needed for %s", ref)
	}
	p, ok := f.port(uint16(*port))
	switch {
	case !ok || *port < 1 || *port > 65535:
		return backendDraft{}, reject(string(gatewayv1.RouteReasonBackendNotFound), "%s has no port %d", ref, *port)
	case p.Reason != "":
		return backendDraft{}, reject(p.Reason, "%s", p.Message)
	}
	return backendDraft{ref: ref, port: p}, nil
}
