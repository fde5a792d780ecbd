package check

import (
	"net/netip"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const (
	gateway = "agents/egress"
	github  = "XBackend/agents/github"
	llms    = "XBackend/agents/llm"
	web     = "XBackend/agents/web"
	spiffe  = "spiffe://corp/ns/agents/sa/researcher"
)

// worldRules are the policy of the fixture's Gateway.
const worldRules = `
- name: search
  to:
    type: Tools
    tools: [{servers: [{name: github}], names: ["search_*"], arguments: [{name: repo, type: Glob, values: ["acme/*"]}]}]
  action: Allow
- name: gentle
  from: {agents: [{name: gentle}]}
  to: {type: Tools, tools: [{servers: [{name: github}], names: [search_code]}]}
  action: Allow
  with: {denyAs: Result}
- {name: no-merge, to: {type: Tools, tools: [{servers: [{name: github}], names: [merge]}]}, action: Deny}
- {name: ask-push, to: {type: Tools, tools: [{servers: [{name: github}], names: [push]}]}, action: Ask}
- name: chat
  to: {type: Models, models: [{providers: [{name: llm}], names: ["gpt-*"]}]}
  action: Allow
  with: {limits: {outputTokens: 1000}}
- {name: pages, to: {type: HTTP, http: [{hosts: [web.example], ports: [8080, 8081, 8444, 80], methods: [GET, POST], paths: ["/public/**"]}]}, action: Allow}
- {name: forwarded, to: {type: HTTP, http: [{ports: [8080, 80], paths: ["/forward"]}]}, action: Allow, with: {forwardToken: Forward}}
- {name: durable, to: {type: HTTP, http: [{ports: [8080], paths: ["/durable"]}]}, action: Allow, with: {audit: Durable}}
- {name: bounded, to: {type: HTTP, http: [{ports: [8080], paths: ["/bounded"]}]}, action: Allow, with: {limits: {requestBytes: 100}}}
- {name: short, to: {type: HTTP, http: [{ports: [8080], paths: ["/short"]}]}, action: Allow, with: {stream: {max: 1500ms}}}
- name: peers
  from: {peers: [{type: SPIFFE, spiffe: "spiffe://corp/ns/agents/sa/*"}]}
  transaction: {type: None}
  to: {type: HTTP, http: [{ports: [8444, 8080], paths: ["/peers"]}]}
  action: Allow
- {name: tunnels, to: {type: Hosts, hosts: [{names: [api.example, inside.example, gone.example, trap.example, mcp.example, "**.wild.example", 198.200.0.9, 10.20.0.9], ports: [443, 80, 8080]}]}, action: Allow}
- {name: opaque, to: {type: Hosts, hosts: [{names: [raw.example], ports: [5432]}]}, action: Allow, with: {tls: Opaque}}
- {name: host, to: {type: Hosts, hosts: [{names: [web.example], ports: [8443]}]}, action: Allow}
- {name: plain, to: {type: HTTP, http: [{hosts: [api.example, web.example, gone.example, inside.example, odd.wild.example, refused.wild.example, 198.51.100.7, 198.200.0.9], ports: [80], methods: [GET, POST]}]}, action: Allow}
- {name: broken, to: {type: HTTP, http: [{ports: [8080], paths: ["/broken"]}]}, when: ["int(path) > 1"], action: Allow}
- name: limited-tunnel
  to: {type: Hosts, hosts: [{names: [metered.example]}]}
  action: Allow
  with: {limits: {requestBytes: 1000000}}
`

func key(name string) feedv1.Key { return feedv1.Key{Namespace: "agents", Name: name} }

// feed is the fixture's Gateway, with a listener for each way in.
func feed(t testing.TB) *feedv1.Snapshot {
	t.Helper()
	corp := []feedv1.Key{key("corp")}
	loopback := netip.MustParseAddr("127.0.0.1")
	return &feedv1.Snapshot{
		Revision: "r1",
		Gateways: []feedv1.Gateway{{
			Key: key("egress"), Unmatched: v1alpha1.UnmatchedDeny, Detail: v1alpha1.DetailFull, MinRemain: 2 * time.Second,
			Listeners: []feedv1.Listener{
				{Name: "agents", Protocol: "HTTP", Address: loopback, Port: 8080, TrustDomains: corp},
				{Name: "mtls", Protocol: "HTTPS", Address: loopback, Port: 8444, TrustDomains: corp, Peers: true},
				{Name: "open", Protocol: "HTTP", Address: loopback, Port: 8081},
				{Name: "proxy", Protocol: v1alpha1.ProtocolProxy, Address: loopback, Port: 3128, TrustDomains: corp},
			},
			Egress: feedv1.Egress{
				Hosts: []feedv1.Host{{
					Name: "web.example", Addresses: []netip.Addr{loopback}, Ports: []uint16{8443, 80}, Clusters: []string{"host/web/8443", "host/web/80"},
				}},
				InsideRanges: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")},
				Backends: []feedv1.Backend{{
					Ref: github, Hostname: "mcp.example", Port: 443, Surface: v1alpha1.SurfaceTools, TLS: true, Mode: wire.ModeGuard, Cluster: github,
				}},
			},
		}},
		Policies: []feedv1.Policy{policyOf(t, "p", worldRules)},
	}
}

// policyOf is an enforcing policy on the Gateway.
func policyOf(t testing.TB, name, rules string) feedv1.Policy {
	t.Helper()
	p := feedv1.Policy{
		Key: key(name), Mode: v1alpha1.ModeEnforce,
		Targets: []feedv1.PolicyTarget{{Kind: "Gateway", Key: key("egress")}},
	}
	if err := yaml.UnmarshalStrict([]byte(rules), &p.Rules); err != nil {
		t.Fatal(err)
	}
	for i := range p.Rules {
		for j := range p.Rules[i].To.Tools {
			complete(p.Rules[i].To.Tools[j].Servers)
		}
		for j := range p.Rules[i].To.Models {
			complete(p.Rules[i].To.Models[j].Providers)
		}
	}
	return p
}

func complete(refs []v1alpha1.BackendReference) {
	for i := range refs {
		refs[i].Kind = "XBackend"
	}
}

// worldOf compiles a feed as the guard does.
func worldOf(t testing.TB, epoch uint64, f *feedv1.Snapshot, names Names) *World {
	t.Helper()
	c, err := policy.New(policy.Config{Inspects: true})
	if err != nil {
		t.Fatal(err)
	}
	set := c.Compile(f.Policies)
	for _, p := range set.Problems() {
		if p.Severity == policy.Error {
			t.Fatalf("%s: %s", p.Policy, p.Problem)
		}
	}
	w := &World{State: decide.NewState(epoch, f, set), Egress: map[string]Egress{}}
	for i := range f.Gateways {
		g := &f.Gateways[i]
		plan, warnings := egress.NewPlan(egress.PlanConfig{Egress: g.Egress, Listeners: g.Listeners})
		for _, w := range warnings {
			t.Fatalf("plan: %s", w)
		}
		w.Egress[g.Key.String()] = Egress{Plan: plan, Names: names}
	}
	return w
}

func routeTarget(listener string, s v1alpha1.SurfaceType, backend string) wire.Target {
	return wire.Target{
		Entry: wire.EntryRoute, Gateway: gateway, Listener: listener, Route: "agents/route", Rule: "#0",
		Surface: string(s), Backends: []string{backend},
	}
}

func toolTarget() wire.Target {
	t := routeTarget("agents", v1alpha1.SurfaceTools, github)
	t.BodyBytes = 1000
	return t
}

func modelTarget() wire.Target {
	t := routeTarget("agents", v1alpha1.SurfaceModels, llms)
	t.BodyBytes, t.Provider = 1000, "openai"
	return t
}

func webTarget(listener string) wire.Target {
	return routeTarget(listener, v1alpha1.SurfaceHTTP, web)
}

func proxyTarget() wire.Target {
	return wire.Target{Entry: wire.EntryProxy, Gateway: gateway, Listener: "proxy"}
}

// proxyToolTarget is an XBackend that is reached by its name, through the
// proxy.
func proxyToolTarget() wire.Target {
	t := proxyTarget()
	t.Surface, t.Backends, t.BodyBytes = string(v1alpha1.SurfaceTools), []string{github}, 1000
	return t
}

func innerTarget() wire.Target { return wire.Target{Entry: wire.EntryInner, Surface: "HTTP"} }

func start() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func claims(left time.Duration) *token.Claims {
	return &token.Claims{
		Domain: key("corp"), Audience: "corp.example", Subject: "bob", Txn: "txn-1", Agent: "researcher", Actors: []string{"researcher"},
		IssuedAt: start().Add(-time.Minute), ExpiresAt: start().Add(left), Hash: [32]byte{0xab, 0xcd},
	}
}
