package guard

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// told is a change in a form that compares: what it concerns, sorted.
func told(c *change) []string {
	var out []string
	add := func(is bool, what string) {
		if is {
			out = append(out, what)
		}
	}
	add(c.all, "all")
	add(c.unrouted, "unrouted")
	for name, m := range map[string]map[string]bool{"gateway ": c.gateways, "route ": c.routes, "backend ": c.backends} {
		for k := range m {
			add(true, name+k)
		}
	}
	for k := range c.domains {
		add(true, "domain "+k.String())
	}
	for k := range c.cutOff {
		add(true, "key "+k.Domain+" "+k.Value)
	}
	slices.Sort(out)
	return out
}

// basisOf is that of a feed of two Gateways with one of everything, changed.
func basisOf(t *testing.T, change func(*basis)) *basis {
	t.Helper()
	b := &basis{local: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, feed: snapshot("1", gateway("one", v1alpha1.UnmatchedAllow), gateway("two", v1alpha1.UnmatchedAllow))}
	b.feed.TrustDomains = []feedv1.TrustDomain{{Key: key("corp"), Audience: "corp"}, {Key: key("lab"), Audience: "lab"}}
	b.feed.Policies = []feedv1.Policy{{Key: key("p"), Mode: v1alpha1.ModeEnforce, Targets: []feedv1.PolicyTarget{{Kind: "Gateway", Key: key("one")}}}}
	b.feed.Credentials = []feedv1.Credential{{Key: key("c"), Backend: "Service/agents/x"}, {Key: key("d"), Backend: "Service/agents/x"}}
	b.feed.Quarantines = []feedv1.Quarantine{{
		Name: "q", Type: v1alpha1.QuarantineAgent, Domain: key("corp"), Value: "coder", Until: time.Unix(1<<40, 0), Except: []feedv1.Place{{Host: "a.example"}},
	}}
	change(b)
	if b.orders == nil {
		var err error
		if b.orders, err = quarantines(b.feed); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestSince(t *testing.T) {
	t.Parallel()
	policy := func(targets ...feedv1.PolicyTarget) feedv1.Policy {
		return feedv1.Policy{Key: key("p"), Mode: v1alpha1.ModeEnforce, Targets: targets}
	}
	for _, tt := range []struct {
		name   string
		change func(b *basis)
		want   []string
	}{
		{"nothing", func(*basis) {}, nil},
		{"its revision, and names that Envoy resolves", func(b *basis) { b.feed.Revision, b.feed.Names = "2", []string{"x"} }, nil},
		{"a Gateway", func(b *basis) { b.feed.Gateways[0].Unmatched = v1alpha1.UnmatchedDeny }, []string{"gateway agents/one"}},
		{"a Gateway's destinations", func(b *basis) { b.feed.Gateways[1].Egress.Hosts[0].Ports[0] = 1 }, []string{"gateway agents/two"}},
		{"a Gateway that goes", func(b *basis) { b.feed.Gateways = b.feed.Gateways[:1] }, []string{"gateway agents/two", "unrouted"}},
		{"a Gateway that comes", func(b *basis) { b.feed.Gateways = append(b.feed.Gateways, gateway("three", "")) }, []string{"gateway agents/three", "unrouted"}},
		{"a listener", func(b *basis) { b.feed.Gateways[0].Listeners[0].Port = 1 }, []string{"gateway agents/one", "unrouted"}},
		{"an address of this machine", func(b *basis) { b.local = nil }, []string{"unrouted"}},
		{"a trust domain", func(b *basis) { b.feed.TrustDomains[0].Leeway = time.Second }, []string{"domain agents/corp"}},
		{"a trust domain that goes", func(b *basis) { b.feed.TrustDomains = b.feed.TrustDomains[:1] }, []string{"domain agents/lab"}},
		{"a policy's mode", func(b *basis) { b.feed.Policies[0].Mode = v1alpha1.ModeReport }, []string{"gateway agents/one"}},
		{"a policy that goes", func(b *basis) { b.feed.Policies = nil }, []string{"gateway agents/one"}},
		{"a policy that guards another thing", func(b *basis) {
			b.feed.Policies[0] = policy(feedv1.PolicyTarget{Kind: "HTTPRoute", Key: key("r"), Section: "#1"})
		}, []string{"gateway agents/one", "route agents/r"}},
		{"a policy that guards more", func(b *basis) {
			b.feed.Policies[0] = policy(feedv1.PolicyTarget{Kind: "XBackend", Key: key("y")}, feedv1.PolicyTarget{Kind: "Service", Key: key("x")}, feedv1.PolicyTarget{Kind: "Gateway", Key: key("one")})
		}, []string{"backend Service/agents/x", "backend XBackend/agents/y", "gateway agents/one"}},
		{"a policy of something odd", func(b *basis) { b.feed.Policies[0] = policy(feedv1.PolicyTarget{Kind: "Pod", Key: key("r")}) }, []string{"all", "gateway agents/one"}},
		{"a credential", func(b *basis) { b.feed.Credentials[0].Header = "x" }, []string{"backend Service/agents/x"}},
		{"a credential that moves", func(b *basis) { b.feed.Credentials[0].Backend = "XBackend/agents/y" }, []string{"backend Service/agents/x", "backend XBackend/agents/y"}},
		{"the order of credentials", func(b *basis) { slices.Reverse(b.feed.Credentials) }, []string{"backend Service/agents/x"}},
		{"a quarantine that goes", func(b *basis) { b.feed.Quarantines = nil }, []string{"key agents/corp coder"}},
		{"a quarantine with fewer places that stay open", func(b *basis) { b.feed.Quarantines[0].Except = nil }, []string{"key agents/corp coder"}},
		{"a quarantine of a peer", func(b *basis) {
			b.feed.Quarantines = append(b.feed.Quarantines, feedv1.Quarantine{Name: "r", Type: v1alpha1.QuarantinePeer, Value: bad, Until: time.Unix(1<<40, 0)})
		}, []string{"key  " + bad}},
		{"an order of something odd", func(b *basis) { b.orders = []contain.Order{{ID: "q", Kind: "pod"}} }, []string{"all", "key agents/corp coder"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := basisOf(t, func(*basis) {})
			if diff := cmp.Diff(tt.want, told(basisOf(t, tt.change).since(before))); diff != "" {
				t.Errorf("the change concerns other things (-want +got):\n%s", diff)
			}
		})
	}
	if c := basisOf(t, func(*basis) {}).since(nil); !c.all {
		t.Error("the first feed does not concern all")
	}
}

// TestEveryPartOfAFeedCounts: one that nobody has thought of here concerns all.
func TestEveryPartOfAFeedCounts(t *testing.T) {
	t.Parallel()
	passedOver := map[string]bool{"Revision": true, "Names": true, "Quarantines": true} // the last by way of the orders
	before := &basis{feed: &feedv1.Snapshot{}}
	for i, f := range reflect.VisibleFields(reflect.TypeFor[feedv1.Snapshot]()) {
		after := &basis{feed: &feedv1.Snapshot{}}
		v := reflect.ValueOf(after.feed).Elem().Field(i)
		switch v.Kind() {
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		case reflect.String:
			v.SetString("x")
		default:
			t.Fatalf("this test does not know how to fill in %s", f.Name)
		}
		if f.Name == "Policies" {
			after.feed.Policies[0].Targets = []feedv1.PolicyTarget{{Kind: "Gateway"}}
		}
		if got := len(told(after.since(before))) > 0; got == passedOver[f.Name] {
			t.Errorf("%s: the change concerns something: %t", f.Name, got)
		}
	}
}

// TestChangesAdd: two that are followed at once are both followed.
func TestChangesAdd(t *testing.T) {
	t.Parallel()
	before := basisOf(t, func(*basis) {})
	a := basisOf(t, func(b *basis) { b.feed.Gateways[0].Unmatched, b.local = v1alpha1.UnmatchedDeny, nil }).since(before)
	b := basisOf(t, func(b *basis) { b.feed.TrustDomains, b.feed.Credentials = nil, nil }).since(before)
	c := newChange()
	c.add(a)
	c.add(b)
	want := append(told(a), told(b)...)
	slices.Sort(want)
	if diff := cmp.Diff(want, told(c)); diff != "" {
		t.Errorf("together they concern other things (-want +got):\n%s", diff)
	}
	if !c.concerns(&leash.Hop{Subject: "not ours"}) {
		t.Error("a hop of which nothing is known is passed over")
	}
	if all := (&change{all: true}); !all.concerns(&leash.Hop{Subject: &check.Held{}}) {
		t.Error("a change of all passes a hop over")
	}
}

func TestWithdrawn(t *testing.T) {
	t.Parallel()
	was := map[feedv1.Key]uint64{key("same"): 1, key("grown"): 1, key("gone"): 0}
	is := map[feedv1.Key]uint64{key("same"): 1, key("grown"): 2, key("new"): 0}
	want := map[feedv1.Key]bool{key("grown"): true, key("gone"): true, key("new"): true}
	if diff := cmp.Diff(want, withdrawn(was, is)); diff != "" {
		t.Errorf("trust domains (-want +got):\n%s", diff)
	}
}
