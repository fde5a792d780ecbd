package guard

import (
	"context"
	"errors"
	"fmt"

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
// as it was: what can fail comes before what changes anything.
func (g *Guard) ApplyFeed(f *feedv1.Snapshot) error {
	if err := wellFormed(f); err != nil {
		return fmt.Errorf("apply feed: %w", err)
	}
	cutOff, err := quarantines(f)
	if err != nil {
		return fmt.Errorf("apply feed: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := &basis{feed: f, orders: cutOff, local: g.cfg.Local()}
	set := g.compiler.Compile(f.Policies)
	next, err := g.plan(now)
	if err != nil {
		return fmt.Errorf("apply feed: %w", err)
	}
	// Quarantines first: should the next step fail, they close too much.
	if err := g.orders.SetObjects(cutOff); err != nil {
		next.undo()
		return fmt.Errorf("apply feed: %w", err)
	}
	if err := g.tokens.Apply(f.TrustDomains); err != nil {
		next.undo()
		return fmt.Errorf("apply feed: trust domains: %w", err)
	}
	g.secrets.Apply(f.Credentials)
	g.epoch++
	w := &check.World{State: decide.NewState(g.epoch, f, set), Egress: make(map[string]check.Egress, len(next))}
	for key, p := range next {
		if !p.fresh {
			p.exit.resolver.Apply(p.settings)
		}
		p.exit.Keep(f.Names)
		w.Egress[key] = check.Egress{Plan: p.plan, Names: p.exit, Hidden: p.hidden}
	}
	g.check.SetWorld(w)
	g.names.Apply(nameViews(f, set, next))
	g.keep(next)
	g.feedChanged(now.since(g.basis))
	g.basis = now
	for _, p := range set.Problems() {
		g.cfg.Log.Warn("policy", "policy", p.Policy.String(), "problem", p.Problem.String())
	}
	return nil
}

// errFeed means that a snapshot is not one that a controller makes.
var errFeed = errors.New("malformed feed")

// wellFormed refuses a snapshot that says two things of one object: one of them
// would be passed over.
func wellFormed(f *feedv1.Snapshot) error {
	if f == nil {
		return fmt.Errorf("%w: there is none", errFeed)
	}
	seen := map[string]bool{}
	twice := func(kind string, k feedv1.Key) error {
		name := kind + "/" + k.String()
		if seen[name] {
			return fmt.Errorf("%w: %s is there twice", errFeed, name)
		}
		seen[name] = true
		return nil
	}
	var errs []error
	for i := range f.Gateways {
		errs = append(errs, twice("Gateway", f.Gateways[i].Key))
	}
	for i := range f.TrustDomains {
		errs = append(errs, twice("TrustDomain", f.TrustDomains[i].Key))
	}
	for i := range f.Policies {
		errs = append(errs, twice("AccessPolicy", f.Policies[i].Key))
	}
	for i := range f.Credentials {
		errs = append(errs, twice("Credential", f.Credentials[i].Key))
	}
	return errors.Join(errs...)
}

// way is how the destinations of one Gateway are to be reached.
type way struct {
	plan     *egress.Plan
	settings resolve.Settings
	exit     *exit
	// fresh: the exit was made for it.
	fresh bool
	// hidden: TLS may pass that hides its name.
	hidden bool
}

// ways are by Gateway.
type ways map[string]way

// undo gives up what was made.
func (w ways) undo() {
	for _, p := range w {
		if p.fresh {
			p.exit.close()
		}
	}
}

// plan works out how the destinations of each Gateway are reached. A resolver,
// and what it knows, outlives changes of the feed.
func (g *Guard) plan(b *basis) (ways, error) {
	out := make(ways, len(b.feed.Gateways))
	for i := range b.feed.Gateways {
		gw := &b.feed.Gateways[i]
		key := gw.Key.String()
		p := g.wayOf(gw, b)
		if p.exit = g.gateways[key]; p.exit == nil {
			r, err := resolve.New(resolve.Config{Settings: p.settings, Now: g.cfg.Now})
			if err != nil {
				out.undo()
				return nil, fmt.Errorf("make resolver of %s: %w", key, err)
			}
			p.exit, p.fresh = &exit{resolver: r, Zone: g.dns.Zone(r)}, true
		}
		out[key] = p
	}
	return out, nil
}

func (g *Guard) wayOf(gw *feedv1.Gateway, b *basis) way {
	plan, warnings := egress.NewPlan(egress.PlanConfig{
		Egress: gw.Egress, Listeners: allListeners(b.feed), Own: g.own(b.feed), Local: b.local,
	})
	for _, w := range warnings {
		g.cfg.Log.Warn("egress", "gateway", gw.Key.String(), "problem", w.String())
	}
	return way{plan: plan, hidden: gw.Egress.ECH, settings: resolve.Settings{Space: plan.Space(), Hosts: gw.Egress.Hosts, Servers: gw.Egress.Resolvers}}
}

// keep closes the exits of Gateways that are gone.
func (g *Guard) keep(next ways) {
	for key, x := range g.gateways {
		if _, stays := next[key]; !stays {
			x.close()
		}
	}
	g.gateways = make(map[string]*exit, len(next))
	for key, p := range next {
		g.gateways[key] = p.exit
	}
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
