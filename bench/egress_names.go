package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/bench/network"
)

// namesAtOnce is how many come to new names at a time.
const namesAtOnce = 8

// names measures what new names cost: to be found, to have a leaf, to be asked
// for by who makes them up.
func (b *bench) names(ctx context.Context) (out []figure, err error) {
	n, err := network.New()
	if err != nil {
		b.say("egress: NOT MEASURED, names and what is minted for them: %v", err)
		return nil, nil
	}
	defer n.Close()
	b.say("egress: start in a network of its own")
	l, err := b.newAbroad(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	c, err := b.crowdOfNames(ctx, l)
	if err != nil {
		return nil, err
	}
	out = c.figures()
	for _, measure := range []func(context.Context, *abroad) ([]figure, error){b.storm, b.firstLeaves} {
		figures, err := measure(ctx, l)
		if err != nil {
			return out, err
		}
		out = append(out, figures...)
	}
	if b.quick {
		return out, nil // it takes more than a minute
	}
	b.say("egress: wait until %d names are forgotten", c.n)
	w, err := l.expired(ctx)
	if err != nil {
		return out, err
	}
	return append(out, c.forgotten(w)...), nil
}

// census is what so many names cost.
type census struct {
	n int
	// took is by name, in the order that they were come to; again is of one that
	// is known.
	took, again   []time.Duration
	failed        int
	first         error // why the first was not answered
	before, after weight
}

// crowdOfNames comes to one new name after the other.
func (b *bench) crowdOfNames(ctx context.Context, l *abroad) (*census, error) {
	c := &census{n: b.pick(200, 10_000)}
	b.say("egress: %d names", c.n)
	known := func(int) string { return "known." + hostPassed }
	again := b.pick(100, 1000)
	if _, err := c.come(ctx, l, again, known); err != nil { // which warms up
		return nil, err
	}
	err := b.rested(ctx)
	if err != nil {
		return nil, err
	}
	if c.before, err = l.weigh(ctx); err != nil {
		return nil, err
	}
	if c.took, err = c.come(ctx, l, c.n, func(i int) string { return fmt.Sprintf("n%05d.%s", i, hostPassed) }); err != nil {
		return nil, err
	}
	if c.again, err = c.come(ctx, l, again, known); err != nil {
		return nil, err
	}
	if err := b.rested(ctx); err != nil {
		return nil, err
	}
	c.after, err = l.weigh(ctx)
	return c, err
}

// rested waits until connections that nobody uses are gone, and hops are told
// of as ended.
func (b *bench) rested(ctx context.Context) error { return pause(ctx, min(7*time.Second, 2*b.span())) }

// come has so many visits made, some at a time, and returns how long each took.
func (c *census) come(ctx context.Context, l *abroad, n int, name func(i int) string) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	var next atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range namesAtOnce {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				begun := time.Now()
				err := l.visit(ctx, name(i))
				took[i] = time.Since(begun)
				if err != nil {
					mu.Lock()
					if c.failed++; c.failed == 1 {
						c.first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if c.failed > n/2 {
		return nil, fmt.Errorf("%d visits of %d were not answered: %w", c.failed, n, c.first)
	}
	return took, ctx.Err()
}

// visit is a tunnel to a name, TLS in it, and one request.
func (l *abroad) visit(ctx context.Context, name string) error {
	v := newVisitors(1, func(ctx context.Context) (*caller, error) { return l.road.open(ctx, name) })
	return v.visit(ctx, 0, l.road.page(name, pathPage))
}

func (c *census) figures() []figure {
	name := func(s string) string { return fmt.Sprintf("egress/names/%d/%s", c.n, s) }
	ms := func(all []time.Duration, q float64) float64 { return inMillis(quantile(all, q)) }
	tenth := c.n / 10
	early, late := c.took[:tenth], c.took[c.n-tenth:]
	out := []figure{
		newFigure(name("new-p50"), "a tunnel to a new name, TLS in it, and one request, 8 at once; baseline: to one that is known", ms(c.took, 0.5), millis).against(ms(c.again, 0.5)),
		newFigure(name("new-p99"), "the same", ms(c.took, 0.99), millis).against(ms(c.again, 0.99)),
		newFigure(name("late-p50"), "that of the last tenth; baseline: of the first", ms(late, 0.5), millis).against(ms(early, 0.5)),
		newFigure(name("late-p99"), "the same", ms(late, 0.99), millis).against(ms(early, 0.99)),
		newFigure(name("failed"), "of all these: not answered", float64(c.failed), count).within(0),
		newFigure(name("guard-memory"), "what the guard's heap has of a name, garbage collected", c.each(c.after.guard), "KiB"),
		newFigure(name("envoy-memory"), "what Envoy has allocated for a name", c.eachOfEnvoy(c.after.envoy), "KiB"),
	}
	if c.first != nil {
		out[4].what += "; the first: " + c.first.Error()
	}
	return out
}

func (c *census) each(guard int64) float64 {
	return float64(guard-c.before.guard) / kibibyte / float64(c.n)
}

func (c *census) eachOfEnvoy(envoy int64) float64 {
	return float64(envoy-c.before.envoy) / kibibyte / float64(c.n)
}

// forgotten is what is left when no name is known any more.
func (c *census) forgotten(w weight) []figure {
	name := func(s string) string { return fmt.Sprintf("egress/names/%d/forgotten-%s", c.n, s) }
	return []figure{
		newFigure(name("hosts"), "hosts in Envoy's cache, and names with leaves, a minute after all were left; baseline: before", float64(w.hosts+w.names), count).
			against(float64(c.after.hosts)).within(0),
		newFigure(name("guard-memory"), "what the guard's heap has of a name then; baseline: before", c.each(w.guard), "KiB").against(c.each(c.after.guard)),
		newFigure(name("envoy-memory"), "what Envoy has allocated for a name then; baseline: before", c.eachOfEnvoy(w.envoy), "KiB").against(c.eachOfEnvoy(c.after.envoy)),
	}
}
