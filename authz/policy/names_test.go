package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// listed is the names of the Gateway of the tests by the rules of a list.
func listed(t testing.TB, rules string, backends ...feedv1.Backend) *Names {
	t.Helper()
	return compileAll(t, policyOf(t, "names", rules)).Names(gatewayTarget().Key, backends)
}

func TestNames(t *testing.T) {
	t.Parallel()
	n := listed(t, `
- {name: hosts, to: {type: Hosts, hosts: [{names: [web.example, "*.one.example", "**.many.example", "api.*.example", "www.*", 192.0.2.1]}]}, action: Allow}
- {name: http, to: {type: HTTP, http: [{hosts: [page.example]}]}, action: Allow}
- {name: ask, to: {type: Hosts, hosts: [{names: [ask.example]}]}, action: Ask}
- {name: shut, to: {type: Hosts, hosts: [{names: [shut.one.example, page.example]}]}, action: Deny}
- {name: shut-port, to: {type: Hosts, hosts: [{names: [port.one.example], ports: [25]}]}, action: Deny}
- {name: shut-some, from: {agents: [{name: x}]}, to: {type: Hosts, hosts: [{names: [some.one.example]}]}, action: Deny}
- {name: near, from: {peers: [{type: Address, address: 10.1.2.0/24}]}, transaction: {type: None}, to: {type: Hosts, hosts: [{names: [near.example]}]}, action: Allow}
- {name: known, from: {peers: [{type: SPIFFE, spiffe: "spiffe://corp/ns/agents/sa/researcher"}]}, to: {type: Hosts, hosts: [{names: [known.example]}]}, action: Allow}
- {name: tools, to: {type: Tools, tools: [{servers: [{name: github, namespace: agents}], names: ["*"]}]}, action: Allow}
`, feedv1.Backend{Ref: github, Hostname: "tools.example", Surface: v1alpha1.SurfaceTools},
		feedv1.Backend{Ref: gitlab, Hostname: "other-tools.example", Surface: v1alpha1.SurfaceTools},
		feedv1.Backend{Ref: github, Hostname: "rejected.example", Surface: v1alpha1.SurfaceTools, Rejected: "why"})
	for _, tc := range []struct {
		name, caller string
		ok           bool
		glob         string
	}{
		{"web.example", "10.9.9.9", true, ""},
		{"evil.example", "10.9.9.9", false, ""},
		{"a.web.example", "10.9.9.9", false, ""},
		{"a.one.example", "10.9.9.9", true, "*.one.example"},
		{"one.example", "10.9.9.9", false, ""},
		{"a.b.one.example", "10.9.9.9", false, ""},
		{"a.b.many.example", "10.9.9.9", true, "**.many.example"},
		{"xmany.example", "10.9.9.9", false, ""},
		{"api.eu.example", "10.9.9.9", true, "api.*.example"},
		{"www.anything", "10.9.9.9", true, "www.*"},
		{"page.example", "10.9.9.9", true, ""},
		{"ask.example", "10.9.9.9", true, ""},
		{"shut.one.example", "10.9.9.9", false, ""},
		{"port.one.example", "10.9.9.9", true, "*.one.example"},
		{"some.one.example", "10.9.9.9", true, "*.one.example"},
		{"near.example", "10.1.2.3", true, ""},
		{"near.example", "10.1.3.3", false, ""},
		{"known.example", "10.1.3.3", true, ""},
		{"tools.example", "10.9.9.9", true, ""},
		{"other-tools.example", "10.9.9.9", false, ""},
		{"rejected.example", "10.9.9.9", false, ""},
	} {
		got, ok := n.Lists(tc.name, netip.MustParseAddr(tc.caller))
		if ok != tc.ok || got.Glob != tc.glob {
			t.Errorf("%s for %s: %t by %q, want %t by %q", tc.name, tc.caller, ok, got.Glob, tc.ok, tc.glob)
		}
	}
}

func TestNamesOfEverything(t *testing.T) {
	t.Parallel()
	n := listed(t, `[{name: all, to: {type: Hosts, hosts: [{names: ["*"]}]}, action: Allow}]`)
	if got, ok := n.Lists("any.example", netip.MustParseAddr("10.0.0.1")); !ok || got.Glob != "*" {
		t.Errorf("listed %t by %q", ok, got.Glob)
	}
}

// TestNamesOfNothing: what opens nothing lists nothing.
func TestNamesOfNothing(t *testing.T) {
	t.Parallel()
	const rules = `[{name: all, to: {type: Hosts, hosts: [{names: ["*"]}]}, action: Allow}]`
	report, rejected, other := policyOf(t, "a", rules), policyOf(t, "b", rules), policyOf(t, "c", rules)
	report.Mode = v1alpha1.ModeReport
	rejected.Rejected = "it is not accepted"
	other.Targets[0].Key.Name = "other"
	for name, list := range map[string][]feedv1.Policy{
		"no policy": nil, "a report": {report}, "one that is rejected": {rejected}, "one beside it": {rejected, policyOf(t, "d", rules)},
		"another Gateway's": {other},
	} {
		n := newCompiler(t).Compile(list).Names(gatewayTarget().Key, nil)
		if l, ok := n.Lists("web.example", netip.MustParseAddr("10.0.0.1")); ok {
			t.Errorf("%s lists it: %+v", name, l)
		}
	}
}

// TestNamesOfListeners: policies of one listener count too, unless they are
// rejected.
func TestNamesOfListeners(t *testing.T) {
	t.Parallel()
	p, q := policyOf(t, "a", `[{name: a, to: {type: Hosts, hosts: [{names: [a.example]}]}, action: Allow}]`), policyOf(t, "b", `[{name: b, to: {type: Hosts, hosts: [{names: [b.example]}]}, action: Allow}]`)
	p.Targets[0].Section, q.Targets[0].Section = "proxy", "other"
	q.Rejected = "it is not accepted"
	n := newCompiler(t).Compile([]feedv1.Policy{p, q}).Names(gatewayTarget().Key, nil)
	_, a := n.Lists("a.example", netip.MustParseAddr("10.0.0.1"))
	if _, b := n.Lists("b.example", netip.MustParseAddr("10.0.0.1")); !a || b {
		t.Errorf("a %t, b %t", a, b)
	}
}

// BenchmarkNames: with many listed names, each is as quick as with one.
func BenchmarkNames(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var list []string
			for i := range n / 2 {
				list = append(list, fmt.Sprintf("n%d.example", i), fmt.Sprintf(`"*.g%d.example"`, i))
			}
			names := listed(b, `[{name: all, to: {type: Hosts, hosts: [{names: [`+strings.Join(list, ", ")+`]}]}, action: Allow}]`)
			caller := netip.MustParseAddr("10.0.0.1")
			b.ReportAllocs()
			for b.Loop() {
				names.Lists("a.g3.example", caller)
				names.Lists("evil.example", caller)
			}
		})
	}
}
