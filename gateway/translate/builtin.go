package translate

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// Names of what is assumed.
const (
	builtInClass = "hopgate"
	builtInName  = "local"
)

// builtIn is the objects that were assumed. They go the way of all others.
type builtIn map[source.Ref]source.Object

// assume makes the built-in objects come and go. One that is written but cannot
// be read is given too: nothing is put in its place.
func (t *Translator) assume(problems []source.Problem) {
	if !t.cfg.BuiltIn {
		return
	}
	wanted := builtIn{}
	if !t.given(kindClass, builtInClass, problems) {
		wanted.add(newClass())
	}
	if !t.given(kindGateway, "", problems) {
		wanted.add(newGateway())
	}
	if !t.given(kindTrust, "", problems) {
		wanted.add(newTrustDomain(t.cfg))
	}
	for ref := range t.builtIn {
		if _, ok := wanted[ref]; !ok {
			if t.isBuiltIn(ref) {
				t.delete(ref)
			}
			delete(t.builtIn, ref)
		}
	}
	for ref, o := range wanted {
		if t.isBuiltIn(ref) {
			wanted[ref] = t.builtIn[ref]
			continue
		}
		t.upsert(o)
	}
	t.builtIn = wanted
}

// given says whether the user wrote an object of a kind; name empty: any.
func (t *Translator) given(kind, name string, problems []source.Problem) bool {
	for ref := range t.store.index[allOf(kind, "")] {
		if !t.isBuiltIn(ref) && (name == "" || ref.Name == name) {
			return true
		}
	}
	return slices.ContainsFunc(problems, func(p source.Problem) bool {
		return p.Severity == source.Error && p.Ref.Kind == kind && (name == "" || p.Ref.Name == name || p.Ref.Name == "")
	})
}

// isBuiltIn says whether the object under ref is an assumed one.
func (t *Translator) isBuiltIn(ref source.Ref) bool {
	o, ok := t.builtIn[ref]
	return ok && t.store.objects[ref].Value == o.Value
}

func (b builtIn) add(o source.Object) { b[o.Ref] = o }

// localGateway is the built-in Gateway, where there is one.
func (r *reader) localGateway() (source.Ref, bool) {
	ref := refOf(kindGateway, source.DefaultNamespace, builtInName)
	_, ok := r.object(ref)
	return ref, ok && r.t.isBuiltIn(ref)
}

// localTrust is the built-in TrustDomain, where there is one.
func (r *reader) localTrust() (source.Ref, bool) {
	ref := refOf(kindTrust, source.DefaultNamespace, builtInName)
	_, ok := r.object(ref)
	return ref, ok && r.t.isBuiltIn(ref)
}

func newClass() source.Object {
	return assumed(kindClass, "", builtInClass, &gatewayv1.GatewayClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: source.GroupGateway + "/v1", Kind: kindClass},
		ObjectMeta: metav1.ObjectMeta{Name: builtInClass, Generation: 1},
		Spec:       gatewayv1.GatewayClassSpec{ControllerName: v1alpha1.ControllerName},
	})
}

func newGateway() source.Object {
	all := gatewayv1.NamespacesFromAll
	return assumed(kindGateway, source.DefaultNamespace, builtInName, &gatewayv1.Gateway{
		TypeMeta:   metav1.TypeMeta{APIVersion: source.GroupGateway + "/v1", Kind: kindGateway},
		ObjectMeta: metav1.ObjectMeta{Namespace: source.DefaultNamespace, Name: builtInName, Generation: 1},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: builtInClass,
			Addresses:        []gatewayv1.GatewaySpecAddress{{Type: new(gatewayv1.IPAddressType), Value: "127.0.0.1"}},
			Listeners: []gatewayv1.Listener{
				{Name: "proxy", Port: 3128, Protocol: v1alpha1.ProtocolProxy},
				{
					Name: "http", Port: 8080, Protocol: gatewayv1.HTTPProtocolType,
					AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &all}},
				},
			},
		},
	})
}

func newTrustDomain(c Config) source.Object {
	return assumed(kindTrust, source.DefaultNamespace, builtInName, &v1alpha1.TrustDomain{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: kindTrust},
		ObjectMeta: metav1.ObjectMeta{Namespace: source.DefaultNamespace, Name: builtInName, Generation: 1},
		Spec: v1alpha1.TrustDomainSpec{
			Audience:     c.LocalAudience,
			KeySet:       c.LocalKeySet,
			Algorithms:   []string{"EdDSA", "ES256"},
			AgentProfile: v1alpha1.AgentProfileActor,
		},
	})
}

func assumed(kind, namespace, name string, v source.Typed) source.Object {
	return source.Object{Ref: refOf(kind, namespace, name), Value: v}
}

// Assumed returns all that was assumed, sorted by Ref: the built-in objects, and
// the user's own objects as they are read where they leave out what they attach
// to. The values must not be changed.
func (t *Translator) Assumed() []source.Typed {
	refs := slices.Collect(maps.Keys(t.builtIn))
	local := refOf(kindGateway, source.DefaultNamespace, builtInName)
	if t.isBuiltIn(local) {
		refs = append(refs, t.unattached()...)
	}
	slices.SortFunc(refs, source.Ref.Compare)
	var out []source.Typed
	for _, ref := range refs {
		out = append(out, attachedToLocal(t.store.objects[ref].Value))
	}
	return out
}

// unattached are the policies and routes that the built-in Gateway is meant by.
func (t *Translator) unattached() []source.Ref {
	var refs []source.Ref
	for _, kind := range []string{kindPolicy, kindRoute} {
		for ref := range t.store.index[allOf(kind, "")] {
			o := t.store.objects[ref]
			if o.Broken == nil && attachedToLocal(o.Value) != o.Value {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// attachedToLocal returns v as it is read beside the built-in Gateway: v itself
// when it says what it attaches to.
func attachedToLocal(v source.Typed) source.Typed {
	switch v := v.(type) {
	case *v1alpha1.AccessPolicy:
		if len(v.Spec.TargetRefs) == 0 {
			c := v.DeepCopy()
			c.Spec.TargetRefs = localTargets()
			return c
		}
	case *gatewayv1.HTTPRoute:
		if len(v.Spec.ParentRefs) == 0 {
			c := v.DeepCopy()
			c.Spec.ParentRefs = localParents()
			return c
		}
	}
	return v
}

func localTargets() []gatewayv1.LocalPolicyTargetReferenceWithSectionName {
	return []gatewayv1.LocalPolicyTargetReferenceWithSectionName{{
		LocalPolicyTargetReference: gatewayv1.LocalPolicyTargetReference{
			Group: source.GroupGateway, Kind: kindGateway, Name: builtInName,
		},
	}}
}

func localParents() []gatewayv1.ParentReference {
	return []gatewayv1.ParentReference{{
		Group:     new(gatewayv1.Group(source.GroupGateway)),
		Kind:      new(gatewayv1.Kind(kindGateway)),
		Namespace: new(gatewayv1.Namespace(source.DefaultNamespace)),
		Name:      builtInName,
	}}
}
