package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const (
	github   = "XBackend/agents/github"
	gitlab   = "XBackend/agents/gitlab"
	models   = "XBackend/agents/llm"
	alice    = "spiffe://corp/ns/agents/sa/researcher"
	stranger = "spiffe://corp/ns/other/sa/stranger"
)

func gatewayTarget() feedv1.PolicyTarget {
	return feedv1.PolicyTarget{Kind: "Gateway", Key: feedv1.Key{Namespace: "agents", Name: "egress"}}
}

func routeTarget() feedv1.PolicyTarget {
	return feedv1.PolicyTarget{Kind: "HTTPRoute", Key: feedv1.Key{Namespace: "agents", Name: "tools"}}
}

func backendTarget(name string) feedv1.PolicyTarget {
	return feedv1.PolicyTarget{Kind: "XBackend", Key: feedv1.Key{Namespace: "agents", Name: name}}
}

// policyOf is an enforcing policy on the Gateway with the rules of a YAML list.
func policyOf(t testing.TB, name, rules string) feedv1.Policy {
	t.Helper()
	p := feedv1.Policy{
		Key:     feedv1.Key{Namespace: "agents", Name: name},
		Targets: []feedv1.PolicyTarget{gatewayTarget()},
		Mode:    v1alpha1.ModeEnforce,
	}
	if err := yaml.UnmarshalStrict([]byte(rules), &p.Rules); err != nil {
		t.Fatalf("parse rules: %v", err)
	}
	for i := range p.Rules {
		resolve(&p.Rules[i])
	}
	return p
}

// resolve completes references as the translator does.
func resolve(r *v1alpha1.AccessRule) {
	fill := func(refs []v1alpha1.BackendReference) {
		for i := range refs {
			if refs[i].Kind == "" {
				refs[i].Kind = "XBackend"
			}
		}
	}
	for i := range r.To.Tools {
		fill(r.To.Tools[i].Servers)
	}
	for i := range r.To.Models {
		fill(r.To.Models[i].Providers)
	}
	for i := range r.To.Packages {
		one := []v1alpha1.BackendReference{r.To.Packages[i].Registry}
		fill(one)
		r.To.Packages[i].Registry = one[0]
	}
}

func newCompiler(t testing.TB) *Compiler {
	t.Helper()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// compileAll compiles policies that must have no errors.
func compileAll(t testing.TB, policies ...feedv1.Policy) *Set {
	t.Helper()
	s := newCompiler(t).Compile(policies)
	for _, p := range s.Problems() {
		if p.Severity == Error {
			t.Fatalf("%s: %s", p.Policy, p.Problem)
		}
	}
	return s
}

func toolTarget(backends ...string) wire.Target {
	if len(backends) == 0 {
		backends = []string{github}
	}
	return wire.Target{
		Gateway: "agents/egress", Listener: "agents", Route: "agents/tools", Rule: "#0",
		Surface: "Tools", Backends: backends, Entry: wire.EntryRoute,
	}
}

func proxyTarget() wire.Target {
	return wire.Target{Gateway: "agents/egress", Listener: "proxy", Entry: wire.EntryProxy}
}

func parse(t testing.TB, text string) strictjson.Value {
	t.Helper()
	if text == "" {
		return strictjson.Value{}
	}
	var d strictjson.Doc
	if err := d.Parse([]byte(text), strictjson.Limits{}); err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
	return d.Root()
}

func claims() *token.Claims {
	return &token.Claims{
		Domain: feedv1.Key{Namespace: "agents", Name: "corp"}, Audience: "corp.example",
		Subject: "bob", Txn: "t-1", Agent: "researcher", Actors: []string{"researcher"},
		Scopes:  []string{"research.read", "research.list"},
		Context: map[string]any{"region": "eu", "level": int64(3), "tags": []any{"a", "b"}, "deep": map[string]any{"er": true}},
	}
}

// call is a tool call by alice in a transaction.
func call(t testing.TB, name, args string) *Question {
	t.Helper()
	return &Question{
		Peer: alice, Claims: claims(),
		Action: &surface.Action{
			Kind: v1alpha1.SurfaceTools, Method: "tools/call", Name: name, Args: parse(t, args),
			OnRoute: true, Host: "tools.example", Port: 8080, Path: "/mcp", RequestBytes: int64(len(args)),
		},
	}
}

func method(t testing.TB, method string, base bool) *Question {
	t.Helper()
	q := call(t, "", "")
	q.Action.Method, q.Action.Base = method, base
	return q
}

func connect(host string, port uint16) *Question {
	return &Question{
		Peer: alice, Claims: claims(),
		Action: &surface.Action{Kind: v1alpha1.SurfaceHosts, Method: "CONNECT", Host: host, Port: port},
	}
}

func request(method, host string, port uint16, path string) *Question {
	return &Question{
		Peer: alice, Claims: claims(),
		Action: &surface.Action{Kind: v1alpha1.SurfaceHTTP, Method: method, Host: host, Port: port, Path: path},
	}
}

func chat(model string, tokens int64) *Question {
	return &Question{
		Peer: alice, Claims: claims(),
		Action: &surface.Action{
			Kind: v1alpha1.SurfaceModels, Method: "chat", Name: model, OnRoute: true,
			Host: "llm.example", Port: 8080, Path: "/v1/chat/completions", RequestBytes: 100, OutputTokens: tokens,
		},
	}
}

// decideAll decides by the index and by looking at every rule, with and without
// a trace, and fails where they differ.
func decideAll(t testing.TB, s *Set, target wire.Target, q *Question) Outcome {
	t.Helper()
	l := s.Levels(target)
	got := l.Decide(q, nil)
	for name, other := range map[string]Outcome{
		"linear": linear(l, q),
		"traced": l.Decide(q, &Trace{}),
	} {
		if diff := diffOutcomes(got, other); diff != "" {
			t.Errorf("%s differs (-index +%s):\n%s", name, name, diff)
		}
	}
	return got
}

func linear(l *Levels, q *Question) Outcome {
	d := decision{l: l, e: eval{q: q, t: &l.target}, all: true}
	d.run()
	return d.out
}

func diffOutcomes(a, b Outcome) string {
	return cmp.Diff(a, b, cmpopts.IgnoreUnexported(Outcome{})) + cmp.Diff(a.SeenNames(), b.SeenNames())
}

// fuzzCall is a call with any arguments; nil: they are no JSON.
func fuzzCall(args string) *Question {
	q := connect("a.example", 443)
	q.Action.Kind, q.Action.Method, q.Action.Name = v1alpha1.SurfaceTools, "tools/call", "search"
	var d strictjson.Doc
	if d.Parse([]byte(args), strictjson.Limits{}) != nil {
		return nil
	}
	q.Action.Args = d.Root()
	return q
}

func noBackends() wire.Target {
	t := toolTarget()
	t.Backends = nil
	return t
}
