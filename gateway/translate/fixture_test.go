package translate

import (
	"testing"

	"github.com/hopgate/hopgate/gateway/source"
)

// calm is a small world in which all is well: a Gateway with a TrustDomain,
// routes to a Service and to an XBackend, a secret, a policy.
const calm = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: calm, namespace: calm, creationTimestamp: "2025-01-01T00:00:00Z"}
spec:
  gatewayClassName: calm
  infrastructure: {parametersRef: {group: hopgate.dev, kind: GatewayConfig, name: conf}}
  tls: {frontend: {default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}}}
  listeners:
  - {name: web, port: 20080, protocol: HTTP}
  - {name: secure, port: 20443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
  - {name: proxy, port: 20128, protocol: hopgate.dev/Proxy}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: calm}
spec: {controllerName: hopgate.dev/gateway}
---
apiVersion: hopgate.dev/v1alpha1
kind: GatewayConfig
metadata: {name: conf, namespace: calm}
spec:
  trustDomainRefs: [{name: corp}]
  egress: {hosts: [{name: local.example, addresses: [127.0.0.1], ports: [9443]}]}
---
apiVersion: hopgate.dev/v1alpha1
kind: TrustDomain
metadata: {name: corp, namespace: calm}
spec:
  audience: calm.example
  keySet: {type: Inline, inline: '$JWKS'}
---
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: calm}
type: kubernetes.io/tls
data: {tls.crt: $CHAIN, tls.key: $KEY}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ca, namespace: calm}
data:
  ca.crt: |
    $CA
---
apiVersion: v1
kind: Service
metadata: {name: tools, namespace: calm}
spec: {ports: [{name: http, port: 80, appProtocol: hopgate.dev/mcp}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: tools-1, namespace: calm, labels: {kubernetes.io/service-name: tools}}
addressType: IPv4
ports: [{name: http, port: 9000}]
endpoints: [{addresses: [10.0.0.1]}]
---
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {name: api, namespace: calm}
spec:
  type: ExternalHostname
  externalHostname: {hostname: api.example.com}
  port: {port: 443}
  tls: {mode: ServerOnly, validation: {hostname: api.example.com, wellKnownCACertificates: System}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: tools, namespace: calm}
spec:
  parentRefs: [{name: calm}]
  rules: [{name: main, backendRefs: [{name: tools, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api, namespace: calm}
spec:
  parentRefs: [{name: calm, sectionName: secure}]
  hostnames: [api.example.com]
  rules: [{backendRefs: [{group: gateway.networking.x-k8s.io, kind: XBackend, name: api}]}]
---
apiVersion: hopgate.dev/v1alpha1
kind: Credential
metadata: {name: key, namespace: calm}
spec:
  targetRef: {kind: XBackend, name: api}
  secret: {type: Environment, environment: API_KEY}
---
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: all, namespace: calm}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: calm}]
  rules:
  - {name: tools, transaction: {trustDomain: corp}, to: {type: Tools, tools: [{servers: [{name: tools}]}]}, action: Allow}
`

// calmObjects are the objects of that world.
func calmObjects(t testing.TB) []source.Object {
	t.Helper()
	return read(t, newMaterial(t).Replace(calm))
}

// calmTranslator has translated them.
func calmTranslator(t testing.TB, c Config) (*Translator, Result) {
	t.Helper()
	tr := newTranslator(t, c)
	return tr, tr.Apply(source.Delta{Upserts: calmObjects(t)}, noon())
}

// edited is an object of a Translator, changed.
func edited[T source.Typed](t testing.TB, tr *Translator, kind, namespace, name string, change func(T)) source.Object {
	t.Helper()
	o, ok := tr.store.objects[refOf(kind, namespace, name)]
	if !ok {
		t.Fatalf("there is no %s %s/%s", kind, namespace, name)
	}
	v := o.Value.DeepCopyObject().(T)
	change(v)
	return object(t, v)
}

func statusOf(t testing.TB, tr *Translator, kind, namespace, name string) Status {
	t.Helper()
	for _, s := range tr.Statuses() {
		if s.Ref == refOf(kind, namespace, name) {
			return s
		}
	}
	t.Fatalf("%s %s/%s has no status", kind, namespace, name)
	return Status{}
}
