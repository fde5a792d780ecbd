package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// firsts are the times of tunnels: until their answer, and of the TLS in them.
type firsts struct {
	connect, shake []time.Duration
	failed         int
	first          error // why the first was
}

// firstLeaves comes to names twice each: first, a leaf is minted for each of
// them; then it is there.
func (b *bench) firstLeaves(ctx context.Context, l *abroad) ([]figure, error) {
	n := b.pick(20, 500)
	b.say("egress: leaves for %d names", n)
	var first, second firsts
	for i := range n {
		name := fmt.Sprintf("m%03d.%s", i, hostInspected)
		for _, f := range []*firsts{&first, &second} {
			if err := f.add(ctx, l.road, name); err != nil {
				if f.failed++; f.failed == 1 {
					f.first = err
				}
			}
		}
	}
	if failed := first.failed + second.failed; failed > n/10 || ctx.Err() != nil {
		return nil, errors.Join(fmt.Errorf("%d tunnels of %d were not answered", failed, 2*n), ctx.Err(), first.first, second.first)
	}
	row := func(name, what string, of func(*firsts) []time.Duration, q float64) figure {
		return newFigure("egress/mint/"+name, what, inMillis(quantile(of(&first), q)), millis).against(inMillis(quantile(of(&second), q)))
	}
	connect, shake := func(f *firsts) []time.Duration { return f.connect }, func(f *firsts) []time.Duration { return f.shake }
	return []figure{
		row("first-connect-p50", "CONNECT to a new name that is inspected, for which a leaf is minted; baseline: to it again", connect, 0.5),
		row("first-connect-p99", "the same", connect, 0.99),
		row("first-handshake-p50", "TLS in it, for which Envoy asks for that leaf; baseline: in the second tunnel", shake, 0.5),
		row("first-handshake-p99", "the same", shake, 0.99),
		newFigure("egress/mint/first-failed", "of these: not answered; baseline: of the second tunnels", float64(first.failed), count).against(float64(second.failed)).within(0),
	}, nil
}

func (f *firsts) add(ctx context.Context, r *road, name string) error {
	begun := time.Now()
	conn, err := r.tunnel(ctx, name)
	if err != nil {
		return err
	}
	connected := time.Now()
	c, err := r.shake(ctx, conn, name)
	if err != nil {
		return err
	}
	f.connect, f.shake = append(f.connect, connected.Sub(begun)), append(f.shake, time.Since(connected))
	return c.Close()
}

// stormers are who ask for names that they make up, each at once again.
const stormers = 4

// storm has TLS ask for names at random, in tunnels to a name that is good, and
// looks at what becomes of others.
func (b *bench) storm(ctx context.Context, l *abroad) (out []figure, err error) {
	b.say("egress: a storm of names")
	others := "others." + hostInspected
	cs, err := l.road.openMany(ctx, others, bystanders)
	if err != nil {
		return nil, err
	}
	good, err := l.road.openMany(ctx, "storm."+hostInspected, 1) // while it is open, its leaf is there
	if err != nil {
		return nil, errors.Join(err, cs.close())
	}
	defer func() { err = errors.Join(err, good.close()) }()
	come := newVisitors(1, func(ctx context.Context) (*caller, error) { return l.road.open(ctx, others) })
	page := l.road.page(others, pathPage)
	quiet, err := come.press(ctx, page, b.egressSpan())
	if err != nil {
		return nil, errors.Join(err, cs.close())
	}
	before, err := l.weigh(ctx)
	if err != nil {
		return nil, errors.Join(err, cs.close())
	}
	w, err := newWitness(ctx, cs, page)
	if err != nil {
		return nil, err
	}
	t := tempest{begun: time.Now()}
	visits, err := t.rage(ctx, l.road, come, page, b.egressSpan())
	if err := errors.Join(err, w.end()); err != nil {
		return nil, err
	}
	if err := b.rested(ctx); err != nil {
		return nil, err
	}
	after, err := l.weigh(ctx)
	if err != nil {
		return nil, err
	}
	out = t.figures(w, before, after)
	return append(out,
		newFigure("egress/storm/new-p50", "a new tunnel of another that is inspected, and one request; baseline: before", inMillis(median(visits)), millis).against(inMillis(median(quiet))),
		newFigure("egress/storm/new-p99", "the same", inMillis(quantile(visits, 0.99)), millis).against(inMillis(quantile(quiet, 0.99))),
		newFigure("egress/storm/new-failed", "of these: not answered", float64(come.failed), count).within(0)), nil
}

// tempest is one storm.
type tempest struct {
	begun, ended time.Time
	tried, let   atomic.Int64
	// closed are tunnels that did not open.
	closed atomic.Int64
}

// rage is the storm, while others come; it returns how long those took.
func (t *tempest) rage(ctx context.Context, r *road, others *visitors, page []byte, d time.Duration) ([]time.Duration, error) {
	raging, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range stormers {
		wg.Go(func() {
			for raging.Err() == nil {
				t.gust(ctx, r)
			}
		})
	}
	took, err := others.press(ctx, page, d)
	t.ended = time.Now()
	cancel()
	wg.Wait()
	if err == nil && t.tried.Load() == 0 {
		err = errors.New("no tunnel opened for a storm")
	}
	return took, err
}

// gust asks for one name that nobody has approved, where another was.
func (t *tempest) gust(ctx context.Context, r *road) {
	conn, err := r.tunnel(ctx, "storm."+hostInspected)
	if err != nil {
		t.closed.Add(1)
		return
	}
	t.tried.Add(1)
	c, err := r.shake(ctx, conn, rand.Text()+"."+hostInspected)
	if err != nil {
		return // as it should
	}
	t.let.Add(1)
	_ = c.Close() // one who should not be there
}

func (t *tempest) figures(w *witness, before, after weight) []figure {
	quiet, during, failed := w.around(t.begun, t.ended)
	name := func(s string) string { return "egress/storm/" + s }
	ms := func(all []time.Duration, q float64) float64 { return inMillis(quantile(all, q)) }
	tried := float64(t.tried.Load())
	return []figure{
		newFigure(name("rate"), "names made up, each asked for by TLS in a tunnel to another; "+fmt.Sprintf("%d tunnels did not open", t.closed.Load()), tried/t.ended.Sub(t.begun).Seconds(), "/s"),
		newFigure(name("let-in"), "of these: TLS came about", float64(t.let.Load()), count).within(0),
		newFigure(name("minted"), "leaves that there are more than before", float64(after.names-before.names), count).within(0),
		newFigure(name("guard-memory"), "what the guard's heap has of each, garbage collected", float64(after.guard-before.guard)/kibibyte/tried, "KiB"),
		newFigure(name("envoy-memory"), "what Envoy has allocated for each", float64(after.envoy-before.envoy)/kibibyte/tried, "KiB"),
		newFigure(name("kept-p50"), fmt.Sprintf("requests of others in tunnels that are inspected, meanwhile (%d); baseline: just before", len(during)), ms(during, 0.5), millis).against(ms(quiet, 0.5)),
		newFigure(name("kept-p99"), "the same", ms(during, 0.99), millis).against(ms(quiet, 0.99)),
		newFigure(name("kept-failed"), "of these: not answered "+http.StatusText(http.StatusOK), float64(failed), count).within(0),
	}
}
