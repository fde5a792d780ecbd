package decide

import (
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const (
	peer   = "spiffe://corp/ns/agents/sa/researcher"
	github = "XBackend/agents/github"
)

func now() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func key(name string) feedv1.Key { return feedv1.Key{Namespace: "agents", Name: name} }

// feed is one Gateway with a listener that believes a trust domain, and one
// that believes none.
func feed(t testing.TB, rules string) *feedv1.Snapshot {
	t.Helper()
	f := &feedv1.Snapshot{
		Revision: "r1",
		Gateways: []feedv1.Gateway{{
			Key: key("egress"), Unmatched: v1alpha1.UnmatchedDeny,
			Listeners: []feedv1.Listener{
				{Name: "agents", Port: 8080, TrustDomains: []feedv1.Key{key("corp")}},
				{Name: "open", Port: 8081},
			},
		}},
	}
	if rules == "" {
		return f
	}
	p := feedv1.Policy{
		Key: key("p"), Mode: v1alpha1.ModeEnforce,
		Targets: []feedv1.PolicyTarget{{Kind: "Gateway", Key: key("egress")}},
	}
	if err := yaml.UnmarshalStrict([]byte(rules), &p.Rules); err != nil {
		t.Fatal(err)
	}
	f.Policies = append(f.Policies, p)
	return f
}

func state(t testing.TB, f *feedv1.Snapshot) *State {
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
	return NewState(1, f, set)
}

func target(listener string, backends ...string) wire.Target {
	return wire.Target{Entry: wire.EntryRoute, Gateway: "agents/egress", Listener: listener, Route: "agents/r", Surface: "HTTP", Backends: backends}
}

// claims are of a token that lives for left, without leeway.
func claims(left time.Duration) *token.Claims {
	return &token.Claims{
		Domain: key("corp"), Subject: "bob", Agent: "researcher", Actors: []string{"researcher"}, Txn: "t-1",
		IssuedAt: now().Add(-time.Minute), ExpiresAt: now().Add(left),
	}
}

// get is a GET of a path, on a listener of the feed's Gateway.
func get(t testing.TB, f *feedv1.Snapshot, listener, path string) *Hop {
	t.Helper()
	h := &Hop{Target: state(t, f).Resolve(target(listener, "XBackend/agents/web"))}
	if h.Target == nil {
		t.Fatalf("no listener %s", listener)
	}
	h.Action = surface.Action{Kind: v1alpha1.SurfaceHTTP, Method: "GET", Host: "web.example", Port: 8080, Path: path, OnRoute: true}
	return h
}
