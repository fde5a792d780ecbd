package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// check gives the problems of a policy whose spec is YAML.
func check(t *testing.T, spec string) []Problem {
	t.Helper()
	var p v1alpha1.AccessPolicy
	p.Namespace = "agents"
	if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
		t.Fatalf("parse: %v", err)
	}
	return newCompiler(t).CheckPolicy(&p)
}

// brief is severity, field below the rule, and reason.
func brief(ps []Problem) []string {
	var out []string
	for _, p := range ps {
		at := strings.TrimPrefix(p.Field, "spec.rules[0].")
		out = append(out, fmt.Sprintf("%s %s %s", p.Severity, at, p.Reason))
	}
	return out
}

const (
	allowTools = "rules: [{name: r, action: Allow, to: {type: Tools, tools: [%s]}}]"
	denyTools  = "rules: [{name: r, action: Deny, to: {type: Tools, tools: [%s]}}]"
	allowHosts = "rules: [{name: r, action: Allow, to: {type: Hosts, hosts: [{names: [%s]}]}}]"
	denyHosts  = "rules: [{name: r, action: Deny, to: {type: Hosts, hosts: [{names: [%s]}]}}]"
	withTools  = "rules: [{name: r, action: Allow, to: {type: Tools, tools: [{}]}, with: {%s}}]"
	whenTools  = "rules: [{name: r, action: Allow, to: {type: Tools, tools: [{}]}, when: [%s]}]"
	fromTools  = "rules: [{name: r, action: Allow, to: {type: Tools, tools: [{}]}, %s}]"
)

func TestCheckPolicy(t *testing.T) {
	t.Parallel()
	f := fmt.Sprintf
	tests := []struct {
		name, spec string
		want       []string
	}{
		{"nothing", "{}", nil},
		{"good", f(allowTools, "{servers: [{name: github}], names: ['search_*']}"), nil},
		{"mode", "mode: Audit", []string{"error spec.mode Invalid"}},
		{"action", "rules: [{name: r, action: Permit, to: {type: Tools, tools: [{}]}}]", []string{"error action Invalid"}},
		{"no action", "rules: [{name: r, to: {type: Tools, tools: [{}]}}]", []string{"error action Invalid"}},
		{"name", "rules: [{name: Rule 1, action: Allow, to: {type: Tools, tools: [{}]}}]", []string{"error name Invalid"}},
		{"no name", "rules: [{name: '', action: Allow, to: {type: Tools, tools: [{}]}}]", []string{"error name Invalid"}},
		{
			"two of a name", "rules: [{name: r, action: Allow, to: {type: Tools, tools: [{}]}}, {name: r, action: Deny, to: {type: Tools, tools: [{}]}}]",
			[]string{"error spec.rules[1].name Invalid"},
		},

		{"surface", "rules: [{name: r, action: Allow, to: {type: Files}}]", []string{"error to.type Invalid"}},
		{"surface without entries", "rules: [{name: r, action: Allow, to: {type: Tools}}]", []string{"error to.tools Invalid"}},
		{"entries of another surface", "rules: [{name: r, action: Allow, to: {type: Tools, tools: [{}], http: [{}]}}]", []string{"error to.http Invalid"}},
		{"agents", "rules: [{name: r, action: Allow, to: {type: Agents, agents: [{}]}}]", []string{"error to.type NotAvailable"}},
		{"packages", "rules: [{name: r, action: Deny, to: {type: Packages, packages: [{registry: {name: x}}]}}]", nil},

		{"empty servers", f(allowTools, "{servers: []}"), []string{"error to.tools[0].servers Invalid"}},
		{"empty names", f(allowTools, "{names: []}"), []string{"error to.tools[0].names Invalid"}},
		{"empty methods", f(allowTools, "{methods: []}"), []string{"error to.tools[0].methods Invalid"}},
		{"empty arguments", f(allowTools, "{arguments: []}"), []string{"error to.tools[0].arguments Invalid"}},
		{"glob", f(allowTools, "{names: ['***']}"), []string{"error to.tools[0].names[0] Invalid"}},
		{"second glob", f(allowTools, "{names: [a, '']}"), []string{"error to.tools[0].names[1] Invalid"}},
		{"server kind", f(allowTools, "{servers: [{kind: Secret, name: a}]}"), []string{"error to.tools[0].servers[0].kind Invalid"}},
		{"server glob", f(allowTools, "{servers: [{name: 'a*'}]}"), []string{"error to.tools[0].servers[0] Invalid"}},
		{"method", f(allowTools, "{methods: [tools/cal]}"), []string{"warning to.tools[0].methods[0] NeverMatches"}},
		{"denied method", f(denyTools, "{methods: [tools/cal]}"), []string{"warning to.tools[0].methods[0] NeverMatches"}},
		{"method glob", f(denyTools, "{methods: ['tools/*']}"), []string{"error to.tools[0].methods[0] Invalid"}},
		{"notification", f(denyTools, "{methods: [notifications/anything]}"), nil},
		{"names of nameless", f(allowTools, "{methods: [tools/list], names: [a]}"), []string{"warning to.tools[0].names NeverMatches"}},
		{"denied names of nameless", f(denyTools, "{methods: [tools/list], names: [a]}"), []string{"error to.tools[0].names NeverMatches"}},
		{"arguments of none", f(allowTools, "{methods: [resources/read], arguments: [{name: a, type: Present}]}"), []string{"warning to.tools[0].arguments NeverMatches"}},
		{"other arguments", f(allowTools, "{otherArguments: Maybe}"), []string{"error to.tools[0].otherArguments Invalid"}},
		{"other arguments of a deny", f(denyTools, "{otherArguments: Deny}"), []string{"warning to.tools[0].otherArguments NoEffect"}},
		{"argument twice", f(allowTools, "{arguments: [{name: a, type: Present}, {name: a, type: Absent}]}"), []string{"error to.tools[0].arguments[1].name Invalid"}},
		{"argument without name", f(allowTools, "{arguments: [{name: '', type: Present}]}"), []string{"error to.tools[0].arguments[0].name Invalid"}},
		{"argument type", f(allowTools, "{arguments: [{name: a, type: Regex}]}"), []string{"error to.tools[0].arguments[0].type Invalid"}},
		{"exact without values", f(allowTools, "{arguments: [{name: a, type: Exact}]}"), []string{"error to.tools[0].arguments[0].values Invalid"}},
		{"values of a range", f(allowTools, "{arguments: [{name: a, type: Range, minimum: 1, values: [x]}]}"), []string{"error to.tools[0].arguments[0].values Invalid"}},
		{"range without bounds", f(allowTools, "{arguments: [{name: a, type: Range}]}"), []string{"error to.tools[0].arguments[0] Invalid"}},
		{"bounds of a glob", f(allowTools, "{arguments: [{name: a, type: Glob, values: [x], maximum: 1}]}"), []string{"error to.tools[0].arguments[0] Invalid"}},
		{"range upside down", f(allowTools, "{arguments: [{name: a, type: Range, minimum: 2, maximum: 1}]}"), []string{"warning to.tools[0].arguments[0].minimum NeverMatches"}},
		{"denied range upside down", f(denyTools, "{arguments: [{name: a, type: Range, minimum: 2, maximum: 1}]}"), []string{"error to.tools[0].arguments[0].minimum NeverMatches"}},
		{"argument glob", f(allowTools, "{arguments: [{name: a, type: Glob, values: ['a***']}]}"), []string{"error to.tools[0].arguments[0].values[0] Invalid"}},

		{"hosts", f(allowHosts, "'*.example.com', a.example, 192.0.2.1, 192.0.2.0/24, '2001:db8::/32', '*'"), nil},
		{"upper host", f(allowHosts, "Web.example"), []string{"error to.hosts[0].names[0] Invalid"}},
		{"dotted host", f(allowHosts, "web.example."), []string{"error to.hosts[0].names[0] Invalid"}},
		{"partial label", f(allowHosts, "'api-*.example.com'"), []string{"error to.hosts[0].names[0] Invalid"}},
		{"range", f(allowHosts, "192.0.2.0/40"), []string{"error to.hosts[0].names[0] Invalid"}},
		{"public suffix", f(allowHosts, "'*.com'"), []string{"error to.hosts[0].names[0] TooWide"}},
		{"denied public suffix", f(denyHosts, "'**.com'"), nil},
		{"denied range", f(denyHosts, "192.0.2.0/24"), []string{"warning to.hosts[0].names[0] NoEffect"}},
		{"no host", f(allowHosts, ""), []string{"error to.hosts[0].names Invalid"}},
		{"no names", "rules: [{name: r, action: Allow, to: {type: Hosts, hosts: [{}]}}]", []string{"error to.hosts[0].names Invalid"}},
		{"port", "rules: [{name: r, action: Allow, to: {type: Hosts, hosts: [{names: [a.example], ports: [0]}]}}]", []string{"error to.hosts[0].ports[0] Invalid"}},
		{"large port", "rules: [{name: r, action: Allow, to: {type: HTTP, http: [{ports: [65536]}]}}]", []string{"error to.http[0].ports[0] Invalid"}},
		{"http", "rules: [{name: r, action: Allow, to: {type: HTTP, http: [{hosts: [a.example], ports: [80], methods: [GET], paths: [/, '/v1/**', '*']}]}}]", nil},
		{"http method", "rules: [{name: r, action: Allow, to: {type: HTTP, http: [{methods: [get]}]}}]", []string{"error to.http[0].methods[0] Invalid"}},
		{"http connect", "rules: [{name: r, action: Deny, to: {type: HTTP, http: [{methods: [CONNECT]}]}}]", []string{"error to.http[0].methods[0] NeverMatches"}},
		{"http path", "rules: [{name: r, action: Allow, to: {type: HTTP, http: [{paths: [v1]}]}}]", []string{"error to.http[0].paths[0] Invalid"}},
		{"http query", "rules: [{name: r, action: Allow, to: {type: HTTP, http: [{paths: ['/a?b=c']}]}}]", []string{"error to.http[0].paths[0] Invalid"}},
		{"http dots", "rules: [{name: r, action: Allow, to: {type: HTTP, http: [{paths: ['/a/../b']}]}}]", []string{"warning to.http[0].paths[0] NeverMatches"}},
		{
			"empty http lists", "rules: [{name: r, action: Allow, to: {type: HTTP, http: [{hosts: [], ports: [], methods: [], paths: []}]}}]",
			[]string{"error to.http[0].hosts Invalid", "error to.http[0].methods Invalid", "error to.http[0].paths Invalid", "error to.http[0].ports Invalid"},
		},
		{"models", "rules: [{name: r, action: Allow, to: {type: Models, models: [{names: ['small-*'], operations: [chat, embedding]}]}}]", nil},
		{"operation", "rules: [{name: r, action: Allow, to: {type: Models, models: [{operations: [chatting]}]}}]", []string{"error to.models[0].operations[0] Invalid"}},

		{"peers", f(fromTools, "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://corp/ns/*/sa/**'}, {type: ServiceAccount, serviceAccount: {name: a}}]}"), nil},
		{"peer type", f(fromTools, "from: {peers: [{type: Other}]}"), []string{"error from.peers[0].type Invalid"}},
		{"peer address", f(fromTools, "from: {peers: [{type: Address, address: 10.1.2.3}, {type: Address, address: 10.1.2.0/24}, {type: Address, address: 'fd00::/8'}]}"), nil},
		{"no peer address", f(fromTools, "from: {peers: [{type: Address}]}"), []string{"error from.peers[0].address Invalid"}},
		{"peer address with bits beyond its range", f(fromTools, "from: {peers: [{type: Address, address: 10.1.2.3/24}]}"), []string{"error from.peers[0].address Invalid"}},
		{"peer address in another form", f(fromTools, "from: {peers: [{type: Address, address: '::ffff:10.1.2.3'}]}"), []string{"error from.peers[0].address Invalid"}},
		{"peer address with a port", f(fromTools, "from: {peers: [{type: Address, address: '10.1.2.3:80'}]}"), []string{"error from.peers[0].address Invalid"}},
		{"the place of a peer among addresses", f(fromTools, "from: {peers: [{type: Address, address: 10.1.2.3}, {type: SPIFFE, spiffe: 'spiffe://a/***'}]}"), []string{"error from.peers[1] Invalid"}},
		{"spiffe", f(fromTools, "from: {peers: [{type: SPIFFE, spiffe: 'https://corp/x'}]}"), []string{"error from.peers[0].spiffe Invalid"}},
		{"no spiffe", f(fromTools, "from: {peers: [{type: SPIFFE}]}"), []string{"error from.peers[0].spiffe Invalid"}},
		{"service account", f(fromTools, "from: {peers: [{type: ServiceAccount}]}"), []string{"error from.peers[0].serviceAccount Invalid"}},
		{
			"service account glob", f(fromTools, "from: {peers: [{type: ServiceAccount, serviceAccount: {name: '*', namespace: 'a/b'}}]}"),
			[]string{"error from.peers[0].serviceAccount.name Invalid", "error from.peers[0].serviceAccount.namespace Invalid"},
		},
		{
			"empty from", f(fromTools, "from: {peers: [], agents: [], subjects: []}"),
			[]string{"error from.agents Invalid", "error from.peers Invalid", "error from.subjects Invalid"},
		},
		{"agent", f(fromTools, "from: {agents: [{name: ''}]}"), []string{"error from.agents[0].name Invalid"}},
		{"subject", f(fromTools, "from: {subjects: ['a***']}"), []string{"error from.subjects[0] Invalid"}},

		{"transaction type", f(fromTools, "transaction: {type: Optional}"), []string{"error transaction.type Invalid"}},
		{"none without peers", f(fromTools, "transaction: {type: None}"), []string{"error transaction.type Invalid"}},
		{"none with scopes", f(fromTools, "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://a'}]}, transaction: {type: None, scopes: [a]}"), []string{"error transaction Invalid"}},
		{"none with agents", f(fromTools, "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://a'}], agents: [{name: a}]}, transaction: {type: None}"), []string{"warning transaction.type NoEffect"}},
		{"empty scope", f(fromTools, "transaction: {scopes: ['']}"), []string{"error transaction.scopes Invalid"}},
		{"context path", f(fromTools, "transaction: {context: [{path: 'a..b', values: [x]}]}"), []string{"error transaction.context[0].path Invalid"}},
		{"context values", f(fromTools, "transaction: {context: [{path: a, values: []}]}"), []string{"error transaction.context[0].values Invalid"}},
		{"contradictory context", f(fromTools, "transaction: {context: [{path: a, values: [x]}, {path: a, values: [w]}]}"), []string{"warning transaction.context[1] NeverMatches"}},
		{"context twice", f(fromTools, "transaction: {context: [{path: a, values: [x, '1.0']}, {path: a, values: [w, '1']}]}"), nil},

		{"when", f(whenTools, "'args.x =='"), []string{"error when[0] ConditionInvalid"}},
		{"when long", f(whenTools, "'"+strings.Repeat("(", 2049)+"'"), []string{"error when[0] ConditionInvalid"}},
		{"when false", f(whenTools, "'1 > 2'"), []string{"warning when[0] NeverMatches"}},
		{"when true", f(whenTools, "'true'"), []string{"warning when[0] NoEffect"}},
		{"when denied false", "rules: [{name: r, action: Deny, to: {type: Tools, tools: [{}]}, when: ['false']}]", []string{"error when[0] NeverMatches"}},
		{"when of another surface", f(whenTools, "\"model == 'x'\""), []string{"error when[0] ConditionInvalid"}},
		{"when path of hosts", "rules: [{name: r, action: Allow, to: {type: Hosts, hosts: [{names: [a.example]}]}, when: [\"path == '/'\"]}]", []string{"error when[0] ConditionInvalid"}},
		{"when costly", f(whenTools, "'args.a.all(x, args.b.all(y, x != y))'"), []string{"error when[0] ConditionTooCostly"}},
		{"when costly together", f(whenTools, strings.Repeat(`"args.a.all(x, x.startsWith('a') || x.startsWith('b'))",`, 5)), []string{"error when ConditionTooCostly"}},

		{"duties", f(withTools, "stream: {lifetime: Renewable, max: 1h30m}, forwardToken: Forward, audit: Durable, denyAs: Result, limits: {requestBytes: 0}"), nil},
		{"inspect", "rules: [{name: r, action: Allow, to: {type: Hosts, hosts: [{names: [a.example]}]}, with: {tls: Inspect}}]", []string{"error with.tls NotAvailable"}},
		{"exchange", f(withTools, "forwardToken: Exchange"), []string{"error with.forwardToken NotAvailable"}},
		{
			"unknown duties", f(withTools, "stream: {lifetime: Forever}, tls: Off, forwardToken: Copy, audit: Maybe, denyAs: Silence"),
			[]string{"error with.audit Invalid", "error with.denyAs Invalid", "error with.forwardToken Invalid", "error with.stream.lifetime Invalid", "error with.tls Invalid"},
		},
		{"tls of tools", f(withTools, "tls: Opaque"), []string{"warning with.tls NoEffect"}},
		{"max without bound", f(withTools, "stream: {lifetime: Max}"), []string{"error with.stream.max Invalid"}},
		{"max of models", "rules: [{name: r, action: Allow, to: {type: Models, models: [{}]}, with: {stream: {lifetime: Max}}}]", nil},
		{"duration", f(withTools, "stream: {max: 1.5h}"), []string{"error with.stream.max Invalid"}},
		{"zero duration", f(withTools, "stream: {max: 0s}"), []string{"error with.stream.max Invalid"}},
		{
			"limits", f(withTools, "limits: {outputTokens: 0, requestBytes: -1}"),
			[]string{"error with.limits.outputTokens Invalid", "error with.limits.requestBytes Invalid", "warning with.limits.outputTokens NeverMatches"},
		},
		{"denyAs of hosts", "rules: [{name: r, action: Deny, to: {type: Hosts, hosts: [{names: [a.example]}]}, with: {denyAs: Result}}]", []string{"warning with.denyAs NoEffect"}},
		{"duties of a deny", "rules: [{name: r, action: Deny, to: {type: Tools, tools: [{}]}, with: {forwardToken: Forward}}]", []string{"error with Invalid"}},
		{"audit of a deny", "rules: [{name: r, action: Deny, to: {type: Tools, tools: [{}]}, with: {audit: Durable, denyAs: Result}}]", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := check(t, tt.spec)
			have := brief(got)
			slices.Sort(have)
			if diff := cmp.Diff(tt.want, have); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v", diff, got)
			}
		})
	}
}

func TestCheckDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"1s": true, "1h30m": true, "500ms": true, "1h2m3s4ms": true, "99999h": true,
		"": false, "1": false, "s": false, "-1s": false, "1.5s": false, "100000s": false, "1d": false, "1h1h1h1h1h": false, "1 s": false, "0s": false, "1us": false,
	} {
		_, err := parseDuration(gatewayv1.Duration(text))
		if (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// References in the feed are complete: one that is not was not permitted, or
// was never looked at.
func TestUnresolvedReference(t *testing.T) {
	t.Parallel()
	p := policyOf(t, "p", "[{name: r, action: Allow, to: {type: Tools, tools: [{servers: [{name: github}]}]}}]")
	p.Rules[0].To.Tools[0].Servers[0].Kind = ""
	s := newCompiler(t).Compile([]feedv1.Policy{p})
	if got := s.Problems(); len(got) != 1 || got[0].Field != "spec.rules[0].to.tools[0].servers[0].kind" {
		t.Errorf("got %v", got)
	}
	if o := decideAll(t, s, toolTarget(), call(t, "x", "{}")); o.Effect != Deny || o.Code != CodePolicyRejected || o.Detail == "" {
		t.Errorf("got %v %v %q", o.Effect, o.Code, o.Detail)
	}
}

// A policy that is not good denies and says so, and its neighbours hold.
func TestRejectedPolicy(t *testing.T) {
	t.Parallel()
	bad := policyOf(t, "bad", "[{name: r, action: Allow, to: {type: Tools, tools: [{names: ['***']}]}}]")
	bad.Targets = []feedv1.PolicyTarget{routeTarget()}
	good := policyOf(t, "good", "[{name: r, action: Allow, to: {type: Tools, tools: [{}]}}]")
	s := newCompiler(t).Compile([]feedv1.Policy{bad, good})
	o := decideAll(t, s, toolTarget(), call(t, "x", "{}"))
	if o.Effect != Deny || o.Code != CodePolicyRejected || o.Policy.Name != "bad" || !strings.Contains(o.Detail, "names[0]") {
		t.Errorf("got %+v", o)
	}
	other := toolTarget()
	other.Route = "agents/other"
	if o := decideAll(t, s, other, call(t, "x", "{}")); o.Effect != Allow {
		t.Errorf("another route: %v %v", o.Effect, o.Code)
	}
}

func TestTwinPolicies(t *testing.T) {
	t.Parallel()
	a := policyOf(t, "p", "[{name: r, action: Allow, to: {type: Tools, tools: [{}]}}]")
	s := newCompiler(t).Compile([]feedv1.Policy{a, a, a})
	if o := decideAll(t, s, toolTarget(), call(t, "x", "{}")); o.Code != CodePolicyRejected {
		t.Errorf("got %v %v", o.Effect, o.Code)
	}
}

// A change of one rule compiles one expression.
func TestConditionsAreKept(t *testing.T) {
	t.Parallel()
	c := newCompiler(t)
	rules := `[{name: r, action: Allow, to: {type: Tools, tools: [{}]}, when: ["args.a == 1", "args.b == %d"]}]`
	c.Compile([]feedv1.Policy{policyOf(t, "p", fmt.Sprintf(rules, 1))})
	kept, dropped := c.condition("args.a == 1"), c.condition("args.b == 1")
	c.Compile([]feedv1.Policy{policyOf(t, "p", fmt.Sprintf(rules, 2))})
	c.Compile([]feedv1.Policy{policyOf(t, "p", fmt.Sprintf(rules, 2))})
	c.Compile([]feedv1.Policy{policyOf(t, "p", fmt.Sprintf(rules, 2))})
	if c.condition("args.a == 1") != kept {
		t.Error("an expression in use was compiled again")
	}
	if c.condition("args.b == 1") == dropped {
		t.Error("an expression that nobody uses was kept")
	}
}

func TestCheckKeepsWithinBounds(t *testing.T) {
	t.Parallel()
	c, err := New(Config{Keep: 8})
	if err != nil {
		t.Fatal(err)
	}
	var p v1alpha1.AccessPolicy
	p.Spec.Rules = policyOf(t, "p", "[{name: r, action: Allow, to: {type: Tools, tools: [{}]}, when: ['true']}]").Rules
	for i := range 100 {
		p.Spec.Rules[0].When[0] = fmt.Sprintf("args.a == %d", i)
		c.CheckPolicy(&p)
	}
	if n := len(c.recent) + len(c.older); n > 17 {
		t.Errorf("%d expressions are kept", n)
	}
}

func TestProblemString(t *testing.T) {
	t.Parallel()
	got := check(t, "mode: Audit")[0].String()
	if want := `error: spec.mode: "Audit" is not known here: it is one of Enforce, Report (Invalid)`; got != want {
		t.Errorf("got %s", got)
	}
}
