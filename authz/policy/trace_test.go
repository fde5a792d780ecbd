package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

func traced(t *testing.T, s *Set, q *Question) (Outcome, Trace) {
	t.Helper()
	var tr Trace
	o := s.Levels(toolTarget()).Decide(q, &tr)
	return o, tr
}

func TestTraceNearMiss(t *testing.T) {
	t.Parallel()
	const rules = `{name: near, action: Allow, to: {type: Tools, tools: [{names: [zzz]}, {names: [search], arguments: [{name: limit, type: Range, maximum: 100}]}]}},
{name: far, action: Allow, from: {agents: [{name: other}]}, to: {type: Tools, tools: [{servers: [{name: gitlab}], names: [zzz]}]}, when: ["args.gone == 1"]}`
	o, tr := traced(t, one(t, rules), call(t, "search", `{"limit":500}`))
	if o.Code != CodeNoRule || len(tr.NearMisses) != 2 {
		t.Fatalf("%v %+v", o.Code, tr.NearMisses)
	}
	want := NearMiss{
		Level: "Gateway/agents/egress/agents", Policy: feedv1.Key{Namespace: "agents", Name: "p"}, Rule: "near",
		Missing: []Condition{{Field: "args.limit", Expected: "at most 100", Actual: "500", Result: "no"}},
	}
	if diff := cmp.Diff(want, tr.NearMisses[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var fields []string
	for _, c := range tr.NearMisses[1].Missing {
		fields = append(fields, c.Field+"="+c.Result)
	}
	if got := strings.Join(fields, " "); got != "agent=no servers=no names=no when[0]=error" {
		t.Errorf("the far one misses %s", got)
	}
}

func TestTraceShowsEverything(t *testing.T) {
	t.Parallel()
	const rules = allowAll + `,
{name: no-evil, action: Deny, from: {agents: [{name: evil}]}, to: {type: Tools, tools: [{}]}},
{name: cel, action: Deny, to: {type: Tools, tools: [{}]}, when: ["args.limit > 1000"]},
{name: models, action: Allow, to: {type: Models, models: [{}]}}`
	o, tr := traced(t, one(t, rules), call(t, "search", `{"limit":500}`))
	if o.Effect != Allow || len(tr.Levels) != 1 || len(tr.NearMisses) != 0 {
		t.Fatalf("%v %+v", o.Effect, tr)
	}
	level := tr.Levels[0]
	if level.Effect != "allow" || !level.Enforcing || len(level.Rules) != 3 || level.Omitted != 0 {
		t.Fatalf("%+v", level)
	}
	if level.Rules[0].Rule != "all" || level.Rules[0].Result != "yes" || len(level.Rules[0].Duties) != 6 {
		t.Errorf("first: %+v", level.Rules[0])
	}
	for _, r := range level.Rules[1:] {
		for _, c := range r.Conditions {
			if c.Field == "when[0]" && c.Actual != "no; args.limit = 500" {
				t.Errorf("condition: %+v", c)
			}
		}
	}
	if diff := cmp.Diff(level.Rules[0].Duties, tr.Duties); diff != "" {
		t.Errorf("merged duties differ: %s", diff)
	}
}

func TestTraceNamers(t *testing.T) {
	t.Parallel()
	_, tr := traced(t, one(t, "{name: named, action: Allow, to: {type: Tools, tools: [{names: [x]}]}}"), method(t, "ping", true))
	found := false
	for _, r := range tr.Levels[0].Rules {
		found = found || r.As == "names the server" && r.Result == "yes"
	}
	if !found {
		t.Errorf("%+v", tr.Levels[0].Rules)
	}
}

// A trace is bounded in every direction, whatever the request holds.
func TestTraceIsBounded(t *testing.T) {
	t.Parallel()
	rules := ""
	for i := range 200 {
		rules += fmt.Sprintf(`{name: r%d, action: Allow, to: {type: Tools, tools: [{names: [a%d], arguments: [{name: a, type: Exact, values: ["x"]}]}]}},`, i, i)
	}
	_, tr := traced(t, one(t, rules), call(t, strings.Repeat("é", 5000), `{"a":"`+strings.Repeat("y", 5000)+`"}`))
	l := tr.Levels[0]
	if len(l.Rules) != maxRuleTraces || l.Omitted != 200-maxRuleTraces || len(tr.NearMisses) != maxNearMisses {
		t.Errorf("%d rules, %d omitted, %d near", len(l.Rules), l.Omitted, len(tr.NearMisses))
	}
	for _, r := range l.Rules {
		for _, c := range r.Conditions {
			if len(c.Actual) > maxShown || len(c.Expected) > maxShown {
				t.Fatalf("%s: %d bytes", c.Field, len(c.Actual))
			}
			if strings.ContainsRune(c.Actual, '\uFFFD') {
				t.Fatalf("%s is cut within a rune", c.Field)
			}
		}
	}
}

// A level that denies still shows what its Allow rules would have said, and
// that changes nothing.
func TestTraceOfAClosedLevel(t *testing.T) {
	t.Parallel()
	s := one(t, allowAll+", {name: d, action: Deny, to: {type: Tools, tools: [{}]}}, "+
		`{name: e, action: Allow, to: {type: Tools, tools: [{}]}, when: ["args.gone == 1"]}`)
	q := call(t, "x", "{}")
	o, tr := traced(t, s, q)
	if o.Code != CodeRuleDenied || len(tr.Levels[0].Rules) != 3 || len(o.Errors) != 0 {
		t.Errorf("%v %v %+v", o.Code, o.Errors, tr.Levels[0].Rules)
	}
	decideAll(t, s, toolTarget(), q)
}
