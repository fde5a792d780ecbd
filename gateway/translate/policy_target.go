package translate

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/source"
)

// readTargets finds what the policy guards. A target that cannot be understood
// makes the policy a refused one: it was meant to guard something.
func (b *policyBuilder) readTargets() {
	refs := b.v.Spec.TargetRefs
	if len(refs) == 0 {
		b.guardImplied()
		return
	}
	for i := range refs {
		t := &refs[i]
		kind := string(t.Kind)
		known := slices.Contains([]string{kindGateway, kindRoute, kindXBackend, kindService}, kind)
		if !known || string(t.Group) != groupOf(kind) {
			b.refuse("spec.targetRefs[%d]: %s/%s is nothing that a policy guards", i, t.Group, quote(kind))
			b.guardAll(b.ref.Namespace)
			continue
		}
		b.target(i, refOf(kind, b.ref.Namespace, string(t.Name)), string(deref(t.SectionName, "")))
	}
}

// guardImplied is for a policy that names no target: it means the built-in
// Gateway, or nobody knows what.
func (b *policyBuilder) guardImplied() {
	if local, ok := b.r.localGatewayMeant(0); ok {
		b.guard(local, "")
		return
	}
	b.refuse("spec.targetRefs: is empty, and there is no built-in Gateway that could be meant")
	b.guardAll(b.ref.Namespace)
}

// target guards one object. A section that the object does not have was
// another name yesterday, or will be tomorrow: what it was to guard is denied
// with all of the object.
func (b *policyBuilder) target(i int, ref source.Ref, section string) {
	b.targets = addOnce(b.targets, ref)
	if _, ok := b.r.object(ref); !ok {
		b.missing = addOnce(b.missing, ref)
		b.guard(ref, section)
		return
	}
	if section != "" && !b.hasSection(ref, section) {
		b.refuse("spec.targetRefs[%d]: %s has no section %s", i, ref, quote(section))
		section = ""
	}
	b.guard(ref, section)
}

func (b *policyBuilder) hasSection(ref source.Ref, section string) bool {
	switch ref.Kind {
	case kindGateway:
		v, ok := get[*gatewayv1.Gateway](b.r, kindGateway, ref.Namespace, ref.Name)
		return ok && slices.ContainsFunc(v.Spec.Listeners, func(l gatewayv1.Listener) bool { return string(l.Name) == section })
	case kindRoute:
		f := factOf[routeFact](b.r, factRoute, ref)
		return f != nil && slices.Contains(f.Rules, section)
	default:
		return false
	}
}

// guard adds a target, and the Gateways on which it is one.
func (b *policyBuilder) guard(ref source.Ref, section string) {
	b.feed.Targets = append(b.feed.Targets, feedv1.PolicyTarget{Kind: ref.Kind, Key: keyOf(ref), Section: section})
	switch ref.Kind {
	case kindGateway:
		if factOf[baseFact](b.r, factBase, ref) != nil {
			b.ancestors = addOnce(b.ancestors, ref)
		}
	case kindRoute:
		if f := factOf[routeFact](b.r, factRoute, ref); f != nil {
			for _, g := range f.Gateways {
				b.ancestors = addOnce(b.ancestors, g)
			}
		}
	default:
		for _, g := range gatewaysOf(b.r.run.Marks(topic{space: bagUses, ref: ref})) {
			b.ancestors = addOnce(b.ancestors, g)
		}
	}
}

// guardAll guards all that a policy of a namespace could; empty: of any.
func (b *policyBuilder) guardAll(namespace string) {
	for _, kind := range []string{kindGateway, kindRoute, kindXBackend, kindService} {
		for _, o := range b.r.members(allOf(kind, namespace)) {
			b.guard(o.Ref, "")
		}
	}
	if local, ok := b.r.localGatewayMeant(0); ok {
		b.guard(local, "")
	}
}
