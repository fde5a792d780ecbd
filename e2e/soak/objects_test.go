package soak

import (
	"strings"

	"github.com/hopgate/hopgate/bench/objects"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// audience is that of the trust domain whose tokens end as soon as they say.
const audience = "soak.example"

// Where streams are.
const (
	pathEvents = "/page/events"
	pathGated  = "/page/gated"
	pathInside = "/inside"
	pathTools  = "/mcp"
	pathSocket = "/page/socket"
	pathWatch  = "/soak.Watch/Watch"
	hostSite   = "site.example"
)

func (s *soak) objects(grpcPort string) map[string]string {
	return map[string]string{
		"policy.yaml": s.policy(true),
		"gateway.yaml": testgateway.Listeners + strings.NewReplacer("${SITE}", s.site.port()).Replace(`
apiVersion: hopgate.dev/v1alpha1
kind: GatewayConfig
metadata: {name: egress}
spec:
  unmatched: Deny
  trustDomainRefs: [{name: soak}]
  streams: {minRemaining: 0s}
  egress: {hosts: [{name: `+hostSite+`, addresses: [127.0.0.1], ports: [${SITE}]}]}
---
apiVersion: hopgate.dev/v1alpha1
kind: TrustDomain
metadata: {name: soak}
spec: {audience: `+audience+`, keySet: {type: Inline, inline: '${JWKS}'}, leeway: 1s}
---
`) + objects.Service("page", s.site.port(), "", "/page") + objects.Service("tools", s.site.port(), "hopgate.dev/mcp", pathTools) +
			objects.Service("grpc", grpcPort, "kubernetes.io/h2c", pathWatch),
	}
}

// policy lets everything through; the gated page only where it is open.
func (s *soak) policy(open bool) string {
	text := strings.NewReplacer("${SITE}", s.site.port()).Replace(`
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: soak}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: egress}]
  rules:
  - {name: pages, to: {type: HTTP, http: [{paths: [` + pathEvents + `, ` + pathSocket + `, ` + pathWatch + `]}]}, action: Allow}
  - {name: inside, to: {type: HTTP, http: [{ports: [${SITE}], paths: [` + pathInside + `]}]}, action: Allow}
  - {name: hosts, to: {type: Hosts, hosts: [{names: [` + hostSite + `], ports: [${SITE}]}]}, action: Allow}
  - {name: tools, to: {type: Tools, tools: [{servers: [{name: tools}]}]}, action: Allow}
`)
	if open {
		text += "  - {name: gated, to: {type: HTTP, http: [{paths: [" + pathGated + "]}]}, action: Allow}\n"
	}
	return text
}
