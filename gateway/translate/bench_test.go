package translate

import (
	"fmt"
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/source"
)

// scale is n routes, each with a Service and its endpoints, on one Gateway.
func scale(t testing.TB, n int) []source.Object {
	t.Helper()
	var b strings.Builder
	b.WriteString(`apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg}
spec:
  gatewayClassName: hopgate
  listeners:
  - {name: web, port: 8080, protocol: HTTP}
  - {name: proxy, port: 3128, protocol: hopgate.dev/Proxy}
`)
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: v1
kind: Service
metadata: {name: s%[1]d}
spec: {ports: [{name: http, port: 80, appProtocol: hopgate.dev/mcp}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s%[1]d-1, labels: {kubernetes.io/service-name: s%[1]d}}
addressType: IPv4
ports: [{name: http, port: 9000}]
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r%05[1]d}
spec:
  parentRefs: [{name: eg}]
  hostnames: ["h%[1]d.example.com"]
  rules:
  - matches: [{path: {value: /mcp}}, {path: {type: Exact, value: /a}, method: GET}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-a, value: b}]}}]
    backendRefs: [{name: s%[1]d, port: 80}]
`, i)
	}
	return read(t, b.String())
}

func sizes(b *testing.B, f func(b *testing.B, n int)) {
	for _, n := range []int{1000, 5000} {
		b.Run(fmt.Sprintf("routes-%d", n), func(b *testing.B) { f(b, n) })
	}
}

// BenchmarkFull translates everything from nothing.
func BenchmarkFull(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		d := source.Delta{Upserts: scale(b, n)}
		b.ReportAllocs()
		for b.Loop() {
			newTranslator(b, filesConfig()).Apply(d, noon())
		}
	})
}

// BenchmarkRouteEdit changes one route of many.
func BenchmarkRouteEdit(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		tr := newTranslator(b, filesConfig())
		tr.Apply(source.Delta{Upserts: scale(b, n)}, noon())
		ref := refOf(kindRoute, "default", fmt.Sprintf("r%05d", n/2))
		versions := editions(tr.store.objects[ref], func(v source.Typed, i int) {
			v.(*gatewayv1.HTTPRoute).Spec.Hostnames[0] = gatewayv1.Hostname(fmt.Sprintf("edit%d.example.com", i))
		})
		alternate(b, tr, versions)
	})
}

// BenchmarkRouteAdd adds one route to many, and removes it again.
func BenchmarkRouteAdd(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		tr := newTranslator(b, filesConfig())
		tr.Apply(source.Delta{Upserts: scale(b, n)}, noon())
		ref := refOf(kindRoute, "default", fmt.Sprintf("r%05d", n/2))
		o := tr.store.objects[ref]
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%2 == 0 {
				tr.Apply(source.Delta{Deletes: []source.Ref{ref}}, noon())
			} else {
				tr.Apply(source.Delta{Upserts: []source.Object{o}}, noon())
			}
		}
	})
}

// BenchmarkEndpointEdit changes the endpoints of one Service of many.
func BenchmarkEndpointEdit(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		tr := newTranslator(b, filesConfig())
		tr.Apply(source.Delta{Upserts: scale(b, n)}, noon())
		ref := refOf(kindSlice, "default", fmt.Sprintf("s%d-1", n/2))
		versions := editions(tr.store.objects[ref], func(v source.Typed, i int) {
			v.(*discoveryv1.EndpointSlice).Endpoints[0].Addresses[0] = fmt.Sprintf("10.0.1.%d", i)
		})
		alternate(b, tr, versions)
	})
}

// editions are two versions of an object.
func editions(o source.Object, change func(v source.Typed, i int)) []source.Object {
	out := make([]source.Object, 2)
	for i := range out {
		out[i] = o
		out[i].Value = o.Value.DeepCopyObject().(source.Typed)
		out[i].Hash = fmt.Sprint("edition-", i)
		change(out[i].Value, i)
	}
	return out
}

func alternate(b *testing.B, tr *Translator, versions []source.Object) {
	b.Helper()
	b.ReportAllocs()
	units := 0
	for i := 0; b.Loop(); i++ {
		units = tr.Apply(source.Delta{Upserts: versions[i%2 : i%2+1]}, noon()).Units
	}
	b.ReportMetric(float64(units), "units/op")
}
