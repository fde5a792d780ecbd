package policy

import (
	"reflect"
	"slices"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

const worlds = 200

// inEachWorld runs a test on random policies, with hops to try on them.
func inEachWorld(t *testing.T, run func(t *testing.T, r random, c *Compiler, policies []feedv1.Policy)) {
	t.Helper()
	t.Parallel()
	c := newCompiler(t)
	n := uint64(worlds)
	if testing.Short() {
		n /= 10
	}
	for seed := range n {
		r := newRandom(seed)
		run(t, r, c, r.policies())
		if t.Failed() {
			t.Fatalf("in world %d", seed)
		}
	}
}

const hops = 30

// The index finds what looking at every rule finds, with and without a trace.
func TestIndexIsLinear(t *testing.T) {
	effects := map[Effect]int{}
	codes := map[string]int{}
	inEachWorld(t, func(t *testing.T, r random, c *Compiler, policies []feedv1.Policy) {
		s := c.Compile(policies)
		for range hops {
			o := decideAll(t, s, r.target(), r.question())
			effects[o.Effect]++
			codes[o.Code]++
		}
	})
	if testing.Short() {
		return // few worlds have few of each
	}
	// The worlds must be worth the walk.
	for _, e := range []Effect{Allow, Deny, Ask, Neutral} {
		if effects[e] < 50 {
			t.Errorf("%v only %d times", e, effects[e])
		}
	}
	for _, code := range []string{CodeNoRule, CodeRuleDenied, CodeRuleError, CodePolicyRejected, CodeLimitExceeded, CodeLimitMissing, CodeBadPath} {
		if codes[code] < 5 {
			t.Errorf("%s only %d times", code, codes[code])
		}
	}
}

// The order of policies, rules and targets changes nothing.
func TestOrderChangesNothing(t *testing.T) {
	inEachWorld(t, func(t *testing.T, r random, c *Compiler, policies []feedv1.Policy) {
		s := c.Compile(policies)
		mixed := copyPolicies(policies)
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		for i := range mixed {
			rules, targets := mixed[i].Rules, mixed[i].Targets
			r.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
			r.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
		}
		m := c.Compile(mixed)
		for range hops {
			target, q := r.target(), r.question()
			if diff := diffOutcomes(s.Levels(target).Decide(q, nil), m.Levels(target).Decide(q, nil)); diff != "" {
				t.Errorf("(-in order +mixed):\n%s", diff)
			}
		}
	})
}

func copyPolicies(in []feedv1.Policy) []feedv1.Policy {
	out := slices.Clone(in)
	for i := range out {
		out[i].Targets = slices.Clone(out[i].Targets)
		out[i].Rules = slices.Clone(out[i].Rules)
		for j := range out[i].Rules {
			out[i].Rules[j] = *out[i].Rules[j].DeepCopy()
		}
	}
	return out
}

// neverOpens holds that what change does to policies lets nothing through that
// was not before. A policy that counted must stay one.
func neverOpens(t *testing.T, change func(r random, policies []feedv1.Policy) []feedv1.Policy) {
	t.Helper()
	inEachWorld(t, func(t *testing.T, r random, c *Compiler, policies []feedv1.Policy) {
		before := c.Compile(policies)
		after := c.Compile(change(r, copyPolicies(policies)))
		for range hops {
			target, q := r.target(), r.question()
			b, a := before.Levels(target).Decide(q, nil), after.Levels(target).Decide(q, nil)
			if a.Effect == Allow && b.Effect != Allow {
				t.Errorf("opened: %v %v, then %v by %s %s", b.Effect, b.Code, a.Effect, a.Policy, a.Rule)
			}
		}
	})
}

// enforcing is one of the policies that count, if there is one.
func (r random) enforcing(policies []feedv1.Policy) *feedv1.Policy {
	for _, i := range r.Perm(len(policies)) {
		if policies[i].Mode == v1alpha1.ModeEnforce {
			return &policies[i]
		}
	}
	return nil
}

func TestAddedDenyNeverOpens(t *testing.T) {
	neverOpens(t, func(r random, policies []feedv1.Policy) []feedv1.Policy {
		if p := r.enforcing(policies); p != nil {
			rule := r.rule(100)
			// An Ask rule names a server for the base methods: only a Deny closes.
			rule.Action, rule.With = v1alpha1.ActionDeny, nil
			p.Rules = append(p.Rules, rule)
		}
		return policies
	})
}

func TestRemovedAllowNeverOpens(t *testing.T) {
	neverOpens(t, func(r random, policies []feedv1.Policy) []feedv1.Policy {
		p := r.enforcing(policies)
		if p == nil {
			return policies
		}
		for i := range p.Rules {
			// Limits are what an Allow rule closes.
			if p.Rules[i].Action == v1alpha1.ActionAllow && (p.Rules[i].With == nil || p.Rules[i].With.Limits == nil) {
				p.Rules = slices.Delete(p.Rules, i, i+1)
				break
			}
		}
		return policies
	})
}

func TestRejectionNeverOpens(t *testing.T) {
	neverOpens(t, func(r random, policies []feedv1.Policy) []feedv1.Policy {
		policies[r.IntN(len(policies))].Rejected = "for the test"
		return policies
	})
}

func TestReportNeverChanges(t *testing.T) {
	inEachWorld(t, func(t *testing.T, r random, c *Compiler, policies []feedv1.Policy) {
		extra := r.policy(100)
		extra.Mode, extra.Rejected = v1alpha1.ModeReport, ""
		before, after := c.Compile(policies), c.Compile(append(copyPolicies(policies), extra))
		for range hops {
			target, q := r.target(), r.question()
			b, a := before.Levels(target).Decide(q, nil), after.Levels(target).Decide(q, nil)
			if a.Effect != b.Effect || a.Code != b.Code || a.Rule != b.Rule || !reflect.DeepEqual(a.Duties, b.Duties) {
				t.Errorf("%v %v %s became %v %v %s", b.Effect, b.Code, b.Rule, a.Effect, a.Code, a.Rule)
			}
		}
	})
}

// Taking a selector away from a Deny or Ask rule never opens, from an Allow
// rule never closes (but for limits, which then hold for more).
func TestRemovedSelector(t *testing.T) {
	neverOpens(t, func(r random, policies []feedv1.Policy) []feedv1.Policy {
		return widen(r, policies, v1alpha1.ActionDeny)
	})
}

func TestRemovedSelectorOfAllow(t *testing.T) {
	inEachWorld(t, func(t *testing.T, r random, c *Compiler, policies []feedv1.Policy) {
		before := c.Compile(policies)
		after := c.Compile(widen(r, copyPolicies(policies), v1alpha1.ActionAllow))
		for range hops {
			target, q := r.target(), r.question()
			b, a := before.Levels(target).Decide(q, nil), after.Levels(target).Decide(q, nil)
			limited := a.Code == CodeLimitExceeded || a.Code == CodeLimitMissing
			if b.Effect == Allow && a.Effect != Allow && !limited {
				t.Errorf("closed: %v %v", a.Effect, a.Code)
			}
		}
	})
}

// widen takes one selector away from one rule of an action.
func widen(r random, policies []feedv1.Policy, action v1alpha1.RuleAction) []feedv1.Policy {
	p := r.enforcing(policies)
	if p == nil {
		return policies
	}
	for i := range p.Rules {
		if p.Rules[i].Action == action {
			widenRule(r, &p.Rules[i])
		}
	}
	return policies
}

func widenRule(r random, rule *v1alpha1.AccessRule) {
	switch r.IntN(5) {
	case 0:
		rule.From = nil
	case 1:
		if len(rule.When) > 0 {
			rule.When = rule.When[1:]
		}
	case 2:
		if x := rule.Transaction; x != nil {
			x.TrustDomain, x.Scopes, x.Context = "", nil, nil
		}
	case 3:
		for i := range rule.To.Tools {
			rule.To.Tools[i].Servers, rule.To.Tools[i].Names = nil, nil
		}
	case 4:
		for i := range rule.To.Tools {
			rule.To.Tools[i].Arguments = nil
		}
	}
}

// FuzzPolicies walks worlds that no seed above leads to.
func FuzzPolicies(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed + worlds)
	}
	c, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := newRandom(seed)
		s := c.Compile(r.policies())
		for range hops {
			decideAll(t, s, r.target(), r.question())
		}
	})
}
