package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// scaled is a way to write a rule for one number, and the hop for it.
type scaled struct {
	name   string
	target wire.Target
	to     func(i int) v1alpha1.RuleTo
	from   func(i int) *v1alpha1.RuleFrom
	ask    func(t *testing.T, i int) *Question
}

func hostsTo(name string) v1alpha1.RuleTo {
	return v1alpha1.RuleTo{Type: v1alpha1.SurfaceHosts, Hosts: []v1alpha1.HostMatch{{Names: []string{"unused.test", name}}}}
}

func toolsTo(names ...string) v1alpha1.RuleTo {
	return v1alpha1.RuleTo{Type: v1alpha1.SurfaceTools, Tools: []v1alpha1.ToolMatch{{Names: names}}}
}

func atScale() []scaled {
	host := func(format string) func(*testing.T, int) *Question {
		return func(_ *testing.T, i int) *Question { return connect(fmt.Sprintf(format, i), 443) }
	}
	address := func(i int) string { return fmt.Sprintf("198.18.%d.%d", i/256, i%256) }
	tool := func(format string) func(*testing.T, int) *Question {
		return func(t *testing.T, i int) *Question { return call(t, fmt.Sprintf(format, i), "{}") }
	}
	search := func(change func(*Question, int)) func(*testing.T, int) *Question {
		return func(t *testing.T, i int) *Question {
			q := call(t, "search", "{}")
			change(q, i)
			return q
		}
	}
	return []scaled{
		{name: "exact hosts", target: proxyTarget(), to: func(i int) v1alpha1.RuleTo { return hostsTo(fmt.Sprintf("h%d.test", i)) }, ask: host("h%d.test")},
		{name: "labels below", target: proxyTarget(), to: func(i int) v1alpha1.RuleTo { return hostsTo(fmt.Sprintf("*.h%d.test", i)) }, ask: host("a.h%d.test")},
		{name: "any depth", target: proxyTarget(), to: func(i int) v1alpha1.RuleTo { return hostsTo(fmt.Sprintf("**.h%d.test", i)) }, ask: host("a.b.h%d.test")},
		{
			name: "addresses", target: proxyTarget(), to: func(i int) v1alpha1.RuleTo { return hostsTo(address(i)) },
			ask: func(_ *testing.T, i int) *Question { return connect(address(i), 443) },
		},
		{
			name: "ranges", target: proxyTarget(), to: func(i int) v1alpha1.RuleTo { return hostsTo(fmt.Sprintf("2001:db8:%x::/48", i)) },
			ask: func(_ *testing.T, i int) *Question { return connect(fmt.Sprintf("[2001:db8:%x::1]", i), 443) },
		},
		{name: "paths of one host", target: proxyTarget(), to: func(i int) v1alpha1.RuleTo {
			return v1alpha1.RuleTo{Type: v1alpha1.SurfaceHTTP, HTTP: []v1alpha1.HTTPMatch{{Hosts: []string{"a.test"}, Paths: []string{fmt.Sprintf("/p%d/**", i)}}}}
		}, ask: func(_ *testing.T, i int) *Question { return request("GET", "a.test", 80, fmt.Sprintf("/p%d/x/y", i)) }},
		{name: "paths of any host", target: proxyTarget(), to: func(i int) v1alpha1.RuleTo {
			return v1alpha1.RuleTo{Type: v1alpha1.SurfaceHTTP, HTTP: []v1alpha1.HTTPMatch{{Paths: []string{fmt.Sprintf("/p%d", i)}}}}
		}, ask: func(_ *testing.T, i int) *Question { return request("GET", "a.test", 80, fmt.Sprintf("/p%d", i)) }},
		{name: "models", target: toolTarget(models), to: func(i int) v1alpha1.RuleTo {
			return v1alpha1.RuleTo{Type: v1alpha1.SurfaceModels, Models: []v1alpha1.ModelMatch{{
				Providers: []v1alpha1.BackendReference{{Kind: "XBackend", Name: "llm"}}, Names: []string{fmt.Sprintf("m%d", i)},
			}}}
		}, ask: func(_ *testing.T, i int) *Question { return chat(fmt.Sprintf("m%d", i), 1) }},
		{name: "suffixes", target: toolTarget(), to: func(i int) v1alpha1.RuleTo { return toolsTo(fmt.Sprintf("*_t%d", i)) }, ask: tool("delete_t%d")},
		{name: "heads and tails", target: toolTarget(), to: func(i int) v1alpha1.RuleTo { return toolsTo(fmt.Sprintf("t%d_*_a_long_end", i)) }, ask: tool("t%d_x_a_long_end")},
		{name: "tails and heads", target: toolTarget(), to: func(i int) v1alpha1.RuleTo { return toolsTo(fmt.Sprintf("a_long_head_*_t%d", i)) }, ask: tool("a_long_head_x_t%d")},
		{name: "many names", target: toolTarget(), to: func(i int) v1alpha1.RuleTo {
			names := []string{fmt.Sprintf("t%d", i)}
			for j := range 20 {
				names = append(names, fmt.Sprintf("other%d", j))
			}
			return toolsTo(names...)
		}, ask: tool("t%d")},
		{
			name: "subjects", target: toolTarget(), to: func(int) v1alpha1.RuleTo { return toolsTo("search") },
			from: func(i int) *v1alpha1.RuleFrom { return &v1alpha1.RuleFrom{Subjects: []string{fmt.Sprintf("s%d", i)}} },
			ask:  search(func(q *Question, i int) { q.Claims.Subject = fmt.Sprintf("s%d", i) }),
		},
		{
			name: "agents by glob", target: toolTarget(), to: func(int) v1alpha1.RuleTo { return toolsTo("search") },
			from: func(i int) *v1alpha1.RuleFrom {
				return &v1alpha1.RuleFrom{Agents: []v1alpha1.AgentMatch{{Name: fmt.Sprintf("a%d-*", i)}}}
			},
			ask: search(func(q *Question, i int) { q.Claims.Agent = fmt.Sprintf("a%d-x", i) }),
		},
		{
			name: "service accounts", target: toolTarget(), to: func(int) v1alpha1.RuleTo { return toolsTo("search") },
			from: func(i int) *v1alpha1.RuleFrom {
				return &v1alpha1.RuleFrom{Peers: []v1alpha1.PeerMatch{{
					Type: v1alpha1.PeerServiceAccount, ServiceAccount: &v1alpha1.ServiceAccountMatch{Name: fmt.Sprintf("w%d", i)},
				}}}
			},
			ask: search(func(q *Question, i int) { q.Peer = fmt.Sprintf("spiffe://corp/ns/agents/sa/w%d", i) }),
		},
	}
}

// With many rules, each hop is allowed by its own and by no other, few are
// looked at, and the same is said by looking at all.
func TestIndexAtScale(t *testing.T) {
	t.Parallel()
	const n = 600
	for _, tt := range atScale() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := feedv1.Policy{Key: feedv1.Key{Namespace: "agents", Name: "p"}, Targets: []feedv1.PolicyTarget{gatewayTarget()}}
			for i := range n {
				r := v1alpha1.AccessRule{Name: fmt.Sprintf("r%d", i), Action: v1alpha1.ActionAllow, To: tt.to(i)}
				if tt.from != nil {
					r.From = tt.from(i)
				}
				p.Rules = append(p.Rules, r)
			}
			s := compileAll(t, p)
			level := &s.Levels(tt.target).list[0]
			for _, i := range []int{0, 1, 9, 10, 77, 599} {
				q := tt.ask(t, i)
				if o := decideAll(t, s, tt.target, q); o.Effect != Allow || o.Rule != fmt.Sprintf("r%d", i) {
					t.Errorf("%d: %v %v by %q", i, o.Effect, o.Code, o.Rule)
				}
				if found := level.collect(q, true, nil); len(found) > 2*leafSize {
					t.Errorf("%d: %d candidates", i, len(found))
				}
			}
			if o := decideAll(t, s, tt.target, tt.ask(t, n+5)); o.Effect != Deny {
				t.Errorf("one that no rule names: %v by %q", o.Effect, o.Rule)
			}
		})
	}
}

// Problems come sorted, whatever the order of policies.
func TestProblemsAreSorted(t *testing.T) {
	t.Parallel()
	const bad = "[{name: r, action: Permit, to: {type: Tools, tools: [{names: ['***'], methods: [x/y]}]}}]"
	list := []feedv1.Policy{policyOf(t, "b", bad), policyOf(t, "a", bad), policyOf(t, "c", "[]")}
	var first []string
	for range 2 {
		var got []string
		for _, p := range newCompiler(t).Compile(list).Problems() {
			got = append(got, p.Policy.Name+" "+p.Field)
		}
		if !slices.IsSorted(got) || len(got) != 6 {
			t.Errorf("got %v", strings.Join(got, ", "))
		}
		if first != nil && !slices.Equal(first, got) {
			t.Errorf("%v and then %v", first, got)
		}
		first = got
		slices.Reverse(list)
	}
}
