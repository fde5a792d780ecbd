package translate

import (
	"cmp"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// readRules copies the rules with complete references. One that is not
// permitted is dropped from an Allow, with the entry and the rule that have no
// other: a rule without servers would be one for any. A Deny or Ask keeps it:
// it only takes away.
func (b *policyBuilder) readRules() {
	for i := range b.v.Spec.Rules {
		rule := b.v.Spec.Rules[i].DeepCopy()
		keep := true
		switch rule.To.Type {
		case v1alpha1.SurfaceTools:
			rule.To.Tools, keep = entries(rule.To.Tools, func(e *v1alpha1.ToolMatch) bool { return b.backends(rule, &e.Servers) })
		case v1alpha1.SurfaceAgents:
			rule.To.Agents, keep = entries(rule.To.Agents, func(e *v1alpha1.AgentCallMatch) bool { return b.backends(rule, &e.Agents) })
		case v1alpha1.SurfacePackages:
			rule.To.Packages, keep = b.packages(rule)
		case v1alpha1.SurfaceModels:
			rule.To.Models, keep = entries(rule.To.Models, func(e *v1alpha1.ModelMatch) bool { return b.backends(rule, &e.Providers) })
		}
		if keep {
			b.feed.Rules = append(b.feed.Rules, *rule)
		}
	}
}

// entries keeps those that still name something; ok is false when there were
// some and none is left.
func entries[E any](list []E, complete func(*E) bool) (kept []E, ok bool) {
	for i := range list {
		if complete(&list[i]) {
			kept = append(kept, list[i])
		}
	}
	return kept, len(kept) > 0 || len(list) == 0
}

// backends completes the references of an entry; false: it has lost all of
// them.
func (b *policyBuilder) backends(rule *v1alpha1.AccessRule, refs *[]v1alpha1.BackendReference) bool {
	if len(*refs) == 0 {
		return true
	}
	var kept []v1alpha1.BackendReference
	for _, in := range *refs {
		out, permitted := b.backend(rule.Name, in)
		if permitted || rule.Action != v1alpha1.ActionAllow {
			kept = append(kept, out)
		}
	}
	*refs = kept
	return len(kept) > 0
}

// backend completes one reference. What is not there keeps its name: the rule
// holds for it from the moment it is.
func (b *policyBuilder) backend(rule string, in v1alpha1.BackendReference) (v1alpha1.BackendReference, bool) {
	in.Namespace = cmp.Or(in.Namespace, b.ref.Namespace)
	switch in.Kind {
	case kindXBackend, kindService:
	case "":
		in.Kind = kindService
		if _, ok := b.r.object(refOf(kindXBackend, in.Namespace, in.Name)); ok {
			in.Kind = kindXBackend
		}
	default:
		b.refuse("rule %s: kind %s is no backend", rule, quote(in.Kind))
		return in, false
	}
	ref := refOf(in.Kind, in.Namespace, in.Name)
	if !b.r.permitted(kindPolicy, b.ref.Namespace, ref) {
		b.unresolved(gatewayv1.RouteReasonRefNotPermitted, rule, "no ReferenceGrant permits "+ref.String())
		return in, false
	}
	if _, ok := b.r.object(ref); !ok {
		b.unresolved(gatewayv1.RouteReasonBackendNotFound, rule, "there is no "+ref.String())
	}
	return in, true
}

func (b *policyBuilder) unresolved(reason gatewayv1.RouteConditionReason, rule, message string) {
	b.resolved = joinedOnce(b.resolved, reject(string(reason), "rule %s: %s", rule, message))
}
