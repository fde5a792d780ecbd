package policy

// tallied is a rule that counts for something: the first by name of its level.
type tallied struct {
	r     *rule
	fault fault
	// code is that of the limit which the request does not keep.
	code string
}

func (t *tallied) offer(o tallied) {
	if o.r != nil && (t.r == nil || compareRules(o.r, t.r) < 0) {
		*t = o
	}
}

// offerLack is offer, but for that what can be looked up comes first.
func (t *tallied) offerLack(o tallied) {
	if o.r != nil && t.r != nil && o.code != t.code {
		if o.code == CodeReleaseAgeUnknown {
			*t = o
		}
		if o.code == CodeReleaseAgeUnknown || t.code == CodeReleaseAgeUnknown {
			return
		}
	}
	t.offer(o)
}

// tally is what the rules of one level say.
type tally struct {
	denied, faulted, asked, allowed tallied
	// broken is an Allow rule whose limits the request does not keep.
	broken tallied
	// lacking is an Allow rule that the request would match if it had what its
	// code says.
	lacking tallied
	duties  merged
}

// merged are duties of no rule, or of some.
type merged struct {
	any bool
	Duties
}

func (m *merged) add(d *Duties) {
	if !m.any {
		m.any, m.Duties = true, *d
		return
	}
	m.merge(d)
}

func (m *merged) join(o *merged) {
	if o.any {
		m.add(&o.Duties)
	}
}

// join makes t what t and o say together.
func (t *tally) join(o *tally) {
	t.denied.offer(o.denied)
	t.faulted.offer(o.faulted)
	t.asked.offer(o.asked)
	t.allowed.offer(o.allowed)
	t.broken.offer(o.broken)
	t.lacking.offerLack(o.lacking)
	t.duties.join(&o.duties)
}

// closed reports whether no Allow rule can help any more.
func (t *tally) closed() bool {
	return t.denied.r != nil || t.faulted.r != nil || t.asked.r != nil
}

// verdict is what one level says.
type verdict struct {
	effect Effect
	code   string
	by     tallied
}

// verdict joins the rules of a level: any Deny, then what could not be judged,
// then any Ask, then any Allow, else deny.
func (x *index) verdict(t *tally) verdict {
	switch {
	case x.rejected != nil:
		return verdict{effect: Deny, code: CodePolicyRejected}
	case t.denied.r != nil:
		return verdict{Deny, CodeRuleDenied, t.denied}
	case t.faulted.r != nil:
		return verdict{Deny, CodeRuleError, t.faulted}
	case t.asked.r != nil:
		return verdict{Ask, CodeApprovalRequired, t.asked}
	case t.allowed.r != nil:
		return verdict{Allow, "", t.allowed}
	}
	if t.lacking.r != nil {
		return verdict{Deny, t.lacking.code, t.lacking}
	}
	return verdict{effect: Deny, code: CodeNoRule}
}

func (v *verdict) would(l *level) Would {
	w := Would{Level: l.name, Effect: v.effect, Code: v.code}
	if v.by.r != nil {
		w.Policy, w.Rule = v.by.r.policy, v.by.r.name
	}
	if v.code == CodePolicyRejected {
		w.Policy = l.x.rejected.policy
	}
	return w
}

// rank orders effects: over all levels the highest holds.
func (e Effect) rank() int {
	switch e {
	case Neutral:
		return 0
	case Allow:
		return 1
	case Ask:
		return 2
	default:
		return 3
	}
}
