package main

import (
	"fmt"
	"net/netip"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const (
	namespace = "default"
	// audience is that of the built-in TrustDomain, which a hopgate with
	// objects believes too.
	audience = "local"
	agent    = "researcher"
)

// streamMax is what rules bound hops to. It is less than what may go without a
// hold, where holds are off.
const streamMax = "1m"

func gatewayKey() feedv1.Key { return feedv1.Key{Namespace: namespace, Name: "egress"} }

// toolTarget is a route to an MCP server, proxyTarget the proxy's own.
func toolTarget() wire.Target {
	return wire.Target{
		Entry: wire.EntryRoute, Gateway: gatewayKey().String(), Listener: "agents", Route: namespace + "/tools", Rule: "#0",
		Surface: string(v1alpha1.SurfaceTools), Backends: []string{"XBackend/" + namespace + "/github"}, BodyBytes: 1 << 20,
	}
}

func proxyTarget() wire.Target {
	return wire.Target{Entry: wire.EntryProxy, Gateway: gatewayKey().String(), Listener: "proxy"}
}

// feed is what a guard decides by: one Gateway that believes one trust domain,
// and these policies.
func feed(jwks []byte, policies []feedv1.Policy) *feedv1.Snapshot {
	domain := feedv1.Key{Namespace: namespace, Name: "local"}
	address := netip.MustParseAddr("127.0.0.1")
	return &feedv1.Snapshot{
		Revision: "bench",
		Gateways: []feedv1.Gateway{{
			Key: gatewayKey(), Unmatched: v1alpha1.UnmatchedDeny, Detail: v1alpha1.DetailFull,
			Listeners: []feedv1.Listener{
				{Name: "agents", Protocol: "HTTP", Address: address, Port: 8080, TrustDomains: []feedv1.Key{domain}},
				{Name: "proxy", Protocol: "hopgate.dev/Proxy", Address: address, Port: 3128, TrustDomains: []feedv1.Key{domain}},
			},
			MinRemain: 2 * time.Second, Unleashed: 5 * time.Minute, FeedMaxAge: time.Hour, OnStale: "Report",
		}},
		TrustDomains: []feedv1.TrustDomain{trustDomain(domain, jwks)},
		Policies:     policies,
	}
}

func trustDomain(key feedv1.Key, jwks []byte) feedv1.TrustDomain {
	return feedv1.TrustDomain{
		Key: key, Audience: audience, Algorithms: []string{"EdDSA", "ES256"},
		MaxLifetime: time.Hour, MaxTxn: 2 * time.Hour, Leeway: 5 * time.Second,
		Binding: v1alpha1.BindingNone, AgentProfile: v1alpha1.AgentProfileActor, KeySet: feedv1.KeySet{JWKS: jwks},
	}
}

// rulesInPolicy is the most that a policy may have.
const rulesInPolicy = 256

// policiesOf are n rules in as many policies as they need.
func policiesOf(n int, rule func(i int) v1alpha1.AccessRule) []feedv1.Policy {
	var out []feedv1.Policy
	for i := range n {
		if i%rulesInPolicy == 0 {
			out = append(out, feedv1.Policy{
				Key:     feedv1.Key{Namespace: namespace, Name: fmt.Sprintf("p%03d", len(out))},
				Targets: []feedv1.PolicyTarget{{Kind: "Gateway", Key: gatewayKey()}}, Mode: v1alpha1.ModeEnforce,
			})
		}
		last := &out[len(out)-1]
		last.Rules = append(last.Rules, rule(i))
	}
	return out
}

func toolName(i int) string { return fmt.Sprintf("search_%d", i) }

// toolRule lets the agent call one tool, with bounds on its arguments.
func toolRule(i int) v1alpha1.AccessRule {
	minimum, maximum, most := int64(1), int64(100), gatewayv1.Duration(streamMax)
	return v1alpha1.AccessRule{
		Name: fmt.Sprintf("r%d", i), Action: v1alpha1.ActionAllow,
		From: &v1alpha1.RuleFrom{Agents: []v1alpha1.AgentMatch{{Name: agent}}},
		To: v1alpha1.RuleTo{Type: v1alpha1.SurfaceTools, Tools: []v1alpha1.ToolMatch{{
			Servers: []v1alpha1.BackendReference{{Kind: "XBackend", Name: "github"}}, Names: []string{toolName(i)},
			Arguments: []v1alpha1.ArgumentMatch{
				{Name: "repo", Type: v1alpha1.ArgumentGlob, Values: []string{"acme/*"}},
				{Name: "limit", Type: v1alpha1.ArgumentRange, Minimum: &minimum, Maximum: &maximum},
			},
			OtherArguments: v1alpha1.OtherArgumentsAllow,
		}}},
		With: &v1alpha1.RuleDuties{Stream: &v1alpha1.StreamDuty{Max: &most}},
	}
}

// conditionRule is toolRule with a condition in CEL.
func conditionRule(i int) v1alpha1.AccessRule {
	r := toolRule(i)
	r.When = []string{"size(args.query) < 500 && args.limit <= 100"}
	return r
}

// hostRule opens the names below one.
func hostRule(i int) v1alpha1.AccessRule {
	return v1alpha1.AccessRule{
		Name: fmt.Sprintf("r%d", i), Action: v1alpha1.ActionAllow,
		To: v1alpha1.RuleTo{Type: v1alpha1.SurfaceHosts, Hosts: []v1alpha1.HostMatch{{Names: []string{fmt.Sprintf("*.site-%d.example", i)}}}},
	}
}
