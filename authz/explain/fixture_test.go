package explain

import (
	"net/netip"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const gatewayRules = `
- name: search
  from: {agents: [{name: researcher}]}
  transaction: {scopes: [research.read], context: [{path: region, values: [eu]}]}
  to: {type: Tools, tools: [{servers: [{name: github}], names: ["search_*"], arguments: [{name: repo, type: Glob, values: ["acme/*"]}], otherArguments: Allow}]}
  when: ["size(args.query) < 20"]
  action: Allow
  with: {stream: {lifetime: TokenExpiry, max: 30m}}
- {name: read, to: {type: Tools, tools: [{servers: [{name: github}], names: [read]}]}, action: Allow, with: {audit: Durable}}
- {name: no-merge, to: {type: Tools, tools: [{servers: [{name: github}], names: [merge]}]}, action: Deny}
- {name: push, to: {type: Tools, tools: [{servers: [{name: github}], names: [push]}]}, action: Ask}
- {name: chat, to: {type: Models, models: [{providers: [{name: llm}], names: ["gpt-*"]}]}, action: Allow, with: {limits: {outputTokens: 1000}}}
- {name: web, to: {type: Hosts, hosts: [{names: [api.example, "**.wild.example"]}]}, action: Allow}
- {name: pages, to: {type: HTTP, http: [{hosts: [api.example], paths: ["/public/**"]}]}, action: Allow}
- name: peers
  from: {peers: [{type: SPIFFE, spiffe: "spiffe://corp/**"}]}
  transaction: {type: None}
  to: {type: Hosts, hosts: [{names: [peers.example]}]}
  action: Allow
`

const routeRules = `
- {name: narrower, to: {type: Tools, tools: [{servers: [{name: github}], names: [search_code, read, push]}]}, action: Allow}
- {name: models, to: {type: Models, models: [{}]}, action: Allow}
`

func key(name string) feedv1.Key { return feedv1.Key{Namespace: "agents", Name: name} }

func policyOf(t testing.TB, name, rules string, mode v1alpha1.PolicyMode, target feedv1.PolicyTarget) feedv1.Policy {
	t.Helper()
	p := feedv1.Policy{Key: key(name), Mode: mode, Targets: []feedv1.PolicyTarget{target}}
	if err := yaml.UnmarshalStrict([]byte(rules), &p.Rules); err != nil {
		t.Fatal(err)
	}
	for i := range p.Rules {
		for j := range p.Rules[i].To.Tools {
			for k := range p.Rules[i].To.Tools[j].Servers {
				p.Rules[i].To.Tools[j].Servers[k].Kind = "XBackend"
			}
		}
		for j := range p.Rules[i].To.Models {
			for k := range p.Rules[i].To.Models[j].Providers {
				p.Rules[i].To.Models[j].Providers[k].Kind = "XBackend"
			}
		}
	}
	return p
}

func feed(t testing.TB) *feedv1.Snapshot {
	t.Helper()
	corp, loopback := []feedv1.Key{key("corp")}, netip.MustParseAddr("127.0.0.1")
	return &feedv1.Snapshot{
		Gateways: []feedv1.Gateway{{
			Key: key("egress"), Unmatched: v1alpha1.UnmatchedDeny, MinRemain: 2 * time.Second,
			Listeners: []feedv1.Listener{
				{Name: "agents", Protocol: "HTTP", Address: loopback, Port: 8080, TrustDomains: corp},
				{Name: "proxy", Protocol: v1alpha1.ProtocolProxy, Address: loopback, Port: 3128, TrustDomains: corp},
			},
			Egress: feedv1.Egress{
				Hosts:    []feedv1.Host{{Name: "api.example", Addresses: []netip.Addr{loopback}, Ports: []uint16{443, 80}, Clusters: []string{"a", "b"}}},
				Backends: []feedv1.Backend{{Ref: "XBackend/agents/github", Hostname: "mcp.example", Port: 443, Surface: v1alpha1.SurfaceTools, Mode: wire.ModeGuard, Cluster: "XBackend/agents/github"}},
			},
		}},
		Policies: []feedv1.Policy{
			policyOf(t, "gateway", gatewayRules, v1alpha1.ModeEnforce, feedv1.PolicyTarget{Kind: "Gateway", Key: key("egress")}),
			policyOf(t, "route", routeRules, v1alpha1.ModeEnforce, feedv1.PolicyTarget{Kind: "HTTPRoute", Key: key("tools")}),
			policyOf(t, "tried", "[{name: trial, to: {type: Tools, tools: [{names: [read]}]}, action: Deny}]", v1alpha1.ModeReport, feedv1.PolicyTarget{Kind: "XBackend", Key: key("github")}),
		},
	}
}

func now() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func configOf(t testing.TB, f *feedv1.Snapshot) *Config {
	t.Helper()
	c, err := policy.New(policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	set := c.Compile(f.Policies)
	for _, p := range set.Problems() {
		if p.Severity == policy.Error {
			t.Fatalf("%s: %s", p.Policy, p.Problem)
		}
	}
	route := func(name, rule, surface, provider, backend string) wire.Target {
		return wire.Target{
			Entry: wire.EntryRoute, Gateway: "agents/egress", Listener: "agents", Route: name, Rule: rule,
			Surface: surface, Provider: provider, Backends: []string{backend}, BodyBytes: 1 << 20,
		}
	}
	return &Config{
		State: decide.NewState(1, f, set), Gateways: f.Gateways, Now: now(),
		Targets: []wire.Target{
			route("agents/tools", "#0", "Tools", "", "XBackend/agents/github"),
			route("agents/tools", "second", "HTTP", "", "XBackend/agents/web"),
			route("agents/models", "#0", "Models", "openai", "XBackend/agents/llm"),
		},
	}
}

// told is the explanation of a hop that is written in YAML.
func told(t testing.TB, c *Config, text string) Explanation {
	t.Helper()
	h, err := ReadHop([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	hop, err := c.Resolve(h)
	if err != nil {
		t.Fatal(err)
	}
	return c.Explain(hop)
}
