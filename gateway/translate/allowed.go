package translate

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// routeKinds are the kinds of routes that a listener takes: HTTPRoute, or none
// on a Proxy listener, which routes by itself.
func routeKinds(l *gatewayv1.Listener, kind graph.ListenerKind) ([]gatewayv1.RouteGroupKind, error) {
	supported := kind == graph.ListenerRoutes && (l.Protocol == gatewayv1.HTTPProtocolType || l.Protocol == gatewayv1.HTTPSProtocolType)
	http := []gatewayv1.RouteGroupKind{{Group: new(gatewayv1.Group(source.GroupGateway)), Kind: kindRoute}}
	if l.AllowedRoutes == nil || len(l.AllowedRoutes.Kinds) == 0 {
		if supported {
			return http, nil
		}
		return []gatewayv1.RouteGroupKind{}, nil
	}
	out := []gatewayv1.RouteGroupKind{}
	var err error
	for _, k := range l.AllowedRoutes.Kinds {
		if supported && deref(k.Group, source.GroupGateway) == source.GroupGateway && k.Kind == kindRoute {
			out = http
			continue
		}
		err = reject(string(gatewayv1.ListenerReasonInvalidRouteKinds), "allowedRoutes.kinds: %s is not supported", quote(string(k.Kind)))
	}
	return out, err
}

// allowedFrom says from where routes may come.
func allowedFrom(l *gatewayv1.Listener) (gatewayv1.FromNamespaces, error) {
	if l.AllowedRoutes == nil || l.AllowedRoutes.Namespaces == nil || l.AllowedRoutes.Namespaces.From == nil {
		return gatewayv1.NamespacesFromSame, nil
	}
	n := l.AllowedRoutes.Namespaces
	switch *n.From {
	case gatewayv1.NamespacesFromSame, gatewayv1.NamespacesFromAll, gatewayv1.NamespacesFromNone:
		return *n.From, nil
	case gatewayv1.NamespacesFromSelector:
		if _, err := metav1.LabelSelectorAsSelector(n.Selector); err != nil || n.Selector == nil {
			return gatewayv1.NamespacesFromNone, reject(string(gatewayv1.ListenerReasonUnsupportedValue), "allowedRoutes.namespaces.selector: is missing, or no selector of labels")
		}
		return *n.From, nil
	default:
		return gatewayv1.NamespacesFromNone, reject(string(gatewayv1.ListenerReasonUnsupportedValue), "allowedRoutes.namespaces.from: %s is not known", quote(string(*n.From)))
	}
}

// allows says whether a route of a namespace may attach to a listener of a
// Gateway.
func (r *reader) allows(l *listenerFact, gateway source.Ref, namespace string) bool {
	if !l.Routes {
		return false
	}
	switch l.From {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSame:
		return namespace == gateway.Namespace
	case gatewayv1.NamespacesFromSelector:
		s, err := metav1.LabelSelectorAsSelector(l.Selector)
		return err == nil && l.Selector != nil && s.Matches(r.namespaceLabels(namespace))
	default:
		return false
	}
}

// namespaceLabels are the labels of a namespace. The API server gives each its
// own name as a label; files need not have Namespaces at all.
func (r *reader) namespaceLabels(name string) labels.Set {
	out := labels.Set{}
	if v, ok := get[*corev1.Namespace](r, kindNamespace, "", name); ok {
		maps.Copy(out, v.Labels)
	}
	out[corev1.LabelMetadataName] = name
	return out
}
