package translate

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// packages completes the registries of a rule's entries. Hosts of its files
// belong to a registry: what an entry says holds there too.
func (b *policyBuilder) packages(rule *v1alpha1.AccessRule) (kept []v1alpha1.PackageMatch, ok bool) {
	for i := range rule.To.Packages {
		e := rule.To.Packages[i]
		var permitted bool
		e.Registry, permitted = b.backend(rule.Name, e.Registry)
		if !permitted && rule.Action == v1alpha1.ActionAllow {
			continue
		}
		kept = append(kept, e)
		ref := refOf(e.Registry.Kind, e.Registry.Namespace, e.Registry.Name)
		f := factOf[backendFact](b.r, factBackend, ref)
		if f == nil || !permitted {
			continue
		}
		b.checkRegistry(rule, ref, f, &e)
		for _, name := range b.files(rule.Name, ref, f) {
			other := e
			other.Registry.Name = name
			kept = append(kept, other)
		}
	}
	return kept, len(kept) > 0 || len(rule.To.Packages) == 0
}

// files are the XBackends that a registry has its files handed out by.
func (b *policyBuilder) files(rule string, ref source.Ref, f *backendFact) []string {
	if f.X == nil {
		return nil
	}
	for _, name := range f.X.Registry.Files {
		other := factOf[backendFact](b.r, factBackend, refOf(kindXBackend, ref.Namespace, name))
		if other == nil || other.X == nil || other.X.Surface != f.X.Surface {
			b.unresolved(gatewayv1.RouteReasonBackendNotFound, rule, fmt.Sprintf("%s has files handed out by %s, which is no XBackend of its protocol", ref, quote(name)))
		}
	}
	return f.X.Registry.Files
}

// protocols are those that a backend speaks as a registry.
func (f *backendFact) protocols() []string {
	var out []string
	if f.X != nil && f.X.Surface.Type == v1alpha1.SurfacePackages {
		out = append(out, f.X.Surface.Provider)
	}
	for _, p := range f.Ports {
		if p.Surface.Type == v1alpha1.SurfacePackages {
			out = addOnce(out, p.Surface.Provider)
		}
	}
	return out
}

// checkRegistry holds an entry against what its registry is.
func (b *policyBuilder) checkRegistry(r *v1alpha1.AccessRule, ref source.Ref, f *backendFact, e *v1alpha1.PackageMatch) {
	rule, protocols := r.Name, f.protocols()
	if f.Reason == "" && len(protocols) == 0 {
		b.unresolved(gatewayv1.RouteReasonInvalidKind, rule, ref.String()+" is no registry: its app protocol says of none")
		return
	}
	for _, p := range protocols {
		if why := ageless(p); why != "" && e.MinimumAge != nil {
			b.refuse("rule %s: minimumAge: %s is of protocol %s, and %s", rule, ref, p, why)
		}
		if e.DigestOnly && p != "oci" && p != "hf" {
			b.refuse("rule %s: digestOnly: %s is of protocol %s, whose requests name no digest: it is for oci and hf", rule, ref, p)
		}
		b.packageNames(r, p, e.Names)
	}
	if e.MinimumAge != nil && ref.Kind == kindService {
		b.refuse("rule %s: minimumAge: it is for XBackends, whose index the gateway can ask: %s is a Service", rule, ref)
	}
}

// packageNames holds names against those of a protocol. An Allow compares them as
// they are; a Deny or Ask folds them, and must not be one that never matches.
func (b *policyBuilder) packageNames(r *v1alpha1.AccessRule, protocol string, names []string) {
	allows := r.Action == v1alpha1.ActionAllow
	for _, name := range names {
		canonical, mend := b.r.t.cfg.PackageName(protocol, name)
		switch {
		case mend != "" && !allows:
			b.refuse("rule %s: names: %s matches no name of %s: write it %s", r.Name, quote(name), protocol, mend)
		case mend != "":
			b.warnings = append(b.warnings, fmt.Sprintf("rule %s: names: %s matches no name of %s: write it %s", r.Name, quote(name), protocol, mend))
		case allows && canonical != name:
			b.warnings = append(b.warnings, fmt.Sprintf("rule %s: names: %s never matches: names of %s are spelled otherwise, write %s", r.Name, quote(name), protocol, quote(canonical)))
		}
	}
}

// ageless is why a protocol does not say when a release was published, in a way
// that its publisher cannot choose; empty: it does.
func ageless(protocol string) string {
	switch protocol {
	case "pypi", "npm", "cargo":
		return ""
	case "go":
		return "a Go module proxy tells the time of a commit, which its author chooses"
	case "oci":
		return "an image's time is whatever who built it wrote: use digestOnly"
	case "hf":
		return "the hub tells the time of a commit, which its author chooses: use digestOnly"
	default:
		return "its indexes do not say when a package was added"
	}
}
