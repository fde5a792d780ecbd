package policy

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// TestNamesTold: all names that a caller is answered are told, with the rule that
// lists each.
func TestNamesTold(t *testing.T) {
	t.Parallel()
	n := listed(t, `
- {name: hosts, to: {type: Hosts, hosts: [{names: [web.example, "*.one.example", "www.*"]}]}, action: Allow}
- {name: again, to: {type: HTTP, http: [{hosts: [web.example, page.example]}]}, action: Allow}
- {name: shut, to: {type: Hosts, hosts: [{names: [web.example, page.example]}]}, action: Deny}
- {name: shut-pages, to: {type: HTTP, http: [{hosts: [page.example]}]}, action: Deny}
- {name: near, from: {peers: [{type: Address, address: 10.1.2.0/24}]}, transaction: {type: None}, to: {type: Hosts, hosts: [{names: [near.example, "*.near.example"]}]}, action: Allow}
`)
	for caller, want := range map[string][]string{
		"10.9.9.9": {"*.one.example", "web.example", "www.*"},
		"10.1.2.3": {"*.near.example", "*.one.example", "near.example", "web.example", "www.*"},
	} {
		got := n.Listed(netip.MustParseAddr(caller))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("for %s (-want +got):\n%s", caller, diff)
		}
		for _, name := range got {
			if _, ok := n.Lists(name, netip.MustParseAddr(caller)); !ok && name[0] != '*' && name != "www.*" {
				t.Errorf("%s is told to %s, and not listed", name, caller)
			}
		}
	}
	for name, rule := range map[string]string{"web.example": "again", "a.one.example": "hosts", "www.x": "hosts", "near.example": "near"} {
		if l, ok := n.Lists(name, netip.MustParseAddr("10.1.2.3")); !ok || l.Rule != rule || l.Policy.Name != "names" {
			t.Errorf("%s is listed by %s/%s, want %s", name, l.Policy, l.Rule, rule)
		}
	}
	for name, rule := range map[string]string{"web.example": "shut", "page.example": "shut", "a.one.example": ""} {
		if _, got, shut := n.Shut(name); got != rule || shut != (rule != "") {
			t.Errorf("%s is shut by %q, want %q", name, got, rule)
		}
	}
	if p, why, rejected := n.Rejected(); rejected {
		t.Errorf("rejected: %s, %s", p, why)
	}
}

// TestNamesToldOfARejectedPolicy says which policy closes all.
func TestNamesToldOfARejectedPolicy(t *testing.T) {
	t.Parallel()
	p := policyOf(t, "broken", `[{name: all, to: {type: Hosts, hosts: [{names: ["*"]}]}, action: Allow}]`)
	p.Rejected = "its selector is broken"
	n := compileAll(t, p).Names(gatewayTarget().Key, []feedv1.Backend{})
	if got, why, rejected := n.Rejected(); !rejected || got.Name != "broken" || why != "its selector is broken" {
		t.Errorf("%s, %q, %t", got, why, rejected)
	}
	if l := n.Listed(netip.MustParseAddr("10.0.0.1")); len(l) > 0 {
		t.Errorf("listed %q", l)
	}
}
