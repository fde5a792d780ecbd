package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// verdicts are what an Allow rule and a Deny rule with the same arguments say:
// on the Deny, everything is allowed by another rule.
func verdicts(t *testing.T, arguments, args string) (allow, deny Outcome) {
	t.Helper()
	q := call(t, "tool", args)
	allowing := policyOf(t, "p", "[{name: a, action: Allow, to: {type: Tools, tools: [{arguments: ["+arguments+"], otherArguments: Allow}]}}]")
	denying := policyOf(t, "p", "[{name: a, action: Allow, to: {type: Tools, tools: [{}]}}, {name: d, action: Deny, to: {type: Tools, tools: [{arguments: ["+arguments+"]}]}}]")
	return decideAll(t, compileAll(t, allowing), toolTarget(), q), decideAll(t, compileAll(t, denying), toolTarget(), q)
}

func TestArguments(t *testing.T) {
	t.Parallel()
	const (
		exact        = `{name: a, type: Exact, values: [x, "1", "true", "1.5", ""]}`
		glob         = `{name: a, type: Glob, values: ["acme/*"]}`
		within1to100 = `{name: a, type: Range, minimum: 1, maximum: 100}`
		present      = `{name: a, type: Present}`
		absent       = `{name: a, type: Absent}`
	)
	tests := []struct {
		argument, args string
		// allow: an Allow rule matches. deny: denied, error: not judged, or
		// empty: a Deny rule does not match.
		allow bool
		deny  string
	}{
		{exact, `{"a":"x"}`, true, CodeRuleDenied},
		{exact, `{"a":"X"}`, false, ""},
		{exact, `{"a":""}`, true, CodeRuleDenied},
		{exact, `{"a":"\u0078"}`, true, CodeRuleDenied},
		{exact, `{"a":1}`, true, CodeRuleDenied},
		{exact, `{"a":1.0}`, true, CodeRuleDenied},
		{exact, `{"a":1e0}`, true, CodeRuleDenied},
		{exact, `{"a":"1.0"}`, false, CodeRuleDenied},
		{exact, `{"a":1.5}`, true, CodeRuleDenied},
		{exact, `{"a":1.50000000000000000001}`, false, CodeRuleDenied},
		{exact, `{"a":2}`, false, ""},
		{exact, `{"a":true}`, true, CodeRuleDenied},
		{exact, `{"a":false}`, false, ""},
		{exact, `{"a":null}`, false, CodeRuleError},
		{exact, `{}`, false, CodeRuleError},
		{exact, ``, false, CodeRuleError},
		{exact, `{"A":"x"}`, false, CodeRuleError},
		{exact, `{"a":{"x":1}}`, false, CodeRuleError},
		{exact, `{"a":["x","x"]}`, true, CodeRuleDenied},
		{exact, `{"a":["x","y"]}`, false, CodeRuleDenied},
		{exact, `{"a":["y"]}`, false, ""},
		{exact, `{"a":[]}`, false, CodeRuleError},
		{exact, `{"a":["y",null]}`, false, CodeRuleError},
		{exact, `{"a":["y",["x"]]}`, false, CodeRuleError},
		{exact, `{"a":[["x"],"x"]}`, false, CodeRuleDenied},

		{glob, `{"a":"acme/w"}`, true, CodeRuleDenied},
		{glob, `{"a":"acme/w/x"}`, false, ""},
		{glob, `{"a":"acme\/w"}`, true, CodeRuleDenied},
		{glob, `{"a":5}`, false, CodeRuleError},
		{glob, `{"a":null}`, false, CodeRuleError},
		{glob, `{"a":["acme/w","acme/v"]}`, true, CodeRuleDenied},
		{glob, `{"a":["acme/w","evil/v"]}`, false, CodeRuleDenied},
		{glob, `{"a":["evil/v",7]}`, false, CodeRuleError},
		{glob, `{"a":"acme/` + strings.Repeat("w", 1<<15) + `"}`, true, CodeRuleDenied},
		{glob, `{"a":"acme/` + strings.Repeat("w", 1<<17) + `"}`, false, CodeRuleError},
		{exact, `{"a":"` + strings.Repeat("w", 1<<17) + `"}`, false, ""},
		{exact, `{"a":[` + strings.Repeat(`"x",`, maxElements-1) + `"x"]}`, true, CodeRuleDenied},
		{exact, `{"a":[` + strings.Repeat(`"x",`, maxElements) + `"x"]}`, false, CodeRuleError},

		{within1to100, `{"a":1}`, true, CodeRuleDenied},
		{within1to100, `{"a":100.0}`, true, CodeRuleDenied},
		{within1to100, `{"a":0}`, false, ""},
		{within1to100, `{"a":-1}`, false, ""},
		{within1to100, `{"a":100.1}`, false, ""},
		{within1to100, `{"a":100.00000000000000000001}`, false, CodeRuleDenied},
		{within1to100, `{"a":1e300}`, false, ""},
		{within1to100, `{"a":99999999999999999999999999}`, false, ""},
		{within1to100, `{"a":"50"}`, false, CodeRuleError},
		{within1to100, `{"a":null}`, false, CodeRuleError},
		{within1to100, `{}`, false, CodeRuleError},
		{within1to100, `{"a":[1,2,3]}`, true, CodeRuleDenied},
		{within1to100, `{"a":[1,200]}`, false, CodeRuleDenied},
		{within1to100, `{"a":[]}`, false, CodeRuleError},

		{present, `{"a":0}`, true, CodeRuleDenied},
		{present, `{"a":[]}`, true, CodeRuleDenied},
		{present, `{"a":null}`, false, ""},
		{present, `{}`, false, ""},
		{absent, `{}`, true, CodeRuleDenied},
		{absent, ``, true, CodeRuleDenied},
		{absent, `{"a":null}`, false, CodeRuleDenied},
		{absent, `{"a":1}`, false, ""},

		{exact + ", {name: b, type: Present}", `{"a":"x","b":1}`, true, CodeRuleDenied},
		{exact + ", {name: b, type: Present}", `{"a":"x"}`, false, ""},
		{exact + ", {name: b, type: Exact, values: [w]}", `{"a":"x"}`, false, CodeRuleError},
		{exact + ", {name: b, type: Exact, values: [w]}", `{"a":"z"}`, false, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.60s %.60s", tt.argument, tt.args), func(t *testing.T) {
			t.Parallel()
			allow, deny := verdicts(t, tt.argument, tt.args)
			if got := allow.Effect == Allow; got != tt.allow {
				t.Errorf("allow: %v, want %v", got, tt.allow)
			}
			if len(allow.Errors) > 0 {
				t.Errorf("an argument that an Allow does not match is no error: %v", allow.Errors)
			}
			if deny.Code != tt.deny || (tt.deny == "") != (deny.Effect == Allow) {
				t.Errorf("deny: %v %q, want %q", deny.Effect, deny.Code, tt.deny)
			}
		})
	}
}

func TestOtherArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		tool, args string
		want       Effect
	}{
		{`{}`, `{"a":1}`, Allow},
		{`{arguments: [{name: a, type: Present}]}`, `{"a":1}`, Allow},
		{`{arguments: [{name: a, type: Present}]}`, `{"a":1,"b":2}`, Deny},
		{`{arguments: [{name: a, type: Present}], otherArguments: Deny}`, `{"a":1,"b":null}`, Deny},
		{`{arguments: [{name: a, type: Present}], otherArguments: Allow}`, `{"a":1,"b":2}`, Allow},
		{`{otherArguments: Deny}`, `{"a":1}`, Deny},
		{`{otherArguments: Deny}`, `{}`, Allow},
		{`{otherArguments: Deny}`, ``, Allow},
		{`{arguments: [{name: a, type: Absent}]}`, `{"b":1}`, Deny},
	}
	for _, tt := range tests {
		s := compileAll(t, policyOf(t, "p", "[{name: r, action: Allow, to: {type: Tools, tools: ["+tt.tool+"]}}]"))
		if got := decideAll(t, s, toolTarget(), call(t, "x", tt.args)); got.Effect != tt.want {
			t.Errorf("%s on %s: %v, want %v", tt.tool, tt.args, got.Effect, tt.want)
		}
	}
}

// Arguments that are no object have no members, and so cannot be judged. The
// parser of bodies refuses them before.
func TestArgumentsNoObject(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"null", "[1]", `"x"`, "5", "true"} {
		for _, argument := range []string{"{name: a, type: Absent}", "{name: a, type: Exact, values: [x]}"} {
			allow, deny := verdicts(t, argument, args)
			if allow.Effect != Deny || deny.Code != CodeRuleError {
				t.Errorf("%s on %s: %v, %v", argument, args, allow.Effect, deny.Code)
			}
		}
		s := compileAll(t, policyOf(t, "p", `[{name: r, action: Allow, to: {type: Tools, tools: [{}]}, when: ["!has(args.x)"]}]`))
		if o := decideAll(t, s, toolTarget(), call(t, "x", args)); o.Effect != Deny || len(o.Errors) != 1 {
			t.Errorf("a condition on %s: %v %v", args, o.Effect, o.Errors)
		}
	}
}

// Values below the depth that a parser keeps are judged all the same.
func TestOpaqueArgument(t *testing.T) {
	t.Parallel()
	var d strictjson.Doc
	if err := d.Parse([]byte(`{"a":["x","y"]}`), strictjson.Limits{Keep: 1}); err != nil {
		t.Fatal(err)
	}
	for values, want := range map[string]Effect{`[x, "y"]`: Allow, "[x]": Deny} {
		s := compileAll(t, policyOf(t, "p", "[{name: r, action: Allow, to: {type: Tools, tools: [{arguments: [{name: a, type: Exact, values: "+values+"}]}]}}]"))
		q := call(t, "x", "")
		q.Action.Args = d.Root()
		if o := decideAll(t, s, toolTarget(), q); o.Effect != want {
			t.Errorf("%s: %v, want %v", values, o.Effect, want)
		}
	}
}

// What is denied stays denied, however the caller spells the argument that the
// Deny rule reads: each row is a way round the rule above it.
func TestNoWayRoundADeny(t *testing.T) {
	t.Parallel()
	rules := map[string]string{
		"range": `arguments: [{name: amount, type: Range, minimum: 100}]`,
		"exact": `arguments: [{name: amount, type: Exact, values: ["500"]}]`,
	}
	conditions := map[string]string{
		"when more": `"args.amount > 100"`,
		"when same": `"args.amount == 500"`,
		"when in":   `"args.amount in [500, 501]"`,
		"when not":  `"!(args.amount != 500)"`,
	}
	spellings := []string{
		`{"amount":500}`, `{"amount":500.0}`, `{"amount":5e2}`, `{"amount":"500"}`, `{"amount":[500]}`, `{"amount":[[500]]}`,
		`{"amount":{"value":500}}`, `{"amount":null}`, `{}`, ``, `{"Amount":500}`, `{"amount ":500}`, `{"amount":[]}`,
		`{"amount":500.00000000000000000001}`, `{"\u0061mount":500}`, `{"amount":[500,null]}`, `{"amount":["500"]}`,
	}
	for name, tool := range rules {
		for _, args := range spellings {
			denied(t, name, args, "to: {type: Tools, tools: [{"+tool+"}]}", args)
		}
	}
	for name, when := range conditions {
		for _, args := range spellings {
			denied(t, name, args, "to: {type: Tools, tools: [{}]}, when: ["+when+"]", args)
		}
	}
}

func denied(t *testing.T, name, spelling, rest, args string) {
	t.Helper()
	for _, action := range []string{"Deny", "Ask"} {
		s := compileAll(t, policyOf(t, "p", "[{name: a, action: Allow, to: {type: Tools, tools: [{}]}}, {name: d, action: "+action+", "+rest+"}]"))
		o := decideAll(t, s, toolTarget(), call(t, "pay", args))
		if o.Effect == Allow {
			t.Errorf("%s %s: %s gets round it", action, name, spelling)
		}
	}
}

// And what an Allow rule is narrowed to stays narrow.
func TestNoWayIntoAnAllow(t *testing.T) {
	t.Parallel()
	for _, rest := range []string{
		`to: {type: Tools, tools: [{arguments: [{name: mode, type: Exact, values: [safe]}], otherArguments: Allow}]}`,
		`to: {type: Tools, tools: [{}]}, when: ["args.mode == 'safe'"]`,
		`to: {type: Tools, tools: [{}]}, when: ["args.mode in ['safe']"]`,
		`to: {type: Tools, tools: [{}]}, when: ["args.mode != 'danger'", "args.mode != 'mixed'"]`,
		`to: {type: Tools, tools: [{}]}, when: ["!(args.mode == 'danger')", "args.mode.startsWith('s')"]`,
	} {
		s := compileAll(t, policyOf(t, "p", "[{name: a, action: Allow, "+rest+"}]"))
		if o := decideAll(t, s, toolTarget(), call(t, "x", `{"mode":"safe"}`)); o.Effect != Allow {
			t.Errorf("%s: %v", rest, o.Effect)
		}
		for _, args := range []string{
			``, `{}`, `{"mode":"danger"}`, `{"mode":["danger"]}`, `{"mode":["safe","danger"]}`, `{"mode":null}`, `{"mode":{"safe":1}}`,
			`{"mode":5}`, `{"Mode":"safe"}`, `{"mode":[]}`,
		} {
			if o := decideAll(t, s, toolTarget(), call(t, "x", args)); o.Effect == Allow {
				t.Errorf("%s lets %s in", rest, args)
			}
		}
	}
}
