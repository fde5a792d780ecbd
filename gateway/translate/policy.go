package translate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// policyBuilder translates one AccessPolicy.
type policyBuilder struct {
	r    *reader
	ref  source.Ref
	v    *v1alpha1.AccessPolicy
	feed feedv1.Policy
	// ancestors are the Gateways that the policy has a say on; missing are
	// targets that are not there; targets are all that it names.
	ancestors []source.Ref
	missing   []source.Ref
	targets   []source.Ref
	// problem is why the policy is not accepted: then it denies.
	problem  error
	resolved error
	warnings []string
}

func translatePolicy(r *reader, ref source.Ref) {
	o, ok := r.object(ref)
	if !ok {
		return
	}
	b := &policyBuilder{r: r, ref: ref, feed: feedv1.Policy{Key: keyOf(ref), Mode: v1alpha1.ModeEnforce}}
	b.v, _ = o.Value.(*v1alpha1.AccessPolicy)
	if o.Broken != nil || b.v == nil || !named(ref) {
		b.readBroken(o)
	} else {
		b.read()
	}
	b.finish()
}

// readBroken takes a policy that cannot be read at its widest: what it was to
// guard is denied until it is mended.
func (b *policyBuilder) readBroken(o source.Object) {
	reason, unknown := "it cannot be read", true
	if o.Broken != nil {
		reason, unknown = o.Broken.Reason, o.Broken.TargetsUnknown
	}
	b.problem = reject(reasonInvalid, "%s", reason)
	if o.Broken != nil && o.Broken.NamespaceUnknown {
		b.guardAll("")
		return
	}
	if b.v != nil {
		b.readTargets()
	}
	if unknown {
		b.guardAll(b.ref.Namespace)
	}
}

func (b *policyBuilder) read() {
	switch b.v.Spec.Mode {
	case "", v1alpha1.ModeEnforce:
	case v1alpha1.ModeReport:
		b.feed.Mode = v1alpha1.ModeReport
	default:
		b.refuse("spec.mode: %s is neither Enforce nor Report", quote(string(b.v.Spec.Mode)))
	}
	b.readTargets()
	b.readRules()
	b.checkTrust()
	b.check()
}

func (b *policyBuilder) refuse(format string, args ...any) {
	b.problem = joined(b.problem, reject(reasonInvalid, format, args...))
}

// check asks the checker.
func (b *policyBuilder) check() {
	for _, f := range b.r.t.cfg.Policies.CheckPolicy(b.v) {
		if f.Refused {
			b.problem = joined(b.problem, reject(cmp.Or(f.Reason, reasonInvalid), "%s", f))
		} else {
			b.warnings = append(b.warnings, f.String())
		}
	}
}

// checkTrust notes rules for a TrustDomain that nobody here believes: they
// match nothing.
func (b *policyBuilder) checkTrust() {
	for i := range b.v.Spec.Rules {
		t := b.v.Spec.Rules[i].Transaction
		if t == nil || t.TrustDomain == "" || b.believed(t.TrustDomain) {
			continue
		}
		b.resolved = joined(b.resolved, reject(reasonTrustNotFound, "rule %s: TrustDomain %s is believed by none of the Gateways",
			b.v.Spec.Rules[i].Name, quote(t.TrustDomain)))
	}
}

func (b *policyBuilder) believed(name string) bool {
	found := len(b.ancestors) == 0
	for _, gateway := range b.ancestors {
		if f := factOf[believedFact](b.r, factBelieved, gateway); f != nil {
			found = found || slices.ContainsFunc(f.List, func(k feedv1.Key) bool { return k.Name == name })
		}
	}
	return found
}

// finish leaves the policy for the guards, and its status.
func (b *policyBuilder) finish() {
	if b.problem != nil {
		_, b.feed.Rejected = rejected(b.problem)
		b.feed.Rules = nil
	}
	slices.SortFunc(b.feed.Targets, compareTargets)
	b.feed.Targets = slices.Compact(b.feed.Targets)
	b.r.run.Put(&b.r.t.policies, b.feed.Key.String(), seal(b.feed))
	slices.SortFunc(b.ancestors, source.Ref.Compare)
	b.r.status(Status{Ref: b.ref, Policy: b.status()})
}

func compareTargets(a, b feedv1.PolicyTarget) int {
	return compareStrings(strings.Join([]string{a.Kind, a.Key.String(), a.Section}, "/"),
		strings.Join([]string{b.Kind, b.Key.String(), b.Section}, "/"))
}

func (b *policyBuilder) status() *gatewayv1.PolicyStatus {
	c := conditions{}
	if b.v != nil {
		c.generation = b.v.Generation
	}
	if b.problem == nil {
		c.yes(typeAccepted, typeAccepted, strings.Join(b.warnings, "; "))
	} else {
		reason, message := rejected(b.problem)
		c.no(typeAccepted, reason, message+": it denies what it guards")
	}
	c.resolved(b.resolved)
	about := b.ancestors
	if len(about) == 0 {
		about = b.present()
	}
	out := policyStatus(about, c)
	for _, ref := range b.missing {
		if len(out.Ancestors) == maxAncestors {
			break
		}
		m := conditions{generation: c.generation}
		m.no(typeAccepted, reasonTargetNotFound, fmt.Sprintf("there is no %s", ref))
		out.Ancestors = append(out.Ancestors, policyStatus([]source.Ref{ref}, m).Ancestors...)
	}
	return out
}

// present are the targets that are there, where no Gateway is concerned yet.
// Were there none at all, what is wrong with the policy itself is still said.
func (b *policyBuilder) present() []source.Ref {
	var out []source.Ref
	for _, ref := range b.targets {
		if !slices.Contains(b.missing, ref) {
			out = append(out, ref)
		}
	}
	if len(out) == 0 && (b.problem != nil || len(b.missing) == 0) {
		out = append(out, b.ref)
	}
	return out
}
