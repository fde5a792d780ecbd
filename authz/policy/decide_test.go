package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const allowAll = "{name: all, action: Allow, to: {type: Tools, tools: [{}]}}"

// one is a Set of one policy with these rules.
func one(t testing.TB, rules string) *Set {
	t.Helper()
	return compileAll(t, policyOf(t, "p", "["+rules+"]"))
}

func TestCaller(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, rest string
		change     func(q *Question)
		// allow and deny say whether a rule of that action matches.
		allow, deny bool
	}{
		{"anyone", "", nil, true, true},
		{"anyone without a token", "", func(q *Question) { q.Claims = nil }, false, true},
		{"peer", "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://corp/ns/agents/sa/researcher'}]},", nil, true, true},
		{"peer glob", "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://corp/ns/*/sa/researcher'}]},", nil, true, true},
		{"peer glob crosses", "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://corp/**'}]},", nil, true, true},
		{"peer glob stays", "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://corp/*'}]},", nil, false, false},
		{"other peer", "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://corp/ns/agents/sa/other'}]},", nil, false, false},
		{"no peer", "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://corp/**'}]},", func(q *Question) { q.Peer = "" }, false, false},
		{"service account", "from: {peers: [{type: ServiceAccount, serviceAccount: {name: researcher}}]},", nil, true, true},
		{"address", "from: {peers: [{type: Address, address: 10.1.2.3}]},", func(q *Question) { q.Peer = "10.1.2.3" }, true, true},
		{"another address", "from: {peers: [{type: Address, address: 10.1.2.3}]},", func(q *Question) { q.Peer = "10.1.2.33" }, false, false},
		{"range of addresses", "from: {peers: [{type: Address, address: 10.1.2.0/24}]},", func(q *Question) { q.Peer = "10.1.2.255" }, true, true},
		{"outside of a range", "from: {peers: [{type: Address, address: 10.1.2.0/24}]},", func(q *Question) { q.Peer = "10.1.3.0" }, false, false},
		{"range of IPv6", "from: {peers: [{type: Address, address: 'fd00:1::/32'}]},", func(q *Question) { q.Peer = "fd00:1:2::3" }, true, true},
		{"an address, of whom a certificate names", "from: {peers: [{type: Address, address: 0.0.0.0/0}, {type: Address, address: '::/0'}]},", nil, false, false},
		{"an address, of nobody", "from: {peers: [{type: Address, address: 0.0.0.0/0}]},", func(q *Question) { q.Peer = "" }, false, false},
		{"address or SPIFFE", "from: {peers: [{type: Address, address: 10.1.2.3}, {type: SPIFFE, spiffe: 'spiffe://corp/**'}]},", nil, true, true},
		{"SPIFFE or address", "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://x'}, {type: Address, address: 10.1.2.3}]},", func(q *Question) { q.Peer = "10.1.2.3" }, true, true},
		{"service account elsewhere", "from: {peers: [{type: ServiceAccount, serviceAccount: {name: researcher, namespace: other}}]},", nil, false, false},
		{"service account of another domain", "from: {peers: [{type: ServiceAccount, serviceAccount: {name: researcher}}]},", func(q *Question) { q.Peer = "spiffe://x/ns/agents/sa/researcher" }, true, true},
		{"service account prefix", "from: {peers: [{type: ServiceAccount, serviceAccount: {name: researcher}}]},", func(q *Question) { q.Peer = "spiffe://corp/x/ns/agents/sa/researcher" }, false, false},
		{"service account suffix", "from: {peers: [{type: ServiceAccount, serviceAccount: {name: researcher}}]},", func(q *Question) { q.Peer += "/x" }, false, false},
		{"agent", "from: {agents: [{name: other}, {name: 'res*'}]},", nil, true, true},
		{"other agent", "from: {agents: [{name: other}]},", nil, false, false},
		{"agent of no token", "from: {agents: [{name: '*'}]},", func(q *Question) { q.Claims = nil }, false, false},
		{"no agent", "from: {agents: [{name: '*'}]},", func(q *Question) { q.Claims.Agent = "" }, false, false},
		{"agent is not the peer", "from: {agents: [{name: 'spiffe://corp/ns/agents/sa/researcher'}]},", nil, false, false},
		{"subject", "from: {subjects: ['*']},", nil, true, true},
		{"other subject", "from: {subjects: [alice]},", nil, false, false},
		{"subject case", "from: {subjects: [Bob]},", nil, false, false},
		{"all of from", "from: {agents: [{name: researcher}], subjects: [alice]},", nil, false, false},

		{"domain", "transaction: {trustDomain: corp},", nil, true, true},
		{"other domain", "transaction: {trustDomain: partner},", nil, false, false},
		{"domain is not the audience", "transaction: {trustDomain: corp.example},", nil, false, false},
		{"required, no token", "transaction: {type: Required},", func(q *Question) { q.Claims = nil }, false, false},
		{"none, no token", "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://corp/**'}]}, transaction: {type: None},", func(q *Question) { q.Claims = nil }, true, true},
		{"none, with token", "from: {peers: [{type: SPIFFE, spiffe: 'spiffe://corp/**'}]}, transaction: {type: None},", nil, true, true},
		{"scopes", "transaction: {scopes: [research.read, research.list]},", nil, true, true},
		{"a scope is missing", "transaction: {scopes: [research.read, research.write]},", nil, false, false},
		{"no glob in scopes", "transaction: {scopes: ['research.*']},", nil, false, false},
		{"context", "transaction: {context: [{path: region, values: [us, eu]}]},", nil, true, true},
		{"context number", "transaction: {context: [{path: level, values: ['3']}]},", nil, true, true},
		{"context number by value", "transaction: {context: [{path: level, values: ['3.0']}]},", nil, true, true},
		{"context boolean below", "transaction: {context: [{path: deep.er, values: ['true']}]},", nil, true, true},
		{"other context", "transaction: {context: [{path: region, values: [us]}]},", nil, false, false},
		{"context list, each", "transaction: {context: [{path: tags, values: [a, b, c]}]},", nil, true, true},
		{"context list, some", "transaction: {context: [{path: tags, values: [a]}]},", nil, false, true},
		{"context list, none", "transaction: {context: [{path: tags, values: [c]}]},", nil, false, false},
		{"context of no token", "transaction: {context: [{path: region, values: [eu]}]},", func(q *Question) { q.Claims = nil }, false, false},
		{"dotted member", "transaction: {context: [{path: 'example.com/region', values: [eu]}]},", func(q *Question) { q.Claims.Context = map[string]any{"example.com/region": "eu"} }, true, true},
		{"context float", "transaction: {context: [{path: f, values: ['1.5']}]},", func(q *Question) { q.Claims.Context["f"] = 1.5 }, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := call(t, "x", "{}")
			if tt.change != nil {
				tt.change(q)
			}
			rest := tt.rest + " to: {type: Tools, tools: [{}]}}"
			if got := decideAll(t, one(t, "{name: r, action: Allow, "+rest), toolTarget(), q); (got.Effect == Allow) != tt.allow {
				t.Errorf("allow: %v", got.Effect)
			}
			if got := decideAll(t, one(t, "{name: r, action: Deny, "+rest), toolTarget(), q); (got.Code == CodeRuleDenied) != tt.deny {
				t.Errorf("deny: %v", got.Code)
			}
		})
	}
}

// A value of the context that cannot be compared denies on a Deny, and does not
// match an Allow.
func TestContextNotJudged(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"missing": nil, "object": map[string]any{"eu": true}, "empty list": []any{}, "list of lists": []any{[]any{"eu"}}, "null in a list": []any{nil},
	} {
		q := call(t, "x", "{}")
		q.Claims.Context["region"] = value
		if value == nil {
			delete(q.Claims.Context, "region")
		}
		const rest = "transaction: {context: [{path: region, values: [eu]}]}, to: {type: Tools, tools: [{}]}}"
		if o := decideAll(t, one(t, "{name: r, action: Allow, "+rest), toolTarget(), q); o.Effect != Deny || o.Code != CodeNoRule {
			t.Errorf("%s: allow: %v %v", name, o.Effect, o.Code)
		}
		if o := decideAll(t, one(t, allowAll+", {name: r, action: Deny, "+rest), toolTarget(), q); o.Code != CodeRuleError || len(o.Errors) != 1 {
			t.Errorf("%s: deny: %v %v", name, o.Effect, o.Code)
		}
	}
}

func TestSurfaces(t *testing.T) {
	t.Parallel()
	inspected := request("GET", "a.example", 443, "/x")
	inspected.Action.Inspected = true
	onRoute := request("GET", "a.example", 8080, "/x")
	onRoute.Action.OnRoute = true
	tests := []struct {
		name, to string
		q        *Question
		target   wire.Target
		want     bool
	}{
		{"host", "{type: Hosts, hosts: [{names: [a.example]}]}", connect("a.example", 443), proxyTarget(), true},
		{"host, other port", "{type: Hosts, hosts: [{names: [a.example]}]}", connect("a.example", 8443), proxyTarget(), false},
		{"host, port given", "{type: Hosts, hosts: [{names: [a.example], ports: [8443, 443]}]}", connect("a.example", 8443), proxyTarget(), true},
		{"second entry", "{type: Hosts, hosts: [{names: [b.example]}, {names: [a.example]}]}", connect("a.example", 443), proxyTarget(), true},
		{"address", "{type: Hosts, hosts: [{names: [192.0.2.0/24]}]}", connect("192.0.2.7", 443), proxyTarget(), true},
		{"http is not hosts", "{type: Hosts, hosts: [{names: [a.example]}]}", request("GET", "a.example", 443, "/"), proxyTarget(), false},
		{"hosts is not http", "{type: HTTP, http: [{hosts: [a.example]}]}", connect("a.example", 80), proxyTarget(), false},
		{"http", "{type: HTTP, http: [{hosts: ['*.example'], methods: [GET], paths: ['/v1/*']}]}", request("GET", "a.example", 80, "/v1/x"), proxyTarget(), true},
		{"http other method", "{type: HTTP, http: [{methods: [GET]}]}", request("HEAD", "a.example", 80, "/"), proxyTarget(), false},
		{"http other path", "{type: HTTP, http: [{paths: ['/v1/*']}]}", request("GET", "a.example", 80, "/v1/x/y"), proxyTarget(), false},
		{"http other port", "{type: HTTP, http: [{}]}", request("GET", "a.example", 8080, "/"), proxyTarget(), false},
		{"http inspected", "{type: HTTP, http: [{}]}", inspected, proxyTarget(), true},
		{"http not inspected", "{type: HTTP, http: [{}]}", request("GET", "a.example", 443, "/"), proxyTarget(), false},
		{"http on a route", "{type: HTTP, http: [{}]}", onRoute, toolTarget(), true},
		{"http on a route, port", "{type: HTTP, http: [{ports: [80]}]}", onRoute, toolTarget(), false},
		{"model", "{type: Models, models: [{providers: [{name: llm}], names: ['small-*']}]}", chat("small-1", 0), toolTarget(models), true},
		{"other model", "{type: Models, models: [{names: ['small-*']}]}", chat("large-1", 0), toolTarget(models), false},
		{"other provider", "{type: Models, models: [{providers: [{name: other}]}]}", chat("small-1", 0), toolTarget(models), false},
		{"provider of another namespace", "{type: Models, models: [{providers: [{name: llm, namespace: other}]}]}", chat("small-1", 0), toolTarget(models), false},
		{"other operation", "{type: Models, models: [{operations: [embedding]}]}", chat("small-1", 0), toolTarget(models), false},
		{"no backend", "{type: Models, models: [{}]}", chat("small-1", 0), proxyTarget(), false},
		{"tool", "{type: Tools, tools: [{servers: [{name: github}], names: [a]}]}", call(t, "a", "{}"), toolTarget(), true},
		{"tool case", "{type: Tools, tools: [{names: [A]}]}", call(t, "a", "{}"), toolTarget(), false},
		{"tool method", "{type: Tools, tools: [{methods: [resources/read]}]}", call(t, "a", "{}"), toolTarget(), false},
		{"resource", "{type: Tools, tools: [{methods: [resources/read], names: ['file:///docs/**']}]}", resource(t, "file:///docs/a/b"), toolTarget(), true},
		{"a Service is no XBackend", "{type: Tools, tools: [{servers: [{kind: Service, name: github}]}]}", call(t, "a", "{}"), toolTarget(), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := one(t, "{name: r, action: Allow, to: "+tt.to+"}")
			if got := decideAll(t, s, tt.target, tt.q); (got.Effect == Allow) != tt.want {
				t.Errorf("got %v %v", got.Effect, got.Code)
			}
		})
	}
}

func resource(t testing.TB, uri string) *Question {
	t.Helper()
	q := method(t, "resources/read", false)
	q.Action.Name = uri
	return q
}

// A Deny or Ask without ports is for every port.
func TestDenyPorts(t *testing.T) {
	t.Parallel()
	const rules = "{name: a, action: Allow, to: {type: Hosts, hosts: [{names: ['**'], ports: [443, 8443]}]}}, " +
		"{name: d, action: Deny, to: {type: Hosts, hosts: [{names: [bad.example]}]}}, " +
		"{name: e, action: Ask, to: {type: Hosts, hosts: [{names: [odd.example], ports: [443]}]}}"
	for host, want := range map[string][2]Effect{
		"good.example": {Allow, Allow}, "bad.example": {Deny, Deny}, "odd.example": {Ask, Allow},
	} {
		for i, port := range []uint16{443, 8443} {
			if o := decideAll(t, one(t, rules), proxyTarget(), connect(host, port)); o.Effect != want[i] {
				t.Errorf("%s:%d: %v, want %v", host, port, o.Effect, want[i])
			}
		}
	}
}

func TestSeveralBackends(t *testing.T) {
	t.Parallel()
	both := toolTarget(github, gitlab)
	tests := []struct {
		name, rules string
		want        string
	}{
		{"any", allowAll, ""},
		{"both in one entry", "{name: r, action: Allow, to: {type: Tools, tools: [{servers: [{name: gitlab}, {name: github}]}]}}", ""},
		{"both in two entries", "{name: r, action: Allow, to: {type: Tools, tools: [{servers: [{name: gitlab}]}, {servers: [{name: github}]}]}}", ""},
		{"first only", "{name: r, action: Allow, to: {type: Tools, tools: [{servers: [{name: github}]}]}}", CodeNoRule},
		{"second only", "{name: r, action: Allow, to: {type: Tools, tools: [{servers: [{name: gitlab}]}]}}", CodeNoRule},
		{"two rules, one each", "{name: r, action: Allow, to: {type: Tools, tools: [{servers: [{name: gitlab}]}]}}, {name: s, action: Allow, to: {type: Tools, tools: [{servers: [{name: github}]}]}}", CodeNoRule},
		{"other names for one", "{name: r, action: Allow, to: {type: Tools, tools: [{servers: [{name: gitlab}], names: [b]}, {servers: [{name: github}]}]}}", CodeNoRule},
		{"deny of the second", allowAll + ", {name: d, action: Deny, to: {type: Tools, tools: [{servers: [{name: gitlab}]}]}}", CodeRuleDenied},
		{"deny of the first", allowAll + ", {name: d, action: Deny, to: {type: Tools, tools: [{servers: [{name: github}]}]}}", CodeRuleDenied},
		{"ask of the second", allowAll + ", {name: d, action: Ask, to: {type: Tools, tools: [{servers: [{name: gitlab}]}]}}", CodeApprovalRequired},
		{"deny of another", allowAll + ", {name: d, action: Deny, to: {type: Tools, tools: [{servers: [{name: other}]}]}}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := decideAll(t, one(t, tt.rules), both, call(t, "a", "{}")); got.Code != tt.want {
				t.Errorf("got %v %q, want %q", got.Effect, got.Code, tt.want)
			}
		})
	}
}

func TestLevelsByBackend(t *testing.T) {
	t.Parallel()
	a, b := policyOf(t, "a", "["+allowAll+"]"), policyOf(t, "b", "[]")
	a.Targets, b.Targets = []feedv1.PolicyTarget{backendTarget("github")}, []feedv1.PolicyTarget{backendTarget("gitlab")}
	s := compileAll(t, a, b)
	for _, tt := range []struct {
		target wire.Target
		want   Effect
		level  string
	}{
		{toolTarget(github), Allow, github},
		{toolTarget(gitlab), Deny, gitlab},
		{toolTarget(github, gitlab), Deny, gitlab},
		{toolTarget("Service/agents/github"), Neutral, ""},
		{toolTarget("XBackend/other/github"), Neutral, ""},
	} {
		if o := decideAll(t, s, tt.target, call(t, "a", "{}")); o.Effect != tt.want || o.Level != tt.level {
			t.Errorf("%v: %v at %q", tt.target.Backends, o.Effect, o.Level)
		}
	}
}

func TestSections(t *testing.T) {
	t.Parallel()
	allow, deny := policyOf(t, "allow", "["+allowAll+"]"), policyOf(t, "deny", "[{name: d, action: Deny, to: {type: Tools, tools: [{}]}}]")
	deny.Targets[0].Section = "agents"
	ruleDeny := policyOf(t, "rule", "[]")
	ruleDeny.Targets = []feedv1.PolicyTarget{{Kind: "HTTPRoute", Key: routeTarget().Key, Section: "#1"}}
	both := policyOf(t, "both", "["+allowAll+"]")
	both.Targets = []feedv1.PolicyTarget{gatewayTarget(), {Kind: "Gateway", Key: gatewayTarget().Key, Section: "agents"}}
	other := toolTarget()
	other.Listener = "other"
	rule1 := other
	rule1.Rule = "#1"
	for name, tt := range map[string]struct {
		policies []feedv1.Policy
		target   wire.Target
		want     Effect
	}{
		"listener joins the gateway": {[]feedv1.Policy{allow, deny}, toolTarget(), Deny},
		"another listener":           {[]feedv1.Policy{allow, deny}, other, Allow},
		"another rule":               {[]feedv1.Policy{allow, ruleDeny}, other, Allow},
		"the rule":                   {[]feedv1.Policy{allow, ruleDeny}, rule1, Deny},
		"attached twice":             {[]feedv1.Policy{both}, toolTarget(), Allow},
	} {
		if o := decideAll(t, compileAll(t, tt.policies...), tt.target, call(t, "a", "{}")); o.Effect != tt.want {
			t.Errorf("%s: %v %v", name, o.Effect, o.Code)
		}
	}
}

// A target that cannot be read is guarded by nothing that is known: closed.
func TestUnreadableTarget(t *testing.T) {
	t.Parallel()
	s := compileAll(t)
	for name, change := range map[string]func(*wire.Target){
		"no gateway":      func(w *wire.Target) { w.Gateway = "" },
		"half a gateway":  func(w *wire.Target) { w.Gateway = "agents" },
		"half a route":    func(w *wire.Target) { w.Route = "tools" },
		"route in depth":  func(w *wire.Target) { w.Route = "agents/tools/x" },
		"half a backend":  func(w *wire.Target) { w.Backends = []string{"XBackend/github"} },
		"backend no kind": func(w *wire.Target) { w.Backends = []string{"/agents/github"} },
	} {
		target := toolTarget()
		change(&target)
		if o := decideAll(t, s, target, call(t, "a", "{}")); o.Effect != Deny || o.Code != CodePolicyRejected {
			t.Errorf("%s: %v %v", name, o.Effect, o.Code)
		}
	}
	if o := decideAll(t, s, toolTarget(), call(t, "a", "{}")); o.Effect != Neutral || o.Code != CodeUnmatched {
		t.Errorf("a good one: %v %v", o.Effect, o.Code)
	}
}

func TestZeroOutcomeDenies(t *testing.T) {
	t.Parallel()
	var o Outcome
	if o.Effect != Deny || o.Effect.String() != "deny" {
		t.Errorf("got %v", o.Effect)
	}
}

func TestOutcomeNames(t *testing.T) {
	t.Parallel()
	gateway := policyOf(t, "p1", "[{name: z, action: Allow, to: {type: Tools, tools: [{}]}}, {name: b, action: Allow, to: {type: Tools, tools: [{}]}}]")
	backend := policyOf(t, "p2", "["+allowAll+"]")
	backend.Targets = []feedv1.PolicyTarget{backendTarget("github")}
	o := decideAll(t, compileAll(t, gateway, backend), toolTarget(), call(t, "a", "{}"))
	if o.Level != github || o.Policy.Name != "p2" || o.Rule != "all" {
		t.Errorf("allow: %s %s %s", o.Level, o.Policy, o.Rule)
	}
	o = decideAll(t, compileAll(t, gateway), toolTarget(), call(t, "a", "{}"))
	if o.Level != "Gateway/agents/egress/agents" || o.Rule != "b" {
		t.Errorf("first by name: %s %s", o.Level, o.Rule)
	}
}

func TestDuties(t *testing.T) {
	t.Parallel()
	plain := Duties{
		Lifetime: v1alpha1.LifetimeTokenExpiry, TLS: v1alpha1.TLSPassthrough, ForwardToken: v1alpha1.ForwardTokenStrip,
		Audit: v1alpha1.AuditBuffered, DenyAs: v1alpha1.DenyAsError, RequestBytes: -1,
	}
	with := func(change func(*Duties)) Duties {
		d := plain
		change(&d)
		return d
	}
	tests := []struct {
		name  string
		duty  []string
		model bool
		want  Duties
	}{
		{"default", []string{""}, false, plain},
		{"default of models", []string{""}, true, with(func(d *Duties) { d.Lifetime, d.Max = v1alpha1.LifetimeMax, 10*time.Minute })},
		{"models, own bound", []string{"stream: {max: 2m}"}, true, with(func(d *Duties) { d.Lifetime, d.Max = v1alpha1.LifetimeMax, 2*time.Minute })},
		{"models, longer", []string{"stream: {lifetime: Max, max: 1h}"}, true, with(func(d *Duties) { d.Lifetime, d.Max = v1alpha1.LifetimeMax, time.Hour })},
		{"models, renewable", []string{"stream: {lifetime: Renewable}"}, true, with(func(d *Duties) { d.Lifetime = v1alpha1.LifetimeRenewable })},
		{"models, renewable and default", []string{"stream: {lifetime: Renewable}", ""}, true, with(func(d *Duties) { d.Lifetime, d.Max = v1alpha1.LifetimeRenewable, 10*time.Minute })},
		{"loose", []string{"stream: {lifetime: Max, max: 1h}, forwardToken: Forward, denyAs: Result"}, false, with(func(d *Duties) {
			d.Lifetime, d.Max, d.ForwardToken, d.DenyAs = v1alpha1.LifetimeMax, time.Hour, v1alpha1.ForwardTokenForward, v1alpha1.DenyAsResult
		})},
		{"loose and default", []string{"stream: {lifetime: Max, max: 1h}, forwardToken: Forward, denyAs: Result", ""}, false, with(func(d *Duties) { d.Max = time.Hour })},
		{
			"shortest",
			[]string{"stream: {lifetime: Max, max: 1h}", "stream: {lifetime: Renewable, max: 2h}", "stream: {lifetime: Max, max: 1h30m}"},
			false,
			with(func(d *Duties) { d.Lifetime, d.Max = v1alpha1.LifetimeRenewable, time.Hour }),
		},
		{"audit", []string{"", "audit: Durable", "audit: Buffered"}, false, with(func(d *Duties) { d.Audit = v1alpha1.AuditDurable })},
		{"limits", []string{"limits: {requestBytes: 500}", "", "limits: {requestBytes: 300}"}, false, with(func(d *Duties) { d.RequestBytes = 300 })},
		{"limits of models", []string{"limits: {outputTokens: 50}", "limits: {outputTokens: 20, requestBytes: 1000}"}, true, with(func(d *Duties) {
			d.Lifetime, d.Max, d.OutputTokens, d.RequestBytes = v1alpha1.LifetimeMax, 10*time.Minute, 20, 1000
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rules := ""
			for i, d := range tt.duty {
				to := "{type: Tools, tools: [{}]}"
				if tt.model {
					to = "{type: Models, models: [{}]}"
				}
				rules += fmt.Sprintf("{name: r%d, action: Allow, to: %s, with: {%s}},", i, to, d)
			}
			q := call(t, "a", "{}")
			if tt.model {
				q = chat("m", 10)
			}
			o := decideAll(t, one(t, rules), toolTarget(), q)
			if diff := cmp.Diff(tt.want, o.Duties); o.Effect != Allow || diff != "" {
				t.Errorf("%v (-want +got):\n%s", o.Effect, diff)
			}
		})
	}
}

func TestOpaqueNeedsAll(t *testing.T) {
	t.Parallel()
	rule := func(name, tls string) string {
		return "{name: " + name + ", action: Allow, to: {type: Hosts, hosts: [{names: [a.example]}]}, with: {" + tls + "}}"
	}
	route := policyOf(t, "route", "["+rule("a", "tls: Passthrough")+"]")
	route.Targets = []feedv1.PolicyTarget{{Kind: "Gateway", Key: gatewayTarget().Key, Section: "proxy"}}
	for name, tt := range map[string]struct {
		policies []feedv1.Policy
		want     v1alpha1.TLSDuty
	}{
		"all":           {[]feedv1.Policy{policyOf(t, "p", "["+rule("a", "tls: Opaque")+","+rule("b", "tls: Opaque")+"]")}, v1alpha1.TLSOpaque},
		"one says no":   {[]feedv1.Policy{policyOf(t, "p", "["+rule("a", "tls: Opaque")+","+rule("b", "tls: Passthrough")+"]")}, v1alpha1.TLSPassthrough},
		"one is silent": {[]feedv1.Policy{policyOf(t, "p", "["+rule("a", "tls: Opaque")+","+rule("b", "")+"]")}, v1alpha1.TLSPassthrough},
		"other policy":  {[]feedv1.Policy{policyOf(t, "p", "["+rule("a", "tls: Opaque")+"]"), route}, v1alpha1.TLSPassthrough},
	} {
		if o := decideAll(t, compileAll(t, tt.policies...), proxyTarget(), connect("a.example", 443)); o.Duties.TLS != tt.want {
			t.Errorf("%s: %v, want %v", name, o.Duties.TLS, tt.want)
		}
	}
}

func TestDutiesOverLevels(t *testing.T) {
	t.Parallel()
	gateway := policyOf(t, "gw", "[{name: a, action: Allow, to: {type: Tools, tools: [{}]}, with: {forwardToken: Forward, stream: {max: 1h}, limits: {requestBytes: 100}}}]")
	backend := policyOf(t, "be", "[{name: a, action: Allow, to: {type: Tools, tools: [{}]}, with: {stream: {max: 5m}, audit: Durable}}]")
	backend.Targets = []feedv1.PolicyTarget{backendTarget("github")}
	o := decideAll(t, compileAll(t, gateway, backend), toolTarget(), call(t, "a", "{}"))
	if d := o.Duties; d.Max != 5*time.Minute || d.ForwardToken != v1alpha1.ForwardTokenStrip || d.Audit != v1alpha1.AuditDurable || d.RequestBytes != 100 {
		t.Errorf("got %+v", d)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	const rules = "{name: a, action: Allow, to: {type: Models, models: [{}]}, with: {limits: {outputTokens: 100}}}," +
		"{name: b, action: Allow, to: {type: Models, models: [{}]}, with: {audit: Durable, limits: {outputTokens: 50, requestBytes: 200}}}"
	tests := []struct {
		name          string
		tokens, bytes int64
		code, rule    string
	}{
		{"within", 50, 200, "", "a"},
		{"too many tokens", 51, 200, CodeLimitExceeded, "b"},
		{"too many for both", 101, 200, CodeLimitExceeded, "a"},
		{"tokens not said", 0, 200, CodeLimitMissing, "a"},
		{"negative tokens", -1, 200, CodeLimitMissing, "a"},
		{"too long", 50, 201, CodeLimitExceeded, "b"},
		{"length not known", 50, -1, CodeLimitMissing, "b"},
	}
	for _, tt := range tests {
		q := chat("m", tt.tokens)
		q.Action.RequestBytes = tt.bytes
		o := decideAll(t, one(t, rules), toolTarget(models), q)
		if o.Code != tt.code || o.Rule != tt.rule || (o.Effect == Allow) != (tt.code == "") {
			t.Errorf("%s: %v %q by %q", tt.name, o.Effect, o.Code, o.Rule)
		}
		if o.Duties.Audit != v1alpha1.AuditDurable {
			t.Errorf("%s: audit %v", tt.name, o.Duties.Audit)
		}
	}
}

// Limits deny also where another level only asks: nobody is asked for what
// would be denied after.
func TestLimitsBeforeAsk(t *testing.T) {
	t.Parallel()
	gateway := policyOf(t, "gw", "[{name: a, action: Allow, to: {type: Tools, tools: [{}]}, with: {limits: {requestBytes: 1}}}]")
	ask := policyOf(t, "ask", "[{name: a, action: Ask, to: {type: Tools, tools: [{}]}}]")
	ask.Targets = []feedv1.PolicyTarget{backendTarget("github")}
	if o := decideAll(t, compileAll(t, gateway, ask), toolTarget(), call(t, "a", `{"a":1}`)); o.Code != CodeLimitExceeded {
		t.Errorf("got %v %v", o.Effect, o.Code)
	}
}

func TestRefusalDuties(t *testing.T) {
	t.Parallel()
	o := decideAll(t, one(t, allowAll+", {name: d, action: Deny, to: {type: Tools, tools: [{}]}, with: {audit: Durable, denyAs: Result}}"), toolTarget(), call(t, "a", "{}"))
	if o.Duties.Audit != v1alpha1.AuditDurable || o.Duties.DenyAs != v1alpha1.DenyAsResult {
		t.Errorf("deny: %+v", o.Duties)
	}
	o = decideAll(t, one(t, "{name: d, action: Ask, to: {type: Tools, tools: [{}]}, with: {denyAs: Result}}"), toolTarget(), call(t, "a", "{}"))
	if o.Effect != Ask || o.Duties.DenyAs != v1alpha1.DenyAsResult {
		t.Errorf("ask: %+v", o.Duties)
	}
}

// A denial by no rule is told as all Allow rules that name the server say.
func TestUsualDenyAs(t *testing.T) {
	t.Parallel()
	rule := func(name, from, server, denyAs string) string {
		return "{name: " + name + ", action: Allow, from: {agents: [{name: " + from + "}]}, to: {type: Tools, tools: [{servers: [{name: " + server + "}], names: [only]}]}, with: {denyAs: " + denyAs + "}},"
	}
	for name, tt := range map[string]struct {
		rules string
		want  v1alpha1.DenyAs
	}{
		"none":                {"", v1alpha1.DenyAsError},
		"all say Result":      {rule("a", "researcher", "github", "Result") + rule("b", "'*'", "github", "Result"), v1alpha1.DenyAsResult},
		"one says Error":      {rule("a", "researcher", "github", "Result") + rule("b", "'*'", "github", "Error"), v1alpha1.DenyAsError},
		"of another server":   {rule("a", "researcher", "github", "Result") + rule("b", "'*'", "gitlab", "Error"), v1alpha1.DenyAsResult},
		"of another caller":   {rule("a", "researcher", "github", "Result") + rule("b", "other", "github", "Error"), v1alpha1.DenyAsResult},
		"only another caller": {rule("b", "other", "github", "Result"), v1alpha1.DenyAsError},
		"an Ask has no say":   {"{name: a, action: Ask, to: {type: Tools, tools: [{names: [only]}]}, with: {denyAs: Result}}", v1alpha1.DenyAsError},
	} {
		o := decideAll(t, one(t, tt.rules), toolTarget(), call(t, "a", "{}"))
		if o.Code != CodeNoRule || o.Duties.DenyAs != tt.want {
			t.Errorf("%s: %v %v, want %v", name, o.Code, o.Duties.DenyAs, tt.want)
		}
	}
}

// TestBaseMethodsWithoutAToken: an Ask holds without a token where it says
// nothing of one, and opens nothing by that.
func TestBaseMethodsWithoutAToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, rules string
		want        string
		helps       bool
	}{
		{"an Allow", "{name: a, action: Allow, to: {type: Tools, tools: [{names: [x]}]}}", CodeNoRule, true},
		{"an Ask", "{name: a, action: Ask, to: {type: Tools, tools: [{names: [x]}]}}", CodeNoRule, true},
		{"an Ask of a peer", "{name: a, action: Ask, from: {peers: [{type: SPIFFE, spiffe: 'spiffe://**'}]}, to: {type: Tools, tools: [{names: [x]}]}}", CodeNoRule, true},
		{"an Allow of None", "{name: a, action: Allow, from: {peers: [{type: SPIFFE, spiffe: 'spiffe://**'}]}, transaction: {type: None}, to: {type: Tools, tools: [{names: [x]}]}}", "", false},
		{"an Ask of None", "{name: a, action: Ask, from: {peers: [{type: SPIFFE, spiffe: 'spiffe://**'}]}, transaction: {type: None}, to: {type: Tools, tools: [{names: [x]}]}}", "", false},
		{"a Deny", "{name: a, action: Deny, to: {type: Tools, tools: [{names: [x]}]}}", CodeNoRule, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := method(t, "tools/list", true)
			q.Claims = nil
			if o := decideAll(t, one(t, tt.rules), toolTarget(), q); o.Code != tt.want || o.TokenHelps != tt.helps {
				t.Errorf("code %q, a token helps: %v, want %q, %v", o.Code, o.TokenHelps, tt.want, tt.helps)
			}
		})
	}
}

func TestBaseMethods(t *testing.T) {
	t.Parallel()
	const (
		narrow = "{name: named, action: Allow, from: {agents: [{name: researcher}]}, to: {type: Tools, tools: [{servers: [{name: github}], names: [x], arguments: [{name: a, type: Present}]}]}, when: [\"args.a == 1\"], with: {limits: {requestBytes: 0}, audit: Durable}}"
		ask    = "{name: k, action: Ask, to: {type: Tools, tools: [{servers: [{name: github}], names: [x]}]}}"
	)
	tests := []struct {
		name, rules, method string
		base                bool
		target              wire.Target
		want                string
	}{
		{"named", narrow, "initialize", true, toolTarget(), ""},
		{"listing", narrow, "tools/list", true, toolTarget(), ""},
		{"stream", narrow, "GET", true, toolTarget(), ""},
		{"not a base method", narrow, "logging/setLevel", false, toolTarget(), CodeNoRule},
		{"another server", narrow, "initialize", true, toolTarget(gitlab), CodeNoRule},
		{"by an Ask", ask, "initialize", true, toolTarget(), ""},
		{"by any server", allowAll, "ping", true, toolTarget(gitlab), ""},
		{"another caller", "{name: named, action: Allow, from: {agents: [{name: other}]}, to: {type: Tools, tools: [{}]}}", "ping", true, toolTarget(), CodeNoRule},
		{"another transaction", "{name: named, action: Allow, transaction: {scopes: [admin]}, to: {type: Tools, tools: [{}]}}", "ping", true, toolTarget(), CodeNoRule},
		{"only a Deny", "{name: d, action: Deny, to: {type: Tools, tools: [{names: [x]}]}}", "ping", true, toolTarget(), CodeNoRule},
		{"denied by its name", narrow + ", {name: d, action: Deny, to: {type: Tools, tools: [{methods: [tools/list]}]}}", "tools/list", true, toolTarget(), CodeRuleDenied},
		{"another is denied", narrow + ", {name: d, action: Deny, to: {type: Tools, tools: [{methods: [tools/list]}]}}", "ping", true, toolTarget(), ""},
		{"a Deny of calls", narrow + ", {name: d, action: Deny, to: {type: Tools, tools: [{}]}}", "ping", true, toolTarget(), ""},
		{"asked by its name", narrow + ", {name: d, action: Ask, to: {type: Tools, tools: [{methods: [tools/list]}]}}", "tools/list", true, toolTarget(), CodeApprovalRequired},
		{"both servers", allowAll, "ping", true, toolTarget(github, gitlab), ""},
		{"one of two servers", narrow, "ping", true, toolTarget(github, gitlab), CodeNoRule},
		{"two rules for two servers", narrow + ", {name: o, action: Allow, to: {type: Tools, tools: [{servers: [{name: gitlab}]}]}}", "ping", true, toolTarget(github, gitlab), ""},
		{"no server", allowAll, "ping", true, noBackends(), CodeNoRule},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := method(t, tt.method, tt.base)
			q.Action.RequestBytes = 500
			if o := decideAll(t, one(t, tt.rules), tt.target, q); o.Code != tt.want {
				t.Errorf("got %v %q, want %q", o.Effect, o.Code, tt.want)
			}
		})
	}
}
