package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Budgets of rules (design, section 8).
const (
	budgetDecision = 3 // us, with 10,000 rules
	// budgetFlat is what is called flat: 10,000 rules over 10. More memory is
	// looked at, and is not in the cache; that is all that may show.
	budgetFlat = 1.5
)

func rulesSizes() []int { return []int{10, 100, 1000, 10_000} }

// ruleKind is a way to write many rules, and a hop that the last one allows.
type ruleKind struct {
	name, what string
	rule       func(i int) v1alpha1.AccessRule
	target     wire.Target
	action     func(last int) surface.Action
}

func ruleKinds(args strictjson.Value) []ruleKind {
	tool := func(last int) surface.Action {
		return surface.Action{
			Kind: v1alpha1.SurfaceTools, Method: "tools/call", Name: toolName(last), Args: args,
			OnRoute: true, Host: "tools.example", Port: 8080, Path: "/mcp", RequestBytes: 330,
		}
	}
	host := func(last int) surface.Action {
		return surface.Action{Kind: v1alpha1.SurfaceHosts, Method: "CONNECT", Host: fmt.Sprintf("www.site-%d.example", last), Port: 443}
	}
	return []ruleKind{
		{"tools", "tool by name, arguments within bounds", toolRule, toolTarget(), tool},
		{"cel", "the same with a condition in CEL", conditionRule, toolTarget(), tool},
		{"hosts", "host below a wildcard", hostRule, proxyTarget(), host},
	}
}

func (b *bench) rules(ctx context.Context) ([]figure, error) {
	var doc strictjson.Doc
	if err := doc.Parse([]byte(callArguments), strictjson.Limits{}); err != nil {
		return nil, err
	}
	compiler, err := policy.New(policy.Config{})
	if err != nil {
		return nil, err
	}
	kinds, sizes := ruleKinds(doc.Root()), rulesSizes()
	var all []*work
	for _, k := range kinds {
		for _, n := range sizes {
			b.say("rules: %s, %d", k.name, n)
			w, err := k.work(compiler, n)
			if err != nil {
				return nil, err
			}
			all = append(all, w)
		}
	}
	if err := b.inTurn(ctx, "rules", all, b.span()/5); err != nil {
		return nil, err
	}
	var out []figure
	for i, k := range kinds {
		out = append(out, k.figures(all[i*len(sizes):(i+1)*len(sizes)])...)
	}
	return out, nil
}

// work is one decision over n rules.
func (k ruleKind) work(c *policy.Compiler, n int) (*work, error) {
	f := feed(nil, policiesOf(n, k.rule))
	state := decide.NewState(1, f, c.Compile(f.Policies))
	now := time.Now()
	hop := decide.Hop{Target: state.Resolve(k.target), Claims: claims(now), Leeway: 5 * time.Second, Action: k.action(n - 1)}
	if hop.Target == nil {
		return nil, errors.New("the target is not in the feed")
	}
	if v := decide.Decide(&hop, now, nil); !v.Allowed || v.Outcome.Rule != fmt.Sprintf("r%d", n-1) {
		return nil, fmt.Errorf("%d rules of kind %s: %q by rule %q, want it allowed by the last", n, k.name, v.Code, v.Outcome.Rule)
	}
	return &work{name: fmt.Sprintf("rules/%s/%d", k.name, n), do: func() { decide.Decide(&hop, now, nil) }}, nil
}

func claims(now time.Time) *token.Claims {
	return &token.Claims{
		Domain: feedv1.Key{Namespace: namespace, Name: "local"}, Audience: audience, Subject: "user:alice@corp.example", Txn: "txn-1",
		Agent: agent, Actors: []string{agent, "planner", "front"}, Scopes: []string{"research.read"},
		IssuedAt: now, ExpiresAt: now.Add(tokenLife),
	}
}

// figures are of one kind, by size.
func (k ruleKind) figures(by []*work) []figure {
	least := by[0].quiet()
	var out []figure
	for _, w := range by {
		out = append(out, newFigure(w.name, "CPU of a decision; baseline: with 10 rules: "+k.what, w.quiet(), micros).against(least))
	}
	last := &out[len(out)-1]
	*last = last.within(budgetDecision)
	return append(out, newFigure("rules/"+k.name+"/flat", "10,000 rules over 10", *last.Ratio, times).within(budgetFlat))
}
