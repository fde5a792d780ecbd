package e2e

import (
	"fmt"
	"strings"

	"github.com/hopgate/hopgate/bench/objects"
)

// Surfaces, as a Service's port names them.
const (
	plain  = ""
	mcp    = "hopgate.dev/mcp"
	openAI = "hopgate.dev/llm-openai"
	h2c    = "kubernetes.io/h2c"
)

// service is a Service with one endpoint on loopback, and a route to it.
func service(name, port, appProtocol, path string) string {
	return objects.Service(name, port, appProtocol, path)
}

// backend is a Service with one endpoint on loopback; port empty: with none.
func backend(name, port, appProtocol string) string { return objects.Backend(name, port, appProtocol) }

// route leads paths that begin with path to a Service.
func route(name, to, path string) string { return objects.Route(name, to, path) }

// policy guards the Gateway by rules, one a line, in flow style.
func policy(name string, rules ...string) string {
	text := `
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: ` + name + `}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: egress}]
  rules:
`
	for _, r := range rules {
		text += "  - " + r + "\n"
	}
	return text + "---\n"
}

// allow is a rule that lets every verified caller do this.
func allow(name, to string) string { return "{name: " + name + ", to: " + to + ", action: Allow}" }

// config is the GatewayConfig of the Gateway; fields are those of its spec, in
// flow style.
func config(fields ...string) string {
	text := `
apiVersion: hopgate.dev/v1alpha1
kind: GatewayConfig
metadata: {name: egress}
spec:
  unmatched: Deny
`
	for _, f := range fields {
		text += "  " + f + "\n"
	}
	return text + "---\n"
}

// egress opens hosts of this machine, NAME:PORT, and has all other names asked
// of a resolver; empty: the system's.
func egress(resolver string, hosts ...string) string {
	var b strings.Builder
	b.WriteString("egress: {")
	if resolver != "" {
		fmt.Fprintf(&b, "resolvers: [%q], ", resolver)
	}
	b.WriteString("hosts: [")
	for _, h := range hosts {
		name, port, _ := strings.Cut(h, ":")
		fmt.Fprintf(&b, "{name: %s, addresses: [127.0.0.1], ports: [%s]}, ", name, port)
	}
	return b.String() + "]}"
}

// trust is a TrustDomain of the local key: leeway and more are fields of its
// spec.
func trust(name, audience, fields string) string {
	return `
apiVersion: hopgate.dev/v1alpha1
kind: TrustDomain
metadata: {name: ` + name + `}
spec: {audience: ` + audience + `, keySet: {type: Inline, inline: '${JWKS}'}, ` + fields + `}
---
`
}
