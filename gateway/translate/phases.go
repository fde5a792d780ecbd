package translate

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/translate/incr"
)

// The phases, in order. A unit reads what earlier ones have said.
const (
	phaseConfig     = iota // GatewayConfig: its values
	phaseTrust             // TrustDomain: its values
	phaseClass             // GatewayClass: whether it is ours, and its status
	phaseBase              // Gateway: whether it is ours and accepted; its ports
	phasePorts             // one unit: who has which port
	phaseBackend           // Service, XBackend: what they are
	phaseEgress            // GatewayConfig: egress, checked against our own ports
	phaseNames             // one unit: who answers names at which socket
	phaseExposure          // Service with a Credential: where its endpoints are
	phaseGateway           // Gateway: listeners
	phaseRoute             // HTTPRoute: fragments and status
	phaseProxy             // Gateway: proxy tables, feed
	phaseCredential        // Credential: feed and status
	phaseCluster           // Service, XBackend: clusters; status of XBackend
	phaseEndpoints         // Service: endpoints
	phaseConfigEnd         // GatewayConfig: clusters of hosts, status
	phasePolicy            // AccessPolicy: feed and status
	phaseTrustEnd          // TrustDomain: feed and status
	phaseQuarantine        // Quarantine: feed and status
	phaseStatus            // Gateway: status
	phaseCount
)

func (t *Translator) phases() []incr.Phase[topic, mark] {
	list := make([]incr.Phase[topic, mark], phaseCount)
	add := func(i int, name string, compute func(*reader, source.Ref)) {
		list[i] = incr.Phase[topic, mark]{Name: name, Compute: func(run *incr.Run[topic, mark], key topic) {
			compute(&reader{run: run, t: t}, key.ref)
		}}
	}
	add(phaseConfig, "config", readConfig)
	add(phaseTrust, "trust", readTrustDomain)
	add(phaseClass, "class", readClass)
	add(phaseBase, "base", readBase)
	add(phasePorts, "ports", assignPorts)
	add(phaseBackend, "backend", readBackend)
	add(phaseEgress, "egress", checkEgress)
	add(phaseNames, "names", assignNames)
	add(phaseExposure, "exposure", findExposure)
	add(phaseGateway, "gateway", translateGateway)
	add(phaseRoute, "route", translateRoute)
	add(phaseProxy, "proxy", translateProxy)
	add(phaseCredential, "credential", translateCredential)
	add(phaseCluster, "cluster", translateBackend)
	add(phaseEndpoints, "endpoints", translateEndpoints)
	add(phaseConfigEnd, "config-end", finishConfig)
	add(phasePolicy, "policy", translatePolicy)
	add(phaseTrustEnd, "trust-end", finishTrustDomain)
	add(phaseQuarantine, "quarantine", translateQuarantine)
	add(phaseStatus, "gateway-status", finishGateway)
	return list
}

// phasesOf are the units that an object of a kind has.
func phasesOf(kind string) []int {
	switch kind {
	case kindConfig:
		return []int{phaseConfig, phaseEgress, phaseConfigEnd}
	case kindTrust:
		return []int{phaseTrust, phaseTrustEnd}
	case kindClass:
		return []int{phaseClass}
	case kindGateway:
		return []int{phaseBase, phaseGateway, phaseProxy, phaseStatus}
	case kindService:
		return []int{phaseBackend, phaseExposure, phaseCluster, phaseEndpoints}
	case kindXBackend:
		return []int{phaseBackend, phaseCluster}
	case kindRoute:
		return []int{phaseRoute}
	case kindCredential:
		return []int{phaseCredential}
	case kindQuarantine:
		return []int{phaseQuarantine}
	case kindPolicy:
		return []int{phasePolicy}
	default:
		return nil
	}
}

// readable says whether o is of a kind that is read, and has a value of it. An
// AccessPolicy is read whatever it has: it denies when it cannot be understood.
func readable(o source.Object) bool {
	if o.Ref == refOf(kindPolicy, o.Ref.Namespace, o.Ref.Name) {
		return true
	}
	var kind string
	switch o.Value.(type) {
	case *gatewayv1.GatewayClass:
		kind = kindClass
	case *gatewayv1.Gateway:
		kind = kindGateway
	case *gatewayv1.HTTPRoute:
		kind = kindRoute
	case *gatewayv1.ReferenceGrant:
		kind = kindGrant
	case *gatewayxv1alpha1.XBackend:
		kind = kindXBackend
	case *corev1.Service:
		kind = kindService
	case *discoveryv1.EndpointSlice:
		kind = kindSlice
	default:
		kind = kindOfRest(o.Value)
	}
	return kind != "" && refOf(kind, o.Ref.Namespace, o.Ref.Name) == o.Ref && named(o.Ref)
}

func kindOfRest(v source.Typed) string {
	switch v.(type) {
	case *corev1.Namespace:
		return kindNamespace
	case *corev1.ConfigMap:
		return kindConfigMap
	case *corev1.Secret:
		return kindSecret
	case *v1alpha1.AccessPolicy:
		return kindPolicy
	case *v1alpha1.TrustDomain:
		return kindTrust
	case *v1alpha1.GatewayConfig:
		return kindConfig
	case *v1alpha1.Credential:
		return kindCredential
	case *v1alpha1.Quarantine:
		return kindQuarantine
	default:
		return ""
	}
}
