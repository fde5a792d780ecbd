package policy

import (
	"fmt"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// workload is n rules of one kind, and a hop that only the last one allows.
type workload struct {
	name   string
	rule   func(i int) v1alpha1.AccessRule
	ask    func(t testing.TB, n int) *Question
	target wire.Target
}

func toolRule(i int, m v1alpha1.ToolMatch) v1alpha1.AccessRule {
	m.Servers = []v1alpha1.BackendReference{{Kind: "XBackend", Name: "github"}}
	return v1alpha1.AccessRule{
		Name: fmt.Sprintf("r%d", i), Action: v1alpha1.ActionAllow,
		From: &v1alpha1.RuleFrom{Agents: []v1alpha1.AgentMatch{{Name: "researcher"}}},
		To:   v1alpha1.RuleTo{Type: v1alpha1.SurfaceTools, Tools: []v1alpha1.ToolMatch{m}},
	}
}

func hostRule(i int, name string) v1alpha1.AccessRule {
	return v1alpha1.AccessRule{
		Name: fmt.Sprintf("r%d", i), Action: v1alpha1.ActionAllow,
		To: v1alpha1.RuleTo{Type: v1alpha1.SurfaceHosts, Hosts: []v1alpha1.HostMatch{{Names: []string{name}}}},
	}
}

func workloads() []workload {
	args := `{"repo":"acme/widgets","limit":50,"query":"needle"}`
	return []workload{
		{
			name:   "tools",
			target: toolTarget(),
			rule: func(i int) v1alpha1.AccessRule {
				return toolRule(i, v1alpha1.ToolMatch{Names: []string{fmt.Sprintf("tool_%d", i)}})
			},
			ask: func(t testing.TB, n int) *Question { return call(t, fmt.Sprintf("tool_%d", n-1), args) },
		},
		{
			name:   "agents",
			target: toolTarget(),
			rule: func(i int) v1alpha1.AccessRule {
				r := toolRule(i, v1alpha1.ToolMatch{Names: []string{"search"}})
				r.From.Agents[0].Name = fmt.Sprintf("agent-%d", i)
				return r
			},
			ask: func(t testing.TB, n int) *Question {
				q := call(t, "search", args)
				q.Claims.Agent = fmt.Sprintf("agent-%d", n-1)
				return q
			},
		},
		{
			name:   "globs",
			target: toolTarget(),
			rule: func(i int) v1alpha1.AccessRule {
				return toolRule(i, v1alpha1.ToolMatch{Names: []string{fmt.Sprintf("tool_%d_*", i)}})
			},
			ask: func(t testing.TB, n int) *Question { return call(t, fmt.Sprintf("tool_%d_x", n-1), args) },
		},
		{
			name:   "hosts",
			target: proxyTarget(),
			rule: func(i int) v1alpha1.AccessRule {
				return hostRule(i, fmt.Sprintf("*.site-%d.example", i))
			},
			ask: func(_ testing.TB, n int) *Question { return connect(fmt.Sprintf("www.site-%d.example", n-1), 443) },
		},
	}
}

const benchCondition = "size(args.query) < 500 && args.limit <= 100"

// load builds n rules; a policy holds 256 at most, as in the CRD.
func (w workload) load(t testing.TB, n int, when string) []feedv1.Policy {
	t.Helper()
	var out []feedv1.Policy
	for i := range n {
		if i%256 == 0 {
			out = append(out, policyOf(t, fmt.Sprintf("p%d", i/256), ""))
		}
		r := w.rule(i)
		if when != "" {
			r.When = []string{when}
		}
		last := &out[len(out)-1]
		last.Rules = append(last.Rules, r)
	}
	return out
}

func BenchmarkDecide(b *testing.B) {
	for _, w := range workloads() {
		for _, when := range []string{"", benchCondition} {
			kind := "plain"
			if when != "" {
				if w.name == "hosts" {
					continue
				}
				kind = "cel"
			}
			for _, n := range []int{10, 100, 1000, 10000} {
				b.Run(fmt.Sprintf("%s/%s/%d", w.name, kind, n), func(b *testing.B) {
					levels := compileAll(b, w.load(b, n, when)...).Levels(w.target)
					q := w.ask(b, n)
					if o := levels.Decide(q, nil); o.Effect != Allow {
						b.Fatalf("got %v %v", o.Effect, o.Code)
					}
					b.ReportAllocs()
					for b.Loop() {
						levels.Decide(q, nil)
					}
				})
			}
		}
	}
}

// BenchmarkMiss is a hop that no rule allows, with and without a token.
func BenchmarkMiss(b *testing.B) {
	for _, w := range workloads() {
		for _, who := range []string{"token", "no-token"} {
			b.Run(w.name+"/"+who, func(b *testing.B) {
				const n = 10000
				levels := compileAll(b, w.load(b, n, "")...).Levels(w.target)
				q := w.ask(b, n+1)
				if who == "no-token" {
					q.Claims = nil
				}
				b.ReportAllocs()
				for b.Loop() {
					levels.Decide(q, nil)
				}
			})
		}
	}
}

// BenchmarkBase is tools/list under many rules for the same server.
func BenchmarkBase(b *testing.B) {
	for _, w := range workloads()[:2] {
		b.Run(w.name, func(b *testing.B) {
			const n = 10000
			levels := compileAll(b, w.load(b, n, "")...).Levels(w.target)
			q := w.ask(b, n)
			q.Action.Method, q.Action.Name, q.Action.Base = "tools/list", "", true
			if o := levels.Decide(q, nil); o.Effect != Allow {
				b.Fatalf("got %v %v", o.Effect, o.Code)
			}
			b.ReportAllocs()
			for b.Loop() {
				levels.Decide(q, nil)
			}
		})
	}
}

// BenchmarkCompile is a feed of n rules, with nothing remembered and then with
// one rule changed.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		policies := workloads()[0].load(b, n, "")
		for i := range policies {
			for j := range policies[i].Rules {
				policies[i].Rules[j].When = []string{fmt.Sprintf("args.limit <= %d", i*256+j)}
			}
		}
		b.Run(fmt.Sprintf("cold/%d", n), func(b *testing.B) {
			for b.Loop() {
				newCompiler(b).Compile(policies)
			}
		})
		b.Run(fmt.Sprintf("one-changed/%d", n), func(b *testing.B) {
			c := newCompiler(b)
			c.Compile(policies)
			for i := 0; b.Loop(); i++ {
				policies[0].Rules[0].When = []string{fmt.Sprintf("args.limit <= %d", -i)}
				c.Compile(policies)
			}
		})
	}
}
