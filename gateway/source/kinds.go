package source

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// The groups that objects are read from. The core group is "".
const (
	GroupCore      = ""
	GroupDiscovery = "discovery.k8s.io"
	GroupGateway   = "gateway.networking.k8s.io"
	GroupGatewayX  = "gateway.networking.x-k8s.io"
	GroupHopgate   = v1alpha1.Group
)

// Kind is one kind that is read.
type Kind struct {
	Group, Kind string
	// Version is the one that values have. Versions are those that are read;
	// all of them have one shape.
	Version    string
	Versions   []string
	Namespaced bool
	// New returns an empty value.
	New func() Typed
}

// APIVersion is GROUP/VERSION, or VERSION in the core group.
func (k Kind) APIVersion() string {
	if k.Group == "" {
		return k.Version
	}
	return k.Group + "/" + k.Version
}

// Reads says whether a version of the kind is read.
func (k Kind) Reads(version string) bool { return slices.Contains(k.Versions, version) }

// Kinds returns the kinds that are read, sorted by group and kind.
func Kinds() []Kind {
	return slices.Concat(coreKinds(), gatewayKinds(), ownKinds())
}

// Lookup finds a kind by its exact group and name.
func Lookup(group, kind string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Group == group && k.Kind == kind {
			return k, true
		}
	}
	return Kind{}, false
}

func coreKinds() []Kind {
	v1 := []string{"v1"}
	return []Kind{
		{GroupCore, "ConfigMap", "v1", v1, true, func() Typed { return &corev1.ConfigMap{} }},
		{GroupCore, "Namespace", "v1", v1, false, func() Typed { return &corev1.Namespace{} }},
		{GroupCore, "Secret", "v1", v1, true, func() Typed { return &corev1.Secret{} }},
		{GroupCore, "Service", "v1", v1, true, func() Typed { return &corev1.Service{} }},
		{GroupDiscovery, "EndpointSlice", "v1", v1, true, func() Typed { return &discoveryv1.EndpointSlice{} }},
	}
}

func gatewayKinds() []Kind {
	both := []string{"v1", "v1beta1"}
	return []Kind{
		{GroupGateway, "Gateway", "v1", both, true, func() Typed { return &gatewayv1.Gateway{} }},
		{GroupGateway, "GatewayClass", "v1", both, false, func() Typed { return &gatewayv1.GatewayClass{} }},
		{GroupGateway, "HTTPRoute", "v1", both, true, func() Typed { return &gatewayv1.HTTPRoute{} }},
		{GroupGateway, "ReferenceGrant", "v1", both, true, func() Typed { return &gatewayv1.ReferenceGrant{} }},
		{GroupGatewayX, "XBackend", "v1alpha1", []string{"v1alpha1"}, true, func() Typed { return &gatewayxv1alpha1.XBackend{} }},
	}
}

func ownKinds() []Kind {
	v := []string{"v1alpha1"}
	return []Kind{
		{GroupHopgate, "AccessPolicy", "v1alpha1", v, true, func() Typed { return &v1alpha1.AccessPolicy{} }},
		{GroupHopgate, "Credential", "v1alpha1", v, true, func() Typed { return &v1alpha1.Credential{} }},
		{GroupHopgate, "GatewayConfig", "v1alpha1", v, true, func() Typed { return &v1alpha1.GatewayConfig{} }},
		{GroupHopgate, "Quarantine", "v1alpha1", v, false, func() Typed { return &v1alpha1.Quarantine{} }},
		{GroupHopgate, "TrustDomain", "v1alpha1", v, true, func() Typed { return &v1alpha1.TrustDomain{} }},
	}
}
