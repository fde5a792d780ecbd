package translate

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// classFact says of a GatewayClass that it is ours; other controllers' have no
// fact.
type classFact struct {
	// Problem is why it is not accepted.
	Problem string
	// Config is the GatewayConfig of its Gateways; zero: none.
	Config source.Ref
}

func readClass(r *reader, ref source.Ref) {
	v, ok := get[*gatewayv1.GatewayClass](r, kindClass, "", ref.Name)
	if !ok || v.Spec.ControllerName != v1alpha1.ControllerName {
		return
	}
	config, err := r.classConfig(v.Spec.ParametersRef)
	f := &classFact{Config: config}
	c := conditions{generation: v.Generation}
	c.accepted(err)
	if err != nil {
		f.Problem = err.Error()
	}
	say(r, factClass, ref, f)
	r.status(Status{Ref: ref, Class: &gatewayv1.GatewayClassStatus{
		Conditions: c.list, SupportedFeatures: supportedFeatures(),
	}})
}

func (r *reader) classConfig(p *gatewayv1.ParametersReference) (source.Ref, error) {
	if p == nil {
		return source.Ref{}, nil
	}
	if p.Namespace == nil {
		return source.Ref{}, reject(string(gatewayv1.GatewayClassReasonInvalidParameters), "spec.parametersRef: needs a namespace")
	}
	return r.config(string(p.Group), string(p.Kind), string(*p.Namespace), p.Name, "spec.parametersRef")
}

// config finds a GatewayConfig that can be used.
func (r *reader) config(group, kind, namespace, name, field string) (source.Ref, error) {
	const reason = string(gatewayv1.GatewayReasonInvalidParameters)
	if group != source.GroupHopgate || kind != kindConfig {
		return source.Ref{}, reject(reason, "%s: %s/%s is no GatewayConfig of group %s", field, group, kind, source.GroupHopgate)
	}
	ref := refOf(kindConfig, namespace, name)
	f := factOf[configFact](r, factConfig, ref)
	switch {
	case f == nil:
		return source.Ref{}, reject(reason, "%s: there is no %s", field, ref)
	case len(f.Problems) > 0:
		return source.Ref{}, reject(reason, "%s: %s is not accepted: %s", field, ref, f.Problems[0])
	}
	return ref, nil
}

// supportedFeatures are the features of Gateway API that are built, by name,
// sorted.
func supportedFeatures() []gatewayv1.SupportedFeature {
	names := []string{
		"Gateway", "GatewayFrontendClientCertificateValidation", "GatewayHTTPListenerIsolation", "GatewayPort8080",
		"HTTPRoute", "HTTPRouteBackendProtocolH2C", "HTTPRouteBackendRequestHeaderModification", "HTTPRouteHostRewrite",
		"HTTPRouteMethodMatching", "HTTPRouteNamedRouteRule", "HTTPRouteParentRefPort", "HTTPRoutePathRewrite",
		"HTTPRouteQueryParamMatching", "HTTPRouteRequestTimeout", "HTTPRouteResponseHeaderModification", "ReferenceGrant",
	}
	out := make([]gatewayv1.SupportedFeature, 0, len(names))
	for _, n := range names {
		out = append(out, gatewayv1.SupportedFeature{Name: gatewayv1.FeatureName(n)})
	}
	return out
}

// gatewayClass finds the class of a Gateway: nil when it is another
// controller's. err: there is none of that name, as far as we can say.
func (r *reader) gatewayClass(name gatewayv1.ObjectName) (*classFact, error) {
	ref := refOf(kindClass, "", string(name))
	if f := factOf[classFact](r, factClass, ref); f != nil {
		return f, nil
	}
	if _, ok := r.object(ref); ok || !r.t.cfg.BuiltIn {
		return nil, nil
	}
	return nil, fmt.Errorf("there is no GatewayClass %s", name)
}
