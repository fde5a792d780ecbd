package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Trace is how an Outcome came about, for a person. All values in it are plain
// text of bounded length. The zero Trace is ready for Decide, which fills it.
type Trace struct {
	Levels []LevelTrace
	// Duties are the merged ones of an Allow, one a line: "tls: Passthrough".
	Duties []string
	// NearMisses are the Allow rules that came nearest, on levels that denied
	// because no rule allowed: what would have to be different.
	NearMisses []NearMiss
}

// LevelTrace is one level.
type LevelTrace struct {
	// Level is KIND/NAMESPACE/NAME, with /SECTION for a listener or
	// a route's rule.
	Level string
	// Enforcing: the level has a policy that counts.
	Enforcing bool
	Effect    string
	Code      string
	// Rules are those of the hop's kind: matches first, then by how near they
	// came. At most 64; Omitted counts the rest.
	Rules   []RuleTrace
	Omitted int
}

// RuleTrace is one rule.
type RuleTrace struct {
	Policy feedv1.Key
	Rule   string
	Action v1alpha1.RuleAction
	// Report: the rule's policy does not count.
	Report bool
	// As says in what role the rule was looked at, if not as a rule for the
	// hop: "names the server", for MCP's base methods.
	As string
	// Result is yes, no or error.
	Result     string
	Conditions []Condition
	// Duties are what the rule brings with it, if it allows and matches.
	Duties []string
}

// NearMiss is an Allow rule that did not match, and why.
type NearMiss struct {
	Level   string
	Policy  feedv1.Key
	Rule    string
	Missing []Condition
}

const (
	maxRuleTraces = 64
	maxNearMisses = 3
)

func (d *decision) traceLevel(v *level) {
	if d.tr != nil {
		d.tr.Levels = append(d.tr.Levels, LevelTrace{Level: v.name, Enforcing: v.x.enforcing})
	}
}

// watch makes ready to take down the next rule.
func (d *decision) watch() {
	d.e.notes = nil
	if d.tr != nil {
		d.e.notes = &notes{}
	}
}

func (d *decision) traceRule(r *rule, result truth, as string) {
	if d.tr == nil {
		return
	}
	t := RuleTrace{
		Policy: r.policy, Rule: r.name, Action: r.action, Report: r.report, As: as,
		Result: result.String(), Conditions: d.e.notes.list,
	}
	if r.allows() && result == yes {
		t.Duties = r.duties.lines()
	}
	last := &d.tr.Levels[len(d.tr.Levels)-1]
	last.Rules = append(last.Rules, t)
}

func (d *decision) traceVerdict(v *level, said *verdict) {
	if d.tr == nil {
		return
	}
	last := &d.tr.Levels[len(d.tr.Levels)-1]
	last.Effect, last.Code = said.effect.String(), said.code
	if !v.x.enforcing {
		last.Code = ""
	}
	slices.SortStableFunc(last.Rules, compareTraces)
	if said.code == CodeNoRule && v.x.enforcing {
		d.tr.NearMisses = append(d.tr.NearMisses, nearest(last)...)
	}
	if n := len(last.Rules) - maxRuleTraces; n > 0 {
		last.Rules, last.Omitted = last.Rules[:maxRuleTraces:maxRuleTraces], n
	}
}

func compareTraces(a, b RuleTrace) int {
	order := func(t RuleTrace) int {
		if t.Result == yes.String() {
			return -1
		}
		return failed(t.Conditions)
	}
	return cmp.Compare(order(a), order(b))
}

func nearest(l *LevelTrace) []NearMiss {
	var out []NearMiss
	for _, r := range l.Rules {
		if r.Action != v1alpha1.ActionAllow || r.Report || r.As != "" || len(out) == maxNearMisses {
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(r.Conditions), func(c Condition) bool { return c.Result == yes.String() })
		out = append(out, NearMiss{Level: l.Level, Policy: r.Policy, Rule: r.Rule, Missing: missing})
	}
	return out
}

func (d *decision) traceOutcome() {
	if d.tr != nil && d.out.Effect == Allow {
		d.tr.Duties = d.out.Duties.lines()
	}
}

// lines are the duties for a person.
func (d *Duties) lines() []string {
	bound := "none"
	if d.Max > 0 {
		bound = d.Max.String()
	}
	out := []string{
		fmt.Sprintf("stream.lifetime: %s", d.Lifetime),
		"stream.max: " + bound,
		fmt.Sprintf("tls: %s", d.TLS),
		fmt.Sprintf("forwardToken: %s", d.ForwardToken),
		fmt.Sprintf("audit: %s", d.Audit),
		fmt.Sprintf("denyAs: %s", d.DenyAs),
	}
	if d.OutputTokens > 0 {
		out = append(out, "limits.outputTokens: "+strconv.FormatInt(d.OutputTokens, 10))
	}
	if d.RequestBytes >= 0 {
		out = append(out, "limits.requestBytes: "+strconv.FormatInt(d.RequestBytes, 10))
	}
	return out
}
