package policy

import (
	"slices"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Decide judges one hop. tr, when it is not nil, is filled with every rule of
// the hop's kind; that costs time and memory in the number of rules. With a nil
// tr, work does not grow with their number, and nothing is allocated but by
// conditions, for Report policies, and where something could not be judged.
func (l *Levels) Decide(q *Question, tr *Trace) Outcome {
	var o Outcome
	l.DecideTo(&o, q, tr)
	return o
}

// DecideTo is Decide that writes to o, whatever o was.
func (l *Levels) DecideTo(o *Outcome, q *Question, tr *Trace) {
	d := l.decisions.Get().(*decision)
	d.l, d.q, d.tr = l, *q, tr
	d.e.q, d.e.t = &d.q, &l.target
	d.run()
	*o = d.out
	*d = decision{}
	l.decisions.Put(d)
}

// decision is the work on one Outcome. It is too large for a stack that begins
// small, and is used again and again.
type decision struct {
	l  *Levels
	q  Question
	e  eval
	tr *Trace
	// all: look at every rule, not only at those the index finds.
	all bool
	out Outcome

	rank, wouldRank int
	// duties are of the Allow rules that match, on levels that allow; broken is
	// the first of them whose limits the request does not keep. Those in would
	// are of Report policies too.
	duties              merged
	broken, wouldBroken tallied
	brokenAt            *level
	reporting, hopeless bool
	// counted and reported are what rules say of the level at hand.
	counted, reported tally
	// steps are those left for couldWithToken.
	steps int

	buf [48]posting
}

func (d *decision) run() {
	d.out.Effect = Neutral
	d.undo()
	for i := range d.l.list {
		d.level(&d.l.list[i])
	}
	d.limits()
	d.finish()
}

// level judges one level, and takes what it says.
func (d *decision) level(v *level) {
	d.traceLevel(v)
	counted, reported := &d.counted, &d.reported
	*counted, *reported = tally{}, tally{}
	d.candidates(v, false, counted, reported)
	switch {
	case v.x.reporting || v.x.rejected == nil && !counted.closed():
		d.candidates(v, true, counted, reported)
		d.base(v, counted, reported)
	case d.tr != nil:
		d.forShow(v)
	}
	said := v.x.verdict(counted)
	if v.x.enforcing {
		d.take(v, &said, counted)
	} else {
		said.effect = Neutral
	}
	d.wouldTake(v, &said)
	d.traceVerdict(v, &said)
}

// forShow looks at the Allow rules of a level that is closed already: only the
// trace keeps what they say.
func (d *decision) forShow(v *level) {
	errors, seen := d.out.Errors, d.out.seen
	var counted, reported tally
	d.candidates(v, true, &counted, &reported)
	d.base(v, &counted, &reported)
	d.out.Errors, d.out.seen = errors, seen
}

// candidates judges the Allow rules that may match, or the others.
func (d *decision) candidates(v *level, allow bool, counted, reported *tally) {
	var found []posting
	if d.all || d.tr != nil {
		found = v.x.everything(d.e.q.Action.Kind, allow)
	} else {
		found = v.collect(d.e.q, allow, d.buf[:0])
		if d.e.undone != nil {
			found = v.collect(d.e.undone, allow, found)
		}
		slices.SortFunc(found, comparePostings)
		found = slices.Compact(found)
	}
	for len(found) > 0 {
		n := 1
		for n < len(found) && found[n].rule == found[0].rule {
			n++
		}
		r := v.x.rules[found[0].rule]
		if r.report {
			d.judge(r, found[:n], reported)
		} else {
			d.judge(r, found[:n], counted)
		}
		found = found[n:]
	}
}

func comparePostings(a, b posting) int {
	if a.rule != b.rule {
		return int(a.rule) - int(b.rule)
	}
	return int(a.entry) - int(b.entry)
}

// everything is all postings of a kind, in order.
func (x *index) everything(kind v1alpha1.SurfaceType, allow bool) []posting {
	var out []posting
	for i, r := range x.rules {
		if r.kind != kind || r.allows() != allow {
			continue
		}
		for j := range r.to.len() {
			out = append(out, posting{int32(i), int32(j)})
		}
	}
	return out
}

// judge counts what one rule says.
func (d *decision) judge(r *rule, entries []posting, t *tally) {
	d.watch()
	result := d.read(r, entries)
	d.traceRule(r, result, "")
	if d.e.reached {
		d.out.seen.add(r.fields)
	}
	switch {
	case result == no:
		if d.e.lack != "" {
			t.lacking.offerLack(tallied{r: r, code: d.e.lack})
		}
	case result == unsure:
		d.fault(r)
		if !r.allows() {
			t.faulted.offer(tallied{r: r, fault: d.e.fault})
		}
	case r.action == v1alpha1.ActionDeny:
		t.denied.offer(tallied{r: r})
	case r.action == v1alpha1.ActionAsk:
		t.asked.offer(tallied{r: r})
	case r.allows():
		t.allowed.offer(tallied{r: r})
		d.bind(r, t)
	}
	if result != yes && d.matchesUndone(r, entries) {
		d.out.seen.add(r.fields)
		d.bind(r, t)
	}
}

// bind takes what an Allow rule asks of what it allows.
func (d *decision) bind(r *rule, t *tally) {
	t.duties.add(&r.duties)
	if code := r.duties.exceeded(d.e.q.Action); code != "" {
		t.broken.offer(tallied{r: r, code: code})
	}
}

// fault records a rule that could not be judged.
func (d *decision) fault(r *rule) {
	if len(d.out.Errors) < maxErrors {
		d.out.Errors = append(d.out.Errors, RuleError{r.policy, r.name, d.e.fault.String()})
	}
}

// take lets a level that counts have its say: any that denies, then any that
// asks, and all others must allow.
func (d *decision) take(v *level, said *verdict, t *tally) {
	rank := said.effect.rank()
	if said.effect == Allow {
		d.duties.join(&t.duties)
		if d.broken.r == nil && t.broken.r != nil {
			d.broken, d.brokenAt = t.broken, v
		}
	}
	if said.effect == Deny {
		d.denies(v, said)
	}
	if rank < d.rank || rank == d.rank && said.effect != Allow {
		return
	}
	d.rank = rank
	d.out.Effect, d.out.Code, d.out.Level = said.effect, said.code, v.name
	d.out.setRule(said.by.r)
	d.out.Detail = ""
	switch said.code {
	case CodePolicyRejected:
		d.out.Policy, d.out.Detail = v.x.rejected.policy, v.x.rejected.why
	case CodeRuleError:
		d.out.Detail = said.by.fault.String()
	}
	d.out.Duties = d.refusal(said)
}

// denies notes whether a token could change what a level says.
func (d *decision) denies(v *level, said *verdict) {
	if d.e.q.Claims != nil {
		return
	}
	switch said.code {
	case CodeNoRule, CodeRuleError:
		d.hopeless = d.hopeless || !d.couldWithToken(v)
	default:
		d.hopeless = true
	}
}

// refusal are the duties of a verdict that does not allow. A default deny is
// told as the Allow rules say that name the server.
func (d *decision) refusal(said *verdict) Duties {
	duties := defaultDuties("")
	switch {
	case said.effect == Allow:
	case said.by.r != nil:
		duties.Audit, duties.DenyAs = said.by.r.duties.Audit, said.by.r.duties.DenyAs
	case said.code == CodeNoRule:
		duties.DenyAs = d.usualDenyAs()
	}
	return duties
}

// wouldTake records what a level would say if its Report policies counted: from
// here on they do.
func (d *decision) wouldTake(v *level, said *verdict) {
	effect := said.effect
	if v.x.reporting {
		d.reporting = true
		d.counted.join(&d.reported)
		would := v.x.verdict(&d.counted)
		effect = would.effect
		d.out.Would = append(d.out.Would, would.would(v))
	}
	d.wouldRank = max(d.wouldRank, effect.rank())
	if effect == Allow && d.wouldBroken.r == nil {
		d.wouldBroken = d.counted.broken
	}
}

// limits denies what is more than the limits of the rules that allow it.
func (d *decision) limits() {
	if d.reporting && d.wouldRank == Allow.rank() && d.wouldBroken.r != nil {
		r := d.wouldBroken.r
		d.out.Would = append(d.out.Would, Would{Effect: Deny, Code: d.wouldBroken.code, Policy: r.policy, Rule: r.name})
	}
	if d.broken.r == nil || d.out.Effect == Deny {
		return
	}
	d.hopeless = true
	d.out.Effect, d.out.Code, d.out.Level = Deny, d.broken.code, d.brokenAt.name
	d.out.setRule(d.broken.r)
	d.out.Detail = ""
	d.out.Duties = defaultDuties("")
	d.out.Duties.Audit, d.out.Duties.DenyAs = d.duties.Audit, d.usualDenyAs()
}

func (d *decision) finish() {
	switch d.out.Effect {
	case Allow:
		d.out.Duties = d.duties.Duties
	case Neutral:
		d.out.Code = CodeUnmatched
		d.out.Duties = defaultDuties(d.e.q.Action.Kind)
	case Deny:
		d.out.TokenHelps = d.e.q.Claims == nil && !d.hopeless
	}
	d.traceOutcome()
}

func (o *Outcome) setRule(r *rule) {
	o.Policy.Namespace, o.Policy.Name, o.Rule = "", "", ""
	if r != nil {
		o.Policy, o.Rule = r.policy, r.name
	}
}
