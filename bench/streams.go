package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Budgets of live streams (design, section 8).
const (
	budgetStream = 32   // KiB of the guard's memory
	budgetIdle   = 1    // us of the guard's CPU in a second: ten thousand take a hundredth of a core
	budgetOne    = 50   // ms, p99: an order, until one stream of many has ended
	budgetAll    = 1000 // ms, p99: until all have
)

// toll is what so many streams of a kind cost, and how they ended.
type toll struct {
	hold
	n int
	// guard and envoy are bytes of resident memory for a stream; idle is CPU
	// for a stream and a second, above that without any stream.
	guard, envoy         float64
	guardIdle, envoyIdle time.Duration
	// opened is how long it took to open all of them, one after the other.
	opened time.Duration
	// late is how often one was denied meanwhile, because its hold opened late.
	late int
	// one, all and policy are from an order, or from an edited policy, until a
	// client saw the end: of one among all, and of all.
	one, all, policy []time.Duration
	// untold are streams that ended without the word that their hold has for it.
	untold int
	// before and during are what short requests took around the cut of all,
	// failed those during it that were not answered 200.
	before, during []time.Duration
	failed         int
}

func (b *bench) streams(ctx context.Context) (out []figure, err error) {
	s, err := newSources()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	short, err := b.shortHops(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("short hops: %w", err)
	}
	out = append(out, short...)
	events, err := b.events(ctx, s)
	if err != nil {
		return out, fmt.Errorf("events: %w", err)
	}
	out = append(out, events...)
	for _, n := range []int{b.pick(50, 1000), b.pick(200, 10_000)} {
		var none *toll
		for _, k := range holds() {
			t, err := b.tollOf(ctx, k, n, s)
			if err != nil {
				return out, fmt.Errorf("%d streams, %s: %w", n, k.name, err)
			}
			if !k.held() {
				none = t
			}
			out = append(out, t.figures(none)...)
		}
	}
	return out, nil
}

// tollOf opens streams and ends them again.
func (b *bench) tollOf(ctx context.Context, k hold, n int, s *sources) (t *toll, err error) {
	b.say("streams: %d, %s", n, k.name)
	h, err := b.newHerd(ctx, k, n, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	t = &toll{hold: k, n: n}
	if err := b.weigh(ctx, h, t); err != nil {
		return nil, err
	}
	if !k.held() {
		return t, nil
	}
	if err := b.cutSome(ctx, h, t); err != nil {
		return nil, err
	}
	return t, b.cutByPolicy(ctx, h, t)
}

// usage is what a hopgate and its Envoy have used by now.
type usage struct {
	guard, envoy       int64
	guardCPU, envoyCPU time.Duration
}

func (h *herd) used() (u usage, err error) {
	r, err := h.report()
	if err != nil {
		return u, err
	}
	u = usage{guard: r.Resident, guardCPU: r.CPU, envoy: residentOf(strconv.Itoa(h.first.Envoy))}
	u.envoyCPU, _ = cpuOf(h.first.Envoy) // where it is not told, it stays the same
	return u, nil
}

// settle is how long what came with the opening of streams may go on.
const settle = time.Second

// weigh takes down what streams cost that do nothing.
func (b *bench) weigh(ctx context.Context, h *herd, t *toll) error {
	if err := h.warm(ctx); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	empty, without, err := b.rest(ctx, h)
	if err != nil {
		return err
	}
	if t.opened, err = h.open(ctx); err != nil {
		return err
	}
	t.late = h.late
	b.mention("streams: %d are open", t.n)
	full, with, err := b.rest(ctx, h)
	if err != nil {
		return err
	}
	t.guard, t.envoy = float64(full.guard-empty.guard)/float64(t.n), float64(full.envoy-empty.envoy)/float64(t.n)
	t.guardIdle = (with.guardCPU - without.guardCPU) / time.Duration(t.n)
	t.envoyIdle = (with.envoyCPU - without.envoyCPU) / time.Duration(t.n)
	return nil
}

// rest waits until what began has settled, and returns what is used then, and
// the CPU of a second in which nothing happens.
func (b *bench) rest(ctx context.Context, h *herd) (now, second usage, err error) {
	if err := pause(ctx, min(settle, b.span())); err != nil {
		return now, second, err
	}
	if now, err = h.used(); err != nil {
		return now, second, err
	}
	begun := time.Now()
	if err := pause(ctx, b.span()); err != nil {
		return now, second, err
	}
	then, err := h.used()
	seconds := time.Since(begun).Seconds()
	second.guardCPU = time.Duration(float64(then.guardCPU-now.guardCPU) / seconds)
	second.envoyCPU = time.Duration(float64(then.envoyCPU-now.envoyCPU) / seconds)
	return now, second, err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

const kibibyte = 1 << 10

// figures are against streams without a hold; for those themselves there is no
// baseline.
func (t *toll) figures(none *toll) []figure {
	var out []figure
	add := func(name, what string, of func(*toll) float64, unit string, budget float64) {
		f := newFigure(t.name(name), what, of(t), unit)
		if none != t {
			f = f.against(of(none))
			if budget > 0 {
				f = f.within(budget)
			}
		}
		out = append(out, f)
	}
	if t.guard != 0 {
		add("guard-memory", "resident memory of the guard for a stream, "+t.what, func(t *toll) float64 { return t.guard / kibibyte }, "KiB", budgetStream)
		add("envoy-memory", "that of Envoy", func(t *toll) float64 { return t.envoy / kibibyte }, "KiB", 0)
	}
	add("guard-idle", "the guard's CPU for an idle stream and a second", func(t *toll) float64 { return inMicros(t.guardIdle) }, micros, budgetIdle)
	add("envoy-idle", "Envoy's", func(t *toll) float64 { return inMicros(t.envoyIdle) }, micros, 0)
	add("open", "opening of a stream, with its hold", func(t *toll) float64 { return inMicros(t.opened) / float64(t.n) }, micros, 0)
	if t.held() {
		out = append(out, newFigure(t.name("open-late"), "of these: denied, because the hold opened too late, and opened again", float64(t.late), count).within(0))
		out = append(out, t.cuts()...)
	}
	return out
}

func (t *toll) name(of string) string { return fmt.Sprintf("streams/%d/%s/%s", t.n, t.hold.name, of) }

func (t *toll) cuts() []figure {
	var out []figure
	for _, c := range []struct {
		name, what string
		took       []time.Duration
		budget     float64
	}{
		{"cut-one", "an order, until the client of the one stream that it concerns has seen the end", t.one, budgetOne},
		{"cut-all", "an order that concerns all, until a client has seen the end", t.all, budgetAll},
		{"policy", "an edited policy that refuses all, until a client has seen the end", t.policy, budgetAll},
	} {
		out = append(out,
			newFigure(t.name(c.name+"-p50"), c.what, inMillis(quantile(c.took, 0.5)), millis),
			newFigure(t.name(c.name+"-p99"), "the same", inMillis(quantile(c.took, 0.99)), millis).within(c.budget),
			newFigure(t.name(c.name+"-last"), "the last", inMillis(quantile(c.took, 1)), millis))
	}
	return append(out, t.meanwhile()...)
}

// overBudget is an error that names the cuts that took longer than they may.
func overBudget(figures []figure) error {
	var over []string
	for _, f := range figures {
		cut := strings.HasPrefix(f.Name, "streams/") && (strings.HasSuffix(f.Name, "/cut-one-p99") || strings.HasSuffix(f.Name, "/cut-all-p99"))
		if cut && f.Met != nil && !*f.Met {
			over = append(over, fmt.Sprintf("%s is %s, of %s", f.Name, quantity(f.Value, f.Unit), plain(*f.Budget)))
		}
	}
	if len(over) == 0 {
		return nil
	}
	return fmt.Errorf("over budget: %s", strings.Join(over, "; "))
}

// meanwhile is what became of others while all were cut.
func (t *toll) meanwhile() []figure {
	var out []figure
	if t.tool {
		out = append(out, newFigure(t.name("untold"), "streams, of both cuts of all, that ended without a last word", float64(t.untold), count).within(0))
	}
	what := fmt.Sprintf("short requests of others while all were cut (%d); baseline: just before", len(t.during))
	return append(out,
		newFigure(t.name("meanwhile-p50"), what, inMillis(quantile(t.during, 0.5)), millis).against(inMillis(quantile(t.before, 0.5))),
		newFigure(t.name("meanwhile-p99"), "the same", inMillis(quantile(t.during, 0.99)), millis).against(inMillis(quantile(t.before, 0.99))),
		newFigure(t.name("meanwhile-failed"), "of these: not answered 200", float64(t.failed), count).within(0))
}
