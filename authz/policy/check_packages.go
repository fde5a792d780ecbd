package policy

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/authz/surface/registry"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

func (k *checker) packages(at *field.Path, in *v1alpha1.PackageMatch) packageEntry {
	given(k, at.Child("names"), in.Names)
	p := packageEntry{
		registries: k.backends(at.Child("registry"), []v1alpha1.BackendReference{in.Registry}),
		names:      k.patterns(at.Child("names"), in.Names, ""),
		pinned:     in.DigestOnly,
	}
	if k.restricts && p.names != nil {
		p.folded = folded(in.Names, p.names)
	}
	for i, name := range in.Names {
		if strings.ContainsAny(name, "%?# ") {
			k.never(at.Child("names").Index(i), "no package has such a name: write it as its registry's users do")
		}
	}
	if k.restricts && (in.MinimumAge != nil || in.DigestOnly) {
		k.invalid(at, "minimumAge and digestOnly narrow an Allow: say there what may be had")
	}
	if in.MinimumAge == nil {
		return p
	}
	age, err := parseDuration(*in.MinimumAge)
	if err != nil {
		k.invalid(at.Child("minimumAge"), "%v", errDuration)
	}
	p.age = age
	return p
}

// folded are names as the registries of each protocol fold them. Most are
// folded as they are: those share what was compiled.
func folded(names []string, plain *patterns) map[string]*patterns {
	out := map[string]*patterns{}
	for _, protocol := range registry.Protocols() {
		list := make([]string, len(names))
		for i, name := range names {
			list[i] = registry.Fold(protocol, name)
		}
		out[protocol] = plain
		if !slices.Equal(list, names) {
			p := newPatterns(list, func(int, error) {}) // what is wrong is said of the names as they were written
			p.text = names
			out[protocol] = p
		}
	}
	return out
}
