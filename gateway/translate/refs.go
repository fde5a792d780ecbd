package translate

import (
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// Kinds that are read.
const (
	kindClass      = "GatewayClass"
	kindGateway    = "Gateway"
	kindRoute      = "HTTPRoute"
	kindGrant      = "ReferenceGrant"
	kindXBackend   = "XBackend"
	kindService    = "Service"
	kindSlice      = "EndpointSlice"
	kindNamespace  = "Namespace"
	kindConfigMap  = "ConfigMap"
	kindSecret     = "Secret"
	kindPolicy     = "AccessPolicy"
	kindTrust      = "TrustDomain"
	kindConfig     = "GatewayConfig"
	kindCredential = "Credential"
	kindQuarantine = "Quarantine"
)

func groupOf(kind string) string {
	switch kind {
	case kindClass, kindGateway, kindRoute, kindGrant:
		return source.GroupGateway
	case kindXBackend:
		return source.GroupGatewayX
	case kindPolicy, kindTrust, kindConfig, kindCredential, kindQuarantine:
		return source.GroupHopgate
	case kindSlice:
		return source.GroupDiscovery
	default:
		return source.GroupCore
	}
}

// refOf is the Ref of a kind that is read.
func refOf(kind, namespace, name string) source.Ref {
	return source.Ref{Group: groupOf(kind), Kind: kind, Namespace: namespace, Name: name}
}

func ownerOf(ref source.Ref) graph.Owner {
	return graph.Owner{Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}
}

func keyOf(ref source.Ref) feedv1.Key {
	return feedv1.Key{Namespace: ref.Namespace, Name: ref.Name}
}

// backendName is KIND/NAMESPACE/NAME, as wire.Target has it.
func backendName(ref source.Ref) string { return ownerOf(ref).String() }
