package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// budgetListed is what is called flat: 10,000 listed hosts over 10.
const budgetListed = 1.3

// list is a way to list hosts, and what is asked for.
type list struct {
	name, what string
	// pattern lists one host, name is one that it matches.
	pattern, host string
	kind          v1alpha1.SurfaceType
	// inRule is how many are in one rule.
	inRule int
}

// lists are by surface, by how hosts are written, and by how many a rule has.
func lists() []list {
	var out []list
	for _, k := range []struct {
		name string
		kind v1alpha1.SurfaceType
	}{{"hosts", v1alpha1.SurfaceHosts}, {"http", v1alpha1.SurfaceHTTP}} {
		for _, p := range []struct{ name, what, pattern, host string }{
			{"exact", "by its name", "www.site-%d.example", "www.site-%d.example"},
			{"globs", "below a wildcard", "*.site-%d.example", "www.site-%d.example"},
		} {
			out = append(out,
				list{k.name + "/" + p.name, "a host " + p.what + ", a rule for each", p.pattern, p.host, k.kind, 1},
				list{k.name + "/" + p.name + "-packed", "a host " + p.what + ", 250 in each rule", p.pattern, p.host, k.kind, 250})
		}
	}
	return out
}

// listedSizes are how many hosts are listed.
func listedSizes() [2]int { return [2]int{10, 10_000} }

// listed is a decision about a host, by how many are listed.
func (b *bench) listed(ctx context.Context) (out []figure, err error) {
	compiler, err := policy.New(policy.Config{})
	if err != nil {
		return nil, err
	}
	for _, l := range lists() {
		var both []*work // in turn, so that what else the machine does concerns both
		for _, n := range listedSizes() {
			w, err := l.work(compiler, n)
			if err != nil {
				return nil, err
			}
			both = append(both, w)
		}
		if err := b.inTurn(ctx, "egress: listed "+l.name, both, b.span()/5); err != nil {
			return nil, err
		}
		out = append(out, l.figures(both[0], both[1])...)
	}
	return out, nil
}

// work is one decision about the last of n hosts.
func (l list) work(c *policy.Compiler, n int) (*work, error) {
	f := feed(nil, policiesOf((n+l.inRule-1)/l.inRule, func(i int) v1alpha1.AccessRule { return l.rule(i, n) }))
	state := decide.NewState(1, f, c.Compile(f.Policies))
	now := time.Now()
	hop := decide.Hop{Target: state.Resolve(proxyTarget()), Claims: claims(now), Leeway: 5 * time.Second, Action: l.action(n - 1)}
	if hop.Target == nil {
		return nil, errors.New("the target is not in the feed")
	}
	if v := decide.Decide(&hop, now, nil); !v.Allowed || v.Outcome.Rule != fmt.Sprintf("r%d", (n-1)/l.inRule) {
		return nil, fmt.Errorf("%d hosts, %s: %q by rule %q, want it allowed by the last", n, l.name, v.Code, v.Outcome.Rule)
	}
	return &work{name: fmt.Sprintf("egress/listed/%s/%d", l.name, n), do: func() { decide.Decide(&hop, now, nil) }}, nil
}

// rule lists hosts of its own, up to the last of n.
func (l list) rule(i, n int) v1alpha1.AccessRule {
	var names []string
	for j := i * l.inRule; j < min(n, (i+1)*l.inRule); j++ {
		names = append(names, fmt.Sprintf(l.pattern, j))
	}
	to := v1alpha1.RuleTo{Type: l.kind}
	if l.kind == v1alpha1.SurfaceHosts {
		to.Hosts = []v1alpha1.HostMatch{{Names: names}}
	} else {
		to.HTTP = []v1alpha1.HTTPMatch{{Hosts: names, Methods: []string{"GET"}}}
	}
	return v1alpha1.AccessRule{Name: fmt.Sprintf("r%d", i), Action: v1alpha1.ActionAllow, To: to}
}

func (l list) action(last int) surface.Action {
	a := surface.Action{Kind: l.kind, Method: "CONNECT", Host: fmt.Sprintf(l.host, last), Port: 443}
	if l.kind == v1alpha1.SurfaceHTTP {
		a.Method, a.Port, a.Path = "GET", 80, "/index.html"
	}
	return a
}

func (l list) figures(few, many *work) []figure {
	out := []figure{
		newFigure(many.name, "CPU of a decision with 10,000 listed; baseline: with 10: "+l.what, many.quiet(), micros).against(few.quiet()),
		newFigure(many.name+"-allocs", "its allocations", allocsOf(many.do), count).against(allocsOf(few.do)),
	}
	return append(out, newFigure("egress/listed/"+l.name+"/flat", "10,000 listed hosts over 10", *out[0].Ratio, times).within(budgetListed))
}
