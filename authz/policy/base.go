package policy

import (
	"slices"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// base lets MCP's base methods pass: on each server for whom an Allow or Ask
// rule names it, caller and transaction holding. Deny and Ask rules that list
// the method were judged before.
func (d *decision) base(v *level, counted, reported *tally) {
	if !d.e.q.Action.Base || d.e.q.Action.Kind != v1alpha1.SurfaceTools || len(v.namers) == 0 {
		return
	}
	d.named(v, counted, reported)
}

// named is base for a base method on a level that may name servers.
func (d *decision) named(v *level, counted, reported *tally) {
	c, r := tally{}, tally{}
	allCounted, allAny := true, true
	for i := range v.namers {
		byCounted, byReported := d.namers(v, i, &c, &r)
		allCounted = allCounted && byCounted
		allAny = allAny && (byCounted || byReported)
	}
	switch {
	case allCounted:
		counted.adopt(&c)
		reported.adopt(&r)
	case allAny:
		// Only with those that do not count every server is named.
		c.join(&r)
		reported.adopt(&c)
	}
}

// adopt takes o as what allows.
func (t *tally) adopt(o *tally) {
	t.allowed.offer(o.allowed)
	t.duties.join(&o.duties)
}

// namers judges the rules that name server i, and reports whether one holds
// that counts, and one that does not.
func (d *decision) namers(v *level, i int, counted, reported *tally) (byCounted, byReported bool) {
	for _, p := range d.namersOf(v, i) {
		r := v.x.named[p.rule]
		if !d.holds(r) {
			continue
		}
		d.out.seen.add(r.callerFields)
		if r.report {
			reported.open(r)
			byReported = true
		} else {
			counted.open(r)
			byCounted = true
		}
	}
	return byCounted, byReported
}

// namersOf are the places in named of rules that may name server i for the
// caller.
func (d *decision) namersOf(v *level, i int) []posting {
	found := d.buf[:0]
	if d.all || d.tr != nil {
		for j, r := range v.x.named {
			if r.to.names(d.l.target.Backends[i]) {
				found = append(found, posting{rule: int32(j)})
			}
		}
		return found
	}
	for _, b := range v.namers[i] {
		found = b.collect(d.e.q, found)
	}
	slices.SortFunc(found, comparePostings)
	return slices.Compact(found)
}

// holds reports whether caller and transaction of r hold.
func (d *decision) holds(r *rule) bool {
	d.watch()
	d.e.begin()
	t := r.caller(&d.e)
	if t == yes && d.e.q.Claims == nil && !r.txn.none {
		t = d.e.note("token", "a verified one", "none", no)
	}
	d.traceRule(r, t, "names the server")
	return t == yes
}

// open takes a rule that opens the base methods. Its limits are for what it
// lists, and do not count here.
func (t *tally) open(r *rule) {
	duties := r.duties
	duties.OutputTokens, duties.RequestBytes, duties.HeadBytes, duties.Budgets = 0, -1, 0, nil
	t.allowed.offer(tallied{r: r})
	t.duties.add(&duties)
}

// usualDenyAs is how a denial by no rule is told: as a Result only if every
// Allow rule that names the server for this caller says so, and there is one.
func (d *decision) usualDenyAs() v1alpha1.DenyAs {
	if d.e.q.Action.Kind != v1alpha1.SurfaceTools {
		return v1alpha1.DenyAsError
	}
	named := false
	for i := range d.l.list {
		v := &d.l.list[i]
		for j := range v.namers {
			for _, p := range d.quietly(v, j) {
				r := v.x.named[p.rule]
				if r.report || !r.allows() || d.caller(r) != yes {
					continue
				}
				if r.duties.DenyAs != v1alpha1.DenyAsResult {
					return v1alpha1.DenyAsError
				}
				named = true
			}
		}
	}
	if named {
		return v1alpha1.DenyAsResult
	}
	return v1alpha1.DenyAsError
}

func (d *decision) quietly(v *level, i int) []posting {
	tr := d.tr
	d.tr = nil
	found := d.namersOf(v, i)
	d.tr = tr
	return found
}

// caller judges only who calls, without a note.
func (d *decision) caller(r *rule) truth {
	d.e.notes = nil
	d.e.begin()
	return r.caller(&d.e)
}
