package translate

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// TestUnits: what a change costs among 50 routes and the calm world. A number
// that grows with the routes is a dependency too many.
func TestUnits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*testing.T, *Translator) source.Object
		most int
	}{
		"nothing": {func(t *testing.T, tr *Translator) source.Object {
			o := tr.store.objects[refOf(kindRoute, "default", "r00001")]
			o.Origin.Line = 99
			return o
		}, 0},
		"endpoints": {func(t *testing.T, tr *Translator) source.Object {
			return edited(t, tr, kindSlice, "default", "s1-1", func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses[0] = "10.9.9.9" })
		}, 1},
		"route": {func(t *testing.T, tr *Translator) source.Object {
			return edited(t, tr, kindRoute, "default", "r00001", func(v *gatewayv1.HTTPRoute) { v.Spec.Hostnames[0] = "other.example.com" })
		}, 1},
		"route detached": {func(t *testing.T, tr *Translator) source.Object {
			return edited(t, tr, kindRoute, "default", "r00001", func(v *gatewayv1.HTTPRoute) { v.Spec.ParentRefs[0].Name = "gone" })
		}, 4},
		"certificate": {func(t *testing.T, tr *Translator) source.Object {
			return edited(t, tr, kindSecret, "calm", "cert", func(v *corev1.Secret) {
				v.Data[corev1.TLSCertKey], v.Data[corev1.TLSPrivateKeyKey] = newCertificate(t)
			})
		}, 1},
		"service": {func(t *testing.T, tr *Translator) source.Object {
			return edited(t, tr, kindService, "default", "s1", func(v *corev1.Service) { v.Spec.Ports[0].AppProtocol = nil })
		}, 5},
		"service, nothing that counts": {func(t *testing.T, tr *Translator) source.Object {
			return edited(t, tr, kindService, "default", "s1", func(v *corev1.Service) { v.Labels = map[string]string{"a": "b"} })
		}, 1},
		"policy": {func(t *testing.T, tr *Translator) source.Object {
			return edited(t, tr, kindPolicy, "calm", "all", func(v *v1alpha1.AccessPolicy) { v.Spec.Mode = v1alpha1.ModeReport })
		}, 1},
		"trust": {func(t *testing.T, tr *Translator) source.Object {
			return edited(t, tr, kindTrust, "calm", "corp", func(v *v1alpha1.TrustDomain) { v.Spec.Issuer = "x" })
		}, 4},
		"a new namespace": {func(t *testing.T, tr *Translator) source.Object {
			return read(t, "{apiVersion: v1, kind: Namespace, metadata: {name: new}}")[0]
		}, 0},
		"a gateway of others": {func(t *testing.T, tr *Translator) source.Object {
			return read(t, "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: new}, spec: {gatewayClassName: x}}")[0]
		}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTranslator(t, filesConfig())
			tr.Apply(source.Delta{Upserts: append(scale(t, 50), calmObjects(t)...)}, noon())
			if r := tr.Apply(source.Delta{Upserts: []source.Object{c.edit(t, tr)}}, noon()); r.Units > c.most {
				t.Errorf("%d units, want at most %d", r.Units, c.most)
			}
		})
	}
}

// TestEndpointsTouchNothingElse: a change of endpoints changes no route, no
// cluster, no listener, and not the feed.
func TestEndpointsTouchNothingElse(t *testing.T) {
	t.Parallel()
	tr := newTranslator(t, filesConfig())
	before := tr.Apply(source.Delta{Upserts: scale(t, 50)}, noon())
	o := edited(t, tr, kindSlice, "default", "s1-1", func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses[0] = "10.9.9.9" })
	after := tr.Apply(source.Delta{Upserts: []source.Object{o}}, noon())
	if after.Feed != before.Feed || len(after.Statuses) != 0 {
		t.Error("the feed or a status has changed")
	}
	same := &before.Graph.Tables[0] == &after.Graph.Tables[0] && &before.Graph.Backends[0] == &after.Graph.Backends[0] &&
		&before.Graph.Listeners[0] == &after.Graph.Listeners[0]
	if !same {
		t.Error("listeners, tables or backends are other slices")
	}
	changed := 0
	for i, e := range after.Graph.Endpoints {
		if e != before.Graph.Endpoints[i] {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d endpoints changed", changed)
	}
}

// TestRouteTouchesItsTable: one route among many changes one fragment.
func TestRouteTouchesItsTable(t *testing.T) {
	t.Parallel()
	tr := newTranslator(t, filesConfig())
	before := tr.Apply(source.Delta{Upserts: append(scale(t, 50), calmObjects(t)...)}, noon())
	o := edited(t, tr, kindRoute, "default", "r00007", func(v *gatewayv1.HTTPRoute) { v.Spec.Hostnames[0] = "other.example.com" })
	after := tr.Apply(source.Delta{Upserts: []source.Object{o}}, noon())
	old := map[string]*graph.RouteTable{}
	for _, x := range before.Graph.Tables {
		old[x.Name] = x
	}
	var changed []string
	for _, x := range after.Graph.Tables {
		if old[x.Name] == x {
			continue
		}
		for i, f := range x.Fragments {
			if f != old[x.Name].Fragments[i] {
				changed = append(changed, x.Name+" "+f.Owner.String())
			}
		}
	}
	if got := fmt.Sprint(changed); got != "[default/eg/8080 HTTPRoute/default/r00007]" {
		t.Errorf("changed: %s", got)
	}
}

// TestNothing: a change that is none leaves the very same result.
func TestNothing(t *testing.T) {
	t.Parallel()
	tr, before := calmTranslator(t, filesConfig())
	after := tr.Apply(source.Delta{Deletes: []source.Ref{refOf(kindRoute, "calm", "gone")}}, noon())
	if after.Graph != before.Graph || after.Feed != before.Feed || len(after.Statuses)+len(after.Gone) != 0 {
		t.Error("something has changed")
	}
}
