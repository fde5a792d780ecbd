package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// The duties of rules that only name the server count, their limits do not;
// those of a rule that lists the method do.
func TestBaseDuties(t *testing.T) {
	t.Parallel()
	q := method(t, "tools/list", true)
	q.Action.RequestBytes = 500
	named := "{name: named, action: Allow, to: {type: Tools, tools: [{names: [x]}]}, with: {audit: Durable, limits: {requestBytes: 10}}}"
	o := decideAll(t, one(t, named), toolTarget(), q)
	if o.Effect != Allow || o.Duties.Audit != v1alpha1.AuditDurable || o.Duties.RequestBytes != -1 || o.Rule != "named" {
		t.Errorf("named: %v %+v", o.Effect, o.Duties)
	}
	listed := named + ", {name: m, action: Allow, to: {type: Tools, tools: [{methods: [tools/list]}]}, with: {limits: {requestBytes: 100}}}"
	if o := decideAll(t, one(t, listed), toolTarget(), q); o.Code != CodeLimitExceeded || o.Rule != "m" {
		t.Errorf("listed: %v %v %s", o.Effect, o.Code, o.Rule)
	}
}

// A thousand rules of one caller make one namer.
func TestNamersAreFew(t *testing.T) {
	t.Parallel()
	w := workloads()[0]
	s := compileAll(t, w.load(t, 1000, "")...)
	if n := len(s.Levels(w.target).list[0].x.named); n != 1 {
		t.Errorf("%d namers", n)
	}
}

func TestWould(t *testing.T) {
	t.Parallel()
	report := func(name, rules string) feedv1.Policy {
		p := policyOf(t, name, rules)
		p.Mode = v1alpha1.ModeReport
		return p
	}
	const denyX = "[{name: d, action: Deny, to: {type: Tools, tools: [{names: [x]}]}}]"
	key := func(name string) feedv1.Key { return feedv1.Key{Namespace: "agents", Name: name} }
	gw := "Gateway/agents/egress/agents"
	enforced := policyOf(t, "e", "["+allowAll+"]")
	tests := []struct {
		name     string
		policies []feedv1.Policy
		effect   Effect
		want     []Would
	}{
		{"none", []feedv1.Policy{enforced}, Allow, nil},
		{"alone", []feedv1.Policy{report("r", denyX)}, Neutral, []Would{{gw, Deny, CodeRuleDenied, key("r"), "d"}}},
		{"alone, allows", []feedv1.Policy{report("r", "["+allowAll+"]")}, Neutral, []Would{{gw, Allow, "", key("r"), "all"}}},
		{"alone, says nothing", []feedv1.Policy{report("r", "[]")}, Neutral, []Would{{Level: gw, Effect: Deny, Code: CodeNoRule}}},
		{"deny joins what counts", []feedv1.Policy{enforced, report("r", denyX)}, Allow, []Would{{gw, Deny, CodeRuleDenied, key("r"), "d"}}},
		{"what counts joins", []feedv1.Policy{enforced, report("r", "[]")}, Allow, []Would{{gw, Allow, "", key("e"), "all"}}},
		{"would open", []feedv1.Policy{policyOf(t, "e", "[]"), report("r", "["+allowAll+"]")}, Deny, []Would{{gw, Allow, "", key("r"), "all"}}},
		{"would not open what is denied", []feedv1.Policy{policyOf(t, "e", denyX), report("r", "["+allowAll+"]")}, Deny, []Would{{gw, Deny, CodeRuleDenied, key("e"), "d"}}},
		{
			"error",
			[]feedv1.Policy{enforced, report("r", `[{name: d, action: Deny, to: {type: Tools, tools: [{}]}, when: ["args.a == 1"]}]`)},
			Allow,
			[]Would{{gw, Deny, CodeRuleError, key("r"), "d"}},
		},
		{
			"limit",
			[]feedv1.Policy{enforced, report("r", `[{name: l, action: Allow, to: {type: Tools, tools: [{}]}, with: {limits: {requestBytes: 1}}}]`)},
			Allow,
			[]Would{{gw, Allow, "", key("e"), "all"}, {"", Deny, CodeLimitExceeded, key("r"), "l"}},
		},
		{"rejected", []feedv1.Policy{enforced, report("r", `[{name: d, action: Deny, to: {type: Tools}}]`)}, Deny, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := decideAll(t, newCompiler(t).Compile(tt.policies), toolTarget(), call(t, "x", "{}"))
			if diff := cmp.Diff(tt.want, o.Would); o.Effect != tt.effect || diff != "" {
				t.Errorf("%v %v (-want +got):\n%s", o.Effect, o.Code, diff)
			}
		})
	}
}

// Report rules bring no duties and open no base method.
func TestReportDoesNotCount(t *testing.T) {
	t.Parallel()
	loose := policyOf(t, "e", "[{name: all, action: Allow, to: {type: Tools, tools: [{names: [x]}]}, with: {forwardToken: Forward}}]")
	strict := policyOf(t, "r", "["+allowAll+"]")
	strict.Mode = v1alpha1.ModeReport
	s := compileAll(t, loose, strict)
	if o := decideAll(t, s, toolTarget(), call(t, "x", "{}")); o.Duties.ForwardToken != v1alpha1.ForwardTokenForward {
		t.Errorf("duties: %+v", o.Duties)
	}
	only := policyOf(t, "e", "[]")
	if o := decideAll(t, compileAll(t, only, strict), toolTarget(), method(t, "ping", true)); o.Effect != Deny || o.Would[0].Effect != Allow {
		t.Errorf("base: %v would %v", o.Effect, o.Would)
	}
}

func TestTokenHelps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, rules string
		q           func() *Question
		want        bool
	}{
		{"a rule for it", allowAll, nil, true},
		{"a rule for an agent", "{name: a, action: Allow, from: {agents: [{name: x}]}, to: {type: Tools, tools: [{}]}}", nil, true},
		{"an Ask for it", "{name: a, action: Ask, transaction: {type: Required}, to: {type: Tools, tools: [{}]}}", nil, true},
		{"another tool", "{name: a, action: Allow, to: {type: Tools, tools: [{names: [y]}]}}", nil, false},
		{"other arguments", "{name: a, action: Allow, to: {type: Tools, tools: [{arguments: [{name: z, type: Present}]}]}}", nil, false},
		{"another peer", "{name: a, action: Allow, from: {peers: [{type: SPIFFE, spiffe: 'spiffe://x'}]}, to: {type: Tools, tools: [{}]}}", nil, false},
		{"no token needed", "{name: a, action: Allow, from: {peers: [{type: SPIFFE, spiffe: 'spiffe://x'}]}, transaction: {type: None}, to: {type: Tools, tools: [{}]}}", nil, false},
		{"denied anyway", allowAll + ", {name: d, action: Deny, to: {type: Tools, tools: [{}]}}", nil, false},
		{"not judged for want of it", allowAll + `, {name: d, action: Deny, to: {type: Tools, tools: [{}]}, when: ["subject == 'eve'"]}`, nil, true},
		{"nothing", "", nil, false},
		{"base method", "{name: a, action: Allow, to: {type: Tools, tools: [{names: [y]}]}}", func() *Question { return method(t, "ping", true) }, true},
		{"base method of another server", "{name: a, action: Allow, to: {type: Tools, tools: [{servers: [{name: gitlab}]}]}}", func() *Question { return method(t, "ping", true) }, false},
		{"host", "{name: a, action: Allow, to: {type: Hosts, hosts: [{names: [a.example]}]}}", func() *Question { return connect("a.example", 443) }, true},
		{"another host", "{name: a, action: Allow, to: {type: Hosts, hosts: [{names: [a.example]}]}}", func() *Question { return connect("b.example", 443) }, false},
		{"http", "{name: a, action: Allow, to: {type: HTTP, http: [{hosts: [a.example]}]}}", func() *Question { return request("GET", "a.example", 80, "/") }, true},
		{"model", "{name: a, action: Allow, to: {type: Models, models: [{}]}}", func() *Question { return chat("m", 1) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := call(t, "x", "{}")
			if tt.q != nil {
				q = tt.q()
			}
			if o := decideAll(t, one(t, tt.rules), toolTarget(), q); o.TokenHelps {
				t.Error("it has a token")
			}
			q.Claims = nil
			o := decideAll(t, one(t, tt.rules), toolTarget(), q)
			if o.Effect != Deny || o.TokenHelps != tt.want {
				t.Errorf("%v %v helps=%v, want %v", o.Effect, o.Code, o.TokenHelps, tt.want)
			}
		})
	}
}

// A level that a token cannot open makes it useless on the others.
func TestTokenHelpsOnAllLevels(t *testing.T) {
	t.Parallel()
	route := policyOf(t, "route", "[]")
	route.Targets = []feedv1.PolicyTarget{routeTarget()}
	q := call(t, "x", "{}")
	q.Claims = nil
	if o := decideAll(t, compileAll(t, policyOf(t, "p", "["+allowAll+"]"), route), toolTarget(), q); o.TokenHelps {
		t.Error("a route that nothing opens")
	}
}

// The search for a rule that a token could help is bounded.
func TestTokenHelpsIsBounded(t *testing.T) {
	t.Parallel()
	rules := ""
	for i := range 2000 {
		rules += fmt.Sprintf("{name: r%d, action: Allow, to: {type: Tools, tools: [{names: ['*x*'], arguments: [{name: z, type: Present}]}]}},", i)
	}
	q := call(t, "x", "{}")
	q.Claims = nil
	l := one(t, rules).Levels(toolTarget())
	d := decision{l: l, e: eval{q: q, t: &l.target}}
	if !d.couldWithToken(&l.list[0]) || d.steps >= 0 {
		t.Errorf("steps left: %d", d.steps)
	}
}

func TestErrorsAreBoundedAndSorted(t *testing.T) {
	t.Parallel()
	rules := ""
	for i := range 40 {
		rules += fmt.Sprintf(`{name: r%02d, action: Allow, to: {type: Tools, tools: [{}]}, when: ["args.a == %d"]},`, 39-i, i)
	}
	o := decideAll(t, one(t, rules), toolTarget(), call(t, "x", "{}"))
	if len(o.Errors) != maxErrors || o.Errors[0].Rule != "r00" || o.Errors[15].Rule != "r15" {
		t.Errorf("%d errors: %v", len(o.Errors), o.Errors)
	}
	if want := "when[0]: a member that it reads is not there"; o.Errors[0].Error != want {
		t.Errorf("got %q", o.Errors[0].Error)
	}
}

func TestSeen(t *testing.T) {
	t.Parallel()
	const rules = `{name: a, action: Allow, from: {agents: [{name: researcher}], peers: [{type: SPIFFE, spiffe: "spiffe://corp/**"}]},
  transaction: {scopes: [research.read], context: [{path: deep.er, values: ["true"]}]},
  to: {type: Tools, tools: [{names: [x], arguments: [{name: repo, type: Present}, {name: gone, type: Absent}], otherArguments: Allow}]}, when: ["args.list.size() > 0", "tctx.region == 'eu'", "port == 8080"]},
{name: other, action: Deny, to: {type: Tools, tools: [{names: [y]}]}, when: ["txn == 'never read'"]},
{name: caller, action: Deny, from: {subjects: [eve]}, to: {type: Tools, tools: [{arguments: [{name: never, type: Present}]}]}}`
	q := call(t, "x", `{"repo":"acme/x","list":[1,2],"unread":1}`)
	o := decideAll(t, one(t, rules), toolTarget(), q)
	if o.Effect != Allow {
		t.Fatalf("%v %v %v", o.Effect, o.Code, o.Errors)
	}
	want := map[string]string{
		"agent": `"researcher"`, "args.gone": "", "args.list": "[1,2]", "args.repo": `"acme/x"`, "peer": `"` + alice + `"`, "port": "8080",
		"scopes": `["research.read","research.list"]`, "tctx.deep.er": "true", "tctx.region": `"eu"`, "tool": `"x"`,
	}
	got := map[string]string{}
	for _, f := range o.Seen(q, &Rendering{}) {
		got[f.Name] = string(f.Value)
		if f.Value != nil && !json.Valid(f.Value) {
			t.Errorf("%s is no JSON: %s", f.Name, f.Value)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSeenIsBounded(t *testing.T) {
	t.Parallel()
	rules := ""
	args := `{"big":"` + strings.Repeat("x", 5000) + `"`
	for i := range 10 {
		rules += fmt.Sprintf(`{name: r%d, action: Allow, to: {type: Tools, tools: [{arguments: [{name: big, type: Present}, {name: m%d, type: Present}], otherArguments: Allow}]}},`, i, i)
		args += fmt.Sprintf(`,"m%d":"%s"`, i, strings.Repeat("y", 600))
	}
	q := call(t, "x", args+"}")
	o := decideAll(t, one(t, rules), toolTarget(), q)
	if n := len(o.SeenNames()); n != 11 {
		t.Fatalf("%d names: %v", n, o.SeenNames())
	}
	total, cut := 0, 0
	for _, f := range o.Seen(q, &Rendering{}) {
		total += len(f.Name) + len(f.Value)
		if f.Cut {
			cut++
		}
	}
	if total > MaxSeenBytes || cut < 4 || total < MaxSeenBytes/2 {
		t.Errorf("%d bytes, %d cut", total, cut)
	}
}

// An Outcome shares no bytes with the request.
func TestSeenIsACopy(t *testing.T) {
	t.Parallel()
	body := []byte(`{"a":"secret"}`)
	q := call(t, "x", "")
	q.Action.Args = parse(t, string(body))
	o := one(t, "{name: r, action: Allow, to: {type: Tools, tools: [{arguments: [{name: a, type: Present}]}]}}").Levels(toolTarget()).Decide(q, nil)
	seen := o.Seen(q, &Rendering{})
	raw := q.Action.Args.Raw()
	for i := range raw {
		raw[i] = 'z'
	}
	if string(seen[0].Value) != `"secret"` {
		t.Errorf("got %s", seen[0].Value)
	}
}

func TestNoAllocations(t *testing.T) {
	for _, w := range workloads() {
		levels := compileAll(t, w.load(t, 1000, "")...).Levels(w.target)
		for name, q := range map[string]*Question{"hit": w.ask(t, 1000), "miss": w.ask(t, 1001)} {
			noAllocations(t, w.name+" "+name, levels, q)
			q.Claims = nil
			noAllocations(t, w.name+" "+name+" without a token", levels, q)
		}
	}
	levels := compileAll(t, policyOf(t, "p", "["+allowAll+", {name: d, action: Deny, from: {agents: [{name: x}]}, to: {type: Tools, tools: [{arguments: [{name: limit, type: Range, minimum: 100}]}]}}]")).Levels(toolTarget())
	noAllocations(t, "a Deny that does not match", levels, call(t, "search", `{"limit":5,"a":"b"}`))
}

func noAllocations(t *testing.T, name string, l *Levels, q *Question) {
	t.Helper()
	if n := testing.AllocsPerRun(200, func() { l.Decide(q, nil) }); n != 0 {
		t.Errorf("%s: %v allocations", name, n)
	}
}
