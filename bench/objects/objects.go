// Package objects writes the Gateway API objects that measurements and tests
// of the whole have in common: a Service on this machine, and a route to it
// from the Gateway egress. In go names and ports, out go documents of YAML, each
// with its separator behind it.
package objects

import "strings"

// Service is a Backend, and a Route of the same name to it.
func Service(name, port, kind, path string) string {
	return Backend(name, port, kind) + Route(name, name, path)
}

// Backend is a Service of a kind, an appProtocol, with one endpoint on loopback;
// port empty: with none.
func Backend(name, port, kind string) string {
	text := `
apiVersion: v1
kind: Service
metadata: {name: ${NAME}}
spec: {ports: [{port: 80, appProtocol: "${KIND}"}]}
---
`
	if port != "" {
		text += `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${NAME}, labels: {kubernetes.io/service-name: ${NAME}}}
addressType: IPv4
ports: [{port: ${PORT}}]
endpoints: [{addresses: [127.0.0.1]}]
---
`
	}
	return strings.NewReplacer("${NAME}", name, "${PORT}", port, "${KIND}", kind).Replace(text)
}

// Route leads paths that begin with path to a Service, from the listener agents.
func Route(name, to, path string) string {
	return strings.NewReplacer("${NAME}", name, "${TO}", to, "${PATH}", path).Replace(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${NAME}}
spec:
  parentRefs: [{name: egress, sectionName: agents}]
  rules:
  - matches: [{path: {type: PathPrefix, value: '${PATH}'}}]
    backendRefs: [{name: ${TO}, port: 80}]
---
`)
}
