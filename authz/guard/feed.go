package guard

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// exit is how one Gateway reaches names: a resolver of its own, and the names
// that Envoy may ask of it.
type exit struct {
	resolver *resolve.Resolver
	*resolve.Zone
}

func (e *exit) Lookup(ctx context.Context, name string) (resolve.Answer, error) {
	return e.resolver.Lookup(ctx, name)
}

func (e *exit) close() {
	e.Zone.Close()
	e.resolver.Close()
}

// ApplyFeed decides by f from when it returns. On an error everything stays
// as it was.
func (g *Guard) ApplyFeed(f *feedv1.Snapshot) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.tokens.Apply(f.TrustDomains); err != nil {
		return fmt.Errorf("apply trust domains: %w", err)
	}
	g.secrets.Apply(f.Credentials)
	set := g.compiler.Compile(f.Policies)
	w := &check.World{Egress: make(map[string]check.Egress, len(f.Gateways))}
	keep := make(map[string]*exit, len(f.Gateways))
	for i := range f.Gateways {
		gw := &f.Gateways[i]
		out, x, err := g.exitOf(gw, f)
		if err != nil {
			return err
		}
		w.Egress[gw.Key.String()], keep[gw.Key.String()] = out, x
	}
	g.epoch++
	w.State = decide.NewState(g.epoch, f, set)
	g.check.SetWorld(w)
	for key, x := range g.gateways {
		if keep[key] == nil {
			x.close()
		}
	}
	g.gateways = keep
	for _, p := range set.Problems() {
		g.cfg.Log.Warn("policy", "policy", p.Policy.String(), "problem", p.Problem.String())
	}
	return nil
}

// exitOf is how a Gateway's destinations are reached. Its resolver, and what
// it knows, outlives changes of the feed.
func (g *Guard) exitOf(gw *feedv1.Gateway, f *feedv1.Snapshot) (check.Egress, *exit, error) {
	plan, warnings := egress.NewPlan(egress.PlanConfig{
		Egress: gw.Egress, Listeners: allListeners(f), Own: append([]netip.AddrPort{g.dns.Address()}, g.cfg.Own...), Local: g.cfg.Local(),
	})
	for _, w := range warnings {
		g.cfg.Log.Warn("egress", "gateway", gw.Key.String(), "problem", w.String())
	}
	settings := resolve.Settings{Space: plan.Space(), Hosts: gw.Egress.Hosts, Servers: gw.Egress.Resolvers}
	x := g.gateways[gw.Key.String()]
	if x == nil {
		r, err := resolve.New(resolve.Config{Settings: settings, Now: g.cfg.Now})
		if err != nil {
			return check.Egress{}, nil, fmt.Errorf("make resolver of %s: %w", gw.Key, err)
		}
		x = &exit{resolver: r, Zone: g.dns.Zone(r)}
	} else {
		x.resolver.Apply(settings)
	}
	x.Keep(f.Names)
	return check.Egress{Plan: plan, Names: x}, x, nil
}

// allListeners are those of every Gateway: none of them is reached through
// another.
func allListeners(f *feedv1.Snapshot) []feedv1.Listener {
	var out []feedv1.Listener
	for i := range f.Gateways {
		out = append(out, f.Gateways[i].Listeners...)
	}
	return out
}

func (g *Guard) closeExits() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range g.gateways {
		x.close()
	}
	g.gateways = nil
}
