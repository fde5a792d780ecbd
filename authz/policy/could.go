package policy

import "github.com/hopgate/hopgate/gateway/api/v1alpha1"

// maxSteps bounds the search for a rule that a token could help: a caller
// without one must not make it long. Beyond it, a token is taken to help, and
// the caller is told so: nothing is opened by that.
const maxSteps = 512

// couldWithToken reports whether some rule of a level that counts could match
// if there was a token: all that no token tells holds, but for conditions.
func (d *decision) couldWithToken(v *level) bool {
	d.e.notes, d.steps = nil, maxSteps
	r := v.reach(d.e.q.Action.Kind)
	if r != nil && (d.couldAnyOf(v.x.rules, r.allow, true) || d.couldAnyOf(v.x.rules, r.restrict, true)) {
		return true
	}
	if !d.e.q.Action.Base {
		return false
	}
	for _, branches := range v.namers {
		if d.couldAnyOf(v.x.named, branches, false) {
			return true
		}
	}
	return false
}

func (d *decision) couldAnyOf(rules []*rule, branches []*branch, target bool) bool {
	for _, b := range branches {
		if d.couldAny(rules, b, target) {
			return true
		}
	}
	return false
}

// couldAny walks a branch, with what a token would tell taken for anything.
func (d *decision) couldAny(rules []*rule, b *branch, target bool) bool {
	if b == nil {
		return false
	}
	switch b.by {
	case byNothing:
		return d.couldList(rules, b.list, target)
	case byAgent, bySubject:
		for _, c := range b.exact {
			if d.couldAny(rules, c, target) {
				return true
			}
		}
		return d.couldAnyOf(rules, b.prefixes.all(), target) ||
			d.couldAnyOf(rules, b.suffixes.all(), target) ||
			d.couldAny(rules, b.rest, target)
	}
	var buf [8]*branch
	return d.couldAnyOf(rules, b.matching(d.e.q, buf[:0]), target)
}

func (d *decision) couldList(rules []*rule, list []posting, target bool) bool {
	for _, p := range list {
		d.steps--
		if d.steps < 0 || d.could(rules[p.rule], p, target) {
			return true
		}
	}
	return false
}

func (d *decision) could(r *rule, p posting, target bool) bool {
	if r.report || r.action == v1alpha1.ActionDeny || !r.needsToken() && (target || r.txn.none) {
		return false
	}
	if r.from.peers != nil && !r.from.peers.match(d.e.q.Peer) {
		return false
	}
	if !target {
		return true
	}
	d.e.begin()
	entries := [1]posting{p}
	return r.target(&d.e, entries[:]) == yes
}

// needsToken reports whether r may have failed for the lack of a token.
func (r *rule) needsToken() bool {
	return r.txn.required || r.from.agents != nil || r.from.subjects != nil || len(r.when) > 0
}
