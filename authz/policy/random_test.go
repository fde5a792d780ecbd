package policy

import (
	"fmt"
	"math/rand/v2"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// random makes policies and hops of a small world, in which most things meet.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

// pick is one of list.
func pick[T any](r random, list ...T) T { return list[r.IntN(len(list))] }

// some is a few of list, or nil.
func (r random) some(list ...string) []string {
	var out []string
	for _, s := range list {
		if r.IntN(len(list)+1) == 0 {
			out = append(out, s)
		}
	}
	return out
}

func (r random) maybe(n int) bool { return r.IntN(n) == 0 }

func (r random) policies() []feedv1.Policy {
	var out []feedv1.Policy
	for i := range 1 + r.IntN(4) {
		out = append(out, r.policy(i))
	}
	return out
}

func (r random) policy(i int) feedv1.Policy {
	p := feedv1.Policy{
		Key:  feedv1.Key{Namespace: "agents", Name: fmt.Sprintf("p%d", i)},
		Mode: pick(r, v1alpha1.ModeEnforce, v1alpha1.ModeEnforce, v1alpha1.ModeEnforce, v1alpha1.ModeReport),
	}
	for range 1 + r.IntN(2) {
		p.Targets = append(p.Targets, r.attachment())
	}
	n := r.IntN(14)
	if r.maybe(10) {
		// Enough for the index to have branches below branches.
		n = 120
	}
	for j := range n {
		p.Rules = append(p.Rules, r.rule(j))
	}
	if r.maybe(30) {
		p.Rejected = "by chance"
	}
	return p
}

func (r random) attachment() feedv1.PolicyTarget {
	t := pick(r, gatewayTarget(), gatewayTarget(), routeTarget(), backendTarget("github"), backendTarget("gitlab"))
	if t.Kind == "Gateway" && r.maybe(4) {
		t.Section = pick(r, "agents", "proxy")
	}
	return t
}

func (r random) rule(i int) v1alpha1.AccessRule {
	rule := v1alpha1.AccessRule{
		Name:   fmt.Sprintf("r%d", i),
		Action: pick(r, v1alpha1.ActionAllow, v1alpha1.ActionAllow, v1alpha1.ActionAllow, v1alpha1.ActionDeny, v1alpha1.ActionAsk),
		To:     r.to(),
	}
	if r.maybe(2) {
		rule.From = r.from()
	}
	if r.maybe(4) {
		rule.Transaction = r.transaction()
	}
	if rule.To.Type == v1alpha1.SurfaceTools {
		rule.When = r.some("args.a == 1", "has(args.b)", "args.b.startsWith('x')", "agent == 'x'", "'s1' in scopes", "args.a in [1, 2]")
	}
	if rule.Action == v1alpha1.ActionAllow && r.maybe(4) {
		rule.With = r.duties(rule.To.Type)
	}
	return rule
}

func (r random) from() *v1alpha1.RuleFrom {
	f := &v1alpha1.RuleFrom{Subjects: r.some("bob", "al*")}
	for _, name := range r.some("x", "y", "x*", "*") {
		f.Agents = append(f.Agents, v1alpha1.AgentMatch{Name: name})
	}
	for _, id := range r.some(alice, "spiffe://corp/ns/*/sa/researcher", "spiffe://corp/**") {
		f.Peers = append(f.Peers, v1alpha1.PeerMatch{Type: v1alpha1.PeerSPIFFE, SPIFFE: id})
	}
	if a := pick(r, "10.1.2.3", "10.1.0.0/16"); len(f.Peers) > 0 && r.maybe(2) {
		f.Peers = append(f.Peers, v1alpha1.PeerMatch{Type: v1alpha1.PeerAddress, Address: a})
	}
	return f
}

func (r random) transaction() *v1alpha1.RuleTransaction {
	x := &v1alpha1.RuleTransaction{TrustDomain: pick(r, "", "corp", "partner"), Scopes: r.some("s1", "s2")}
	if r.maybe(3) {
		x.Context = []v1alpha1.ContextMatch{{Path: pick(r, "region", "tags", "gone"), Values: []string{pick(r, "eu", "a")}}}
	}
	return x
}

func (r random) duties(kind v1alpha1.SurfaceType) *v1alpha1.RuleDuties {
	d := &v1alpha1.RuleDuties{Audit: pick(r, "", v1alpha1.AuditDurable)}
	if kind == v1alpha1.SurfaceTools {
		d.DenyAs = pick(r, "", v1alpha1.DenyAsResult)
	}
	if !r.maybe(4) {
		n := int64(r.IntN(6))
		d.Limits = &v1alpha1.LimitDuty{RequestBytes: &n}
	}
	return d
}

func (r random) to() v1alpha1.RuleTo {
	switch r.IntN(6) {
	case 0:
		return v1alpha1.RuleTo{Type: v1alpha1.SurfaceModels, Models: []v1alpha1.ModelMatch{{
			Providers: r.refs(), Names: r.some("a", "b*", "*"), Operations: r.some("chat", "embedding"),
		}}}
	case 1:
		return v1alpha1.RuleTo{Type: v1alpha1.SurfaceHosts, Hosts: []v1alpha1.HostMatch{{
			Names: append(r.some("*.example", "**.example", "192.0.2.0/24"), pick(r, "a.example", "b.a.example", "*")), Ports: r.ports(),
		}}}
	case 2:
		return v1alpha1.RuleTo{Type: v1alpha1.SurfaceHTTP, HTTP: []v1alpha1.HTTPMatch{{
			Hosts: r.some("*.example", "**.example", "a.example"), Ports: r.ports(), Methods: r.some("GET", "POST"), Paths: r.some("/a", "/a/*", "/**/b", "/a%2F*"),
			EncodedSlashes: pick(r, "", "", v1alpha1.EncodedSlashesRefuse, v1alpha1.EncodedSlashesKeep, v1alpha1.EncodedSlashesKeep),
		}}}
	}
	to := v1alpha1.RuleTo{Type: v1alpha1.SurfaceTools}
	for range 1 + r.IntN(2) {
		to.Tools = append(to.Tools, r.tool())
	}
	return to
}

func (r random) tool() v1alpha1.ToolMatch {
	m := v1alpha1.ToolMatch{Servers: r.refs(), Names: r.some("a", "b", "a*", "*b", "*")}
	if r.maybe(4) {
		m.Methods = append(r.some("tools/list", "resources/read"), "tools/call")
	}
	if r.maybe(3) {
		m.Arguments = append(m.Arguments, r.argument("a"))
	}
	if r.maybe(6) {
		m.Arguments = append(m.Arguments, r.argument("b"))
	}
	return m
}

func (r random) argument(name string) v1alpha1.ArgumentMatch {
	a := v1alpha1.ArgumentMatch{Name: name, Type: pick(r, v1alpha1.ArgumentExact, v1alpha1.ArgumentGlob, v1alpha1.ArgumentRange, v1alpha1.ArgumentPresent, v1alpha1.ArgumentAbsent)}
	switch a.Type {
	case v1alpha1.ArgumentExact:
		a.Values = []string{pick(r, "1", "x")}
	case v1alpha1.ArgumentGlob:
		a.Values = []string{pick(r, "x*", "*")}
	case v1alpha1.ArgumentRange:
		n := int64(r.IntN(3))
		a.Maximum = &n
	}
	return a
}

func (r random) refs() []v1alpha1.BackendReference {
	var out []v1alpha1.BackendReference
	for _, name := range r.some("github", "gitlab") {
		out = append(out, v1alpha1.BackendReference{Kind: "XBackend", Name: name})
	}
	return out
}

func (r random) ports() []int32 {
	if r.maybe(2) {
		return nil
	}
	return []int32{pick[int32](r, 80, 443)}
}

func (r random) target() wire.Target {
	if r.maybe(3) {
		return proxyTarget()
	}
	return toolTarget(pick(r, []string{github}, []string{gitlab}, []string{github, gitlab})...)
}

func (r random) question() *Question {
	q := &Question{Peer: pick(r, alice, "10.1.2.3", stranger, ""), Claims: claims(), Action: r.action()}
	q.Claims.Agent = pick(r, "x", "y", "")
	q.Claims.Subject = pick(r, "bob", "alice")
	q.Claims.Scopes = r.some("s1", "s2")
	if r.maybe(5) {
		q.Claims = nil
	}
	return q
}

func (r random) action() *surface.Action {
	a := &surface.Action{
		Host: pick(r, "a.example", "b.a.example", "other.test", "192.0.2.1"), Port: pick[uint16](r, 80, 443),
		Path: pick(r, "/a", "/a/x", "/x/b", "/a%2Fx", "/a/x%2Fb"), RequestBytes: int64(r.IntN(5)) - 1, OnRoute: r.maybe(2),
	}
	switch r.IntN(6) {
	case 0:
		a.Kind, a.Method, a.Name = v1alpha1.SurfaceModels, pick(r, "chat", "embedding"), pick(r, "a", "bb")
	case 1:
		a.Kind, a.Method = v1alpha1.SurfaceHosts, "CONNECT"
	case 2:
		a.Kind, a.Method = v1alpha1.SurfaceHTTP, pick(r, "GET", "POST")
	case 3:
		a.Kind, a.Method, a.Base = v1alpha1.SurfaceTools, pick(r, "tools/list", "ping"), true
	default:
		a.Kind, a.Method, a.Name = v1alpha1.SurfaceTools, pick(r, "tools/call", "resources/read"), pick(r, "a", "b", "ab", "c")
		a.Args = r.args()
	}
	return a
}

func (r random) args() strictjson.Value {
	text := pick(r, "", "{}", `{"a":1}`, `{"a":"x"}`, `{"a":[1,2]}`, `{"a":null,"b":"xy"}`, `{"a":2,"b":"xy"}`, `{"b":[]}`)
	if text == "" {
		return strictjson.Value{}
	}
	var d strictjson.Doc
	if err := d.Parse([]byte(text), strictjson.Limits{}); err != nil {
		panic(err)
	}
	return d.Root()
}
