package policy

import (
	"net/netip"
	"slices"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

func (of *nameRule) listing(glob string) Listing {
	return Listing{Glob: glob, Policy: of.policy, Rule: of.name}
}

// Listed are the names, and the globs over names, that are listed for a caller
// at this address, sorted. What is closed to everybody below a glob is not left
// out of it.
func (n *Names) Listed(caller netip.Addr) []string {
	var out []string
	for name, rules := range n.exact {
		if slices.ContainsFunc(rules, func(of *nameRule) bool { return of.mayBe(caller) && !n.shuts(name, of.kind) }) {
			out = append(out, name)
		}
	}
	add := func(globs []nameGlob) {
		for i := range globs {
			if globs[i].of.mayBe(caller) {
				out = append(out, globs[i].glob.String())
			}
		}
	}
	for _, globs := range n.globs {
		add(globs)
	}
	add(n.every)
	slices.Sort(out)
	return slices.Compact(out)
}

// Shut is a rule that denies a name to everybody, at every port; false: there is
// none.
func (n *Names) Shut(name string) (policy feedv1.Key, rule string, shut bool) {
	for _, r := range n.shut {
		if r.shuts(name) {
			return r.policy, r.name, true
		}
	}
	return policy, "", false
}

// Rejected is a policy that was not accepted, so that nothing is listed; false:
// there is none.
func (n *Names) Rejected() (policy feedv1.Key, why string, rejected bool) {
	if n.rejected == nil {
		return policy, "", false
	}
	return n.rejected.policy, n.rejected.why, true
}
