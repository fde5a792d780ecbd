package translate

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/source"
)

// permitted says whether an object of a kind and namespace may refer to another
// one: those of its own namespace always, others by a ReferenceGrant there.
func (r *reader) permitted(kind, namespace string, to source.Ref) bool {
	if namespace == to.Namespace {
		return true
	}
	for _, o := range r.members(allOf(kindGrant, to.Namespace)) {
		if g, ok := o.Value.(*gatewayv1.ReferenceGrant); ok && grants(g, kind, namespace, to) {
			return true
		}
	}
	return false
}

func grants(g *gatewayv1.ReferenceGrant, kind, namespace string, to source.Ref) bool {
	return grantsFrom(g.Spec.From, kind, namespace) && grantsTo(g.Spec.To, to)
}

func grantsFrom(list []gatewayv1.ReferenceGrantFrom, kind, namespace string) bool {
	for _, f := range list {
		if string(f.Group) == groupOf(kind) && string(f.Kind) == kind && string(f.Namespace) == namespace {
			return true
		}
	}
	return false
}

func grantsTo(list []gatewayv1.ReferenceGrantTo, to source.Ref) bool {
	for _, t := range list {
		if string(t.Group) == to.Group && string(t.Kind) == to.Kind && (t.Name == nil || *t.Name == "" || string(*t.Name) == to.Name) {
			return true
		}
	}
	return false
}
