package schema_test

import (
	"testing"

	"github.com/hopgate/hopgate/gateway/source/schema"
)

// BenchmarkFirst is what the first object of each kind costs: the schema and
// its rules are compiled. An accepted object is needed for the rules.
func BenchmarkFirst(b *testing.B) {
	for _, c := range samples() {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				kind, obj := parse(b, []byte(c.text))
				if value, findings := schema.New().Check(kind, obj); value == nil {
					b.Fatal(findings)
				}
			}
		})
	}
}

// BenchmarkNext is what each further object costs.
func BenchmarkNext(b *testing.B) {
	for _, c := range samples() {
		b.Run(c.name, func(b *testing.B) {
			checker := schema.New()
			for b.Loop() {
				b.StopTimer()
				kind, obj := parse(b, []byte(c.text))
				b.StartTimer()
				if value, findings := checker.Check(kind, obj); value == nil {
					b.Fatal(findings)
				}
			}
		})
	}
}

type sample struct{ name, text string }

func samples() []sample {
	return []sample{
		{"Gateway", `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g}, spec: {gatewayClassName: c, listeners: [{name: a, port: 80, protocol: HTTP}]}}`},
		{"HTTPRoute", `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}, spec: {parentRefs: [{name: g}], rules: [{backendRefs: [{name: s, port: 80}]}]}}`},
		{"XBackend", `{apiVersion: gateway.networking.x-k8s.io/v1alpha1, kind: XBackend, metadata: {name: b}, spec: {type: ExternalHostname, port: {number: 443}, externalHostname: {hostname: a.example}}}`},
		{"AccessPolicy", `{apiVersion: hopgate.dev/v1alpha1, kind: AccessPolicy, metadata: {name: p}, spec: {rules: [{name: a, action: Allow, to: {type: Hosts, hosts: [{names: [a.example]}]}}]}}`},
		{"GatewayConfig", `{apiVersion: hopgate.dev/v1alpha1, kind: GatewayConfig, metadata: {name: c}, spec: {}}`},
		{"Service", `{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}`},
	}
}
