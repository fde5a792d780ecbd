package policy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/policy/glob"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Names is what the rules of one Gateway list of host names, for who asks for a
// name alone: of them no more is known than an address. It never changes.
type Names struct {
	exact map[string][]*nameRule
	// globs are by the labels that each ends with, every by none at all.
	globs map[string][]nameGlob
	every []nameGlob
	// shut are rules that deny names to everybody.
	shut []*rule
	// rejected is why nothing is listed: a policy that was not accepted; nil:
	// there is none.
	rejected *rejection
}

// nameRule is a rule as far as it says who may have a name.
type nameRule struct {
	policy feedv1.Key
	name   string
	kind   v1alpha1.SurfaceType
	peers  *patterns
}

type nameGlob struct {
	glob glob.Glob
	of   *nameRule
}

// Listing is how a name is listed.
type Listing struct {
	// Glob is the pattern that lists it; empty: it is named itself.
	Glob string
	// Policy and Rule list it.
	Policy feedv1.Key
	Rule   string
}

// Names gathers what a Gateway's policies list. Allow and Ask rules list names,
// of kind Hosts and HTTP by themselves, and of other kinds by the host names
// of backends. What cannot be reached is not listed: policies of mode Report
// count for nothing, and a policy that was not accepted shuts all.
func (s *Set) Names(gateway feedv1.Key, backends []feedv1.Backend) *Names {
	n := &Names{exact: map[string][]*nameRule{}, globs: map[string][]nameGlob{}}
	seen := map[*rule]bool{}
	for at, x := range s.indexes {
		if at.kind != "Gateway" || at.key != gateway {
			continue
		}
		if x.rejected != nil {
			if at.section == "" {
				return &Names{rejected: x.rejected}
			}
			continue
		}
		for _, r := range x.rules {
			if !seen[r] && !r.report {
				seen[r] = true
				n.add(r, backends)
			}
		}
	}
	return n
}

func (n *Names) add(r *rule, backends []feedv1.Backend) {
	if r.action == v1alpha1.ActionDeny {
		if r.deniesAll() {
			n.shut = append(n.shut, r)
		}
		return
	}
	of := &nameRule{policy: r.policy, name: r.name, kind: r.kind, peers: r.from.peers}
	for i := range r.to.hosts {
		n.list(r.to.hosts[i].names, of)
	}
	for i := range r.to.http {
		n.list(r.to.http[i].hosts, of)
	}
	if !backed(r.kind) {
		return
	}
	for i := range backends {
		b := &backends[i]
		if b.Surface == r.kind && b.Rejected == "" && r.toBackend(b.Ref) {
			n.exact[b.Hostname] = append(n.exact[b.Hostname], of)
		}
	}
}

// deniesAll reports whether r denies what it names to everybody.
func (r *rule) deniesAll() bool {
	return r.from == (from{}) && !r.txn.required && r.txn.domain == "" && len(r.txn.scopes)+len(r.txn.context)+len(r.when) == 0
}

func (r *rule) toBackend(ref string) bool {
	for i := range r.to.len() {
		if covers(r.to.backends(i), ref) {
			return true
		}
	}
	return false
}

// list adds what h names; nil names every host.
func (n *Names) list(h *hosts, of *nameRule) {
	if h == nil || h.any {
		if every, err := glob.Compile("*", labels); err == nil {
			n.every = append(n.every, nameGlob{every, of})
		}
	}
	if h == nil {
		return
	}
	for _, name := range h.exact {
		n.exact[name] = append(n.exact[name], of)
	}
	for _, g := range h.globs {
		if end := labelsOf(g.Tail()); end != "" {
			n.globs[end] = append(n.globs[end], nameGlob{g, of})
		} else {
			n.every = append(n.every, nameGlob{g, of})
		}
	}
}

// labelsOf are the whole labels in the tail of a glob, which stands for whole
// labels itself.
func labelsOf(tail string) string { return strings.TrimPrefix(tail, ".") }

// Lists reports whether a caller at this address may be one for whom a name, in
// canonical form, is listed, and how.
func (n *Names) Lists(name string, caller netip.Addr) (Listing, bool) {
	for _, of := range n.exact[name] {
		if of.mayBe(caller) && !n.shuts(name, of.kind) {
			return of.listing(""), true
		}
	}
	for end := name; end != ""; _, end, _ = strings.Cut(end, ".") {
		if l, ok := n.among(n.globs[end], name, caller); ok {
			return l, true
		}
	}
	return n.among(n.every, name, caller)
}

func (n *Names) among(list []nameGlob, name string, caller netip.Addr) (Listing, bool) {
	for i := range list {
		if g := &list[i]; g.glob.Match(name) && g.of.mayBe(caller) && !n.shuts(name, g.of.kind) {
			return g.of.listing(g.glob.String()), true
		}
	}
	return Listing{}, false
}

// mayBe reports whether a caller at an address may be one that is meant. Of who
// is named otherwise than by an address nobody knows where it is.
func (of *nameRule) mayBe(caller netip.Addr) bool {
	p := of.peers
	if p == nil || len(p.exact)+len(p.globs) > 0 {
		return true
	}
	return slices.ContainsFunc(p.nets, func(n netip.Prefix) bool { return n.Contains(caller) })
}

// shuts reports whether a name is denied to everybody, at every port, by rules
// of the kind by which it is listed.
func (n *Names) shuts(name string, kind v1alpha1.SurfaceType) bool {
	return slices.ContainsFunc(n.shut, func(r *rule) bool { return r.kind == kind && r.shuts(name) })
}

// shuts reports whether r, which denies what it names to everybody, names a host
// at every port.
func (r *rule) shuts(name string) bool {
	switch r.kind {
	case v1alpha1.SurfaceHosts:
		return slices.ContainsFunc(r.to.hosts, func(h hostEntry) bool { return len(h.ports.list) == 0 && h.names.match(name) })
	case v1alpha1.SurfaceHTTP:
		return slices.ContainsFunc(r.to.http, func(h httpEntry) bool {
			return len(h.ports.list) == 0 && h.methods == nil && h.paths == nil && len(h.words) == 0 && h.hosts.match(name)
		})
	default:
		return false
	}
}
