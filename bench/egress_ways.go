package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// manner is a manner of going to a site, by every road.
type manner struct {
	name, what string
	// come are who goes by a road, and the request that they ask by.
	come func(r *road) (load, []byte)
}

// by is a manner of visitors.
func by(come func(r *road) (*visitors, []byte)) func(r *road) (load, []byte) {
	return func(r *road) (load, []byte) { return come(r) }
}

// keptAlive is how many connections of agents are kept at a time.
const keptAlive = 16

func manners() []manner {
	var out []manner
	for _, n := range []int{1, 16, 64} {
		out = append(out, manner{
			fmt.Sprintf("tunnels/%d", n), fmt.Sprintf("a new tunnel, TLS in it, and one request; %d at once", n), by(visiting(hostPassed, n)),
		})
	}
	return append(out,
		manner{"inspected/new", "a new tunnel that is inspected, and one request; 16 at once", by(visiting(hostInspected, keptAlive))},
		manner{"inspected/kept", "requests in 16 tunnels that are inspected", by(staying(hostInspected))},
		manner{"plain", "requests of absolute form, by 16 connections", by(plainly)},
	)
}

func visiting(host string, n int) func(*road) (*visitors, []byte) {
	return func(r *road) (*visitors, []byte) {
		v := newVisitors(n, func(ctx context.Context) (*caller, error) { return r.open(ctx, host) })
		return v, r.page(host, pathPage)
	}
}

func staying(host string) func(*road) (*visitors, []byte) {
	return func(r *road) (*visitors, []byte) {
		v, page := visiting(host, keptAlive)(r)
		v.stay = true
		return v, page
	}
}

func plainly(r *road) (*visitors, []byte) {
	v := newVisitors(keptAlive, r.openClear)
	v.stay = true
	return v, r.clear(hostPlain)
}

// ways measures all manners of going to a site, and what tunnels carry.
func (b *bench) ways(ctx context.Context) (out []figure, err error) {
	b.say("egress: start")
	l, err := b.newCountry(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	for _, m := range manners() {
		figures, err := b.travel(ctx, m, l.roads)
		if err != nil {
			return out, fmt.Errorf("%s: %w", m.name, err)
		}
		out = append(out, figures...)
	}
	carried, err := b.carry(ctx, l, cargoes())
	return append(out, carried...), err
}

// travel goes to the site by every road in turn.
func (b *bench) travel(ctx context.Context, m manner, roads []*road) (out []figure, err error) {
	var ways []*way
	defer func() {
		for _, w := range slices.Backward(ways) {
			err = errors.Join(err, w.close())
		}
	}()
	for _, r := range roads {
		w := &way{name: r.name, what: r.what, envoy: r.envoy, guard: r.guard}
		w.load, w.request = m.come(r)
		ways = append(ways, w)
	}
	if err := b.pressAll(ctx, "egress: "+m.name, ways, b.egressSpan()); err != nil {
		return nil, err
	}
	for i, w := range ways {
		out = append(out, m.figures(w, ways[:i])...)
	}
	return out, nil
}

// figures are against the road before; the rate of the last is also against the
// first.
func (m manner) figures(w *way, before []*way) []figure {
	name := func(s string) string { return "egress/" + m.name + "/" + w.name + "/" + s }
	out := []figure{
		newFigure(name("rate"), m.what+", "+w.what, w.rate(), "/s"),
		newFigure(name("p50"), "the same", inMillis(quantile(w.took, 0.5)), millis),
		newFigure(name("p99"), "the same", inMillis(quantile(w.took, 0.99)), millis),
	}
	if len(before) > 0 {
		than := before[len(before)-1]
		for i, base := range []float64{than.rate(), inMillis(quantile(than.took, 0.5)), inMillis(quantile(than.took, 0.99))} {
			out[i] = out[i].against(base)
		}
		out[0].what += "; baseline: " + than.what
	}
	if len(before) > 1 {
		out = append(out, newFigure(name("rate-of-"+before[0].name), "baseline: "+before[0].what, w.rate(), "/s").against(before[0].rate()))
	}
	return append(out, m.costs(w, before)...)
}

// costs are those of the processes on a road.
func (m manner) costs(w *way, before []*way) (out []figure) {
	name := func(s string) string { return "egress/" + m.name + "/" + w.name + "/" + s }
	if w.told {
		f := newFigure(name("envoy-cpu"), "Envoy's CPU of one", w.onEnvoy(), micros)
		if n := len(before); n > 0 && before[n-1].told {
			f = f.against(before[n-1].onEnvoy())
		}
		out = append(out, f)
	}
	if w.guard != nil {
		out = append(out, newFigure(name("guard-cpu"), "the guard's CPU of one", w.onGuard(), micros),
			newFigure(name("guard-allocs"), "allocations of the guard's process", float64(w.mallocs)/float64(len(w.took)), count))
	}
	if v, ok := w.load.(*visitors); ok {
		f := newFigure(name("failed"), "of these: not answered", float64(v.failed), count).within(0)
		if v.first != nil {
			f.what += "; the first: " + v.first.Error()
		}
		out = append(out, f)
	}
	return out
}
