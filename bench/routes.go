package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

func (b *bench) routes(ctx context.Context) (out []figure, err error) {
	up, err := newUpstream()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, up.close()) }()
	alone, err := b.startAlone(ctx, up)
	if err != nil {
		return nil, err
	}
	few, many := &farm{routes: 10}, &farm{routes: b.pick(100, 1000)}
	for _, f := range []*farm{few, many} {
		if err := b.startAll(ctx, f, up); err != nil {
			return nil, fmt.Errorf("%d routes: %w", f.routes, err)
		}
		b.say("routes: %s", f.story())
	}
	out = few.figures(nil)
	out[0] = out[0].against(alone)
	out[0].what += "; baseline: Envoy alone"
	return append(out, many.figures(few)...), nil
}

// startAlone is how long Envoy takes with all of its configuration at hand.
func (b *bench) startAlone(ctx context.Context, up *upstream) (float64, error) {
	var took []time.Duration
	for i := range b.pick(2, 5) {
		b.say("routes: start of Envoy alone, %d", i+1)
		dir, err := b.folder(fmt.Sprintf("alone%d", i))
		if err != nil {
			return 0, err
		}
		port, err := freePort()
		if err != nil {
			return 0, err
		}
		s, err := b.runStatic(ctx, dir, baseline{upstream: up.at, port: port}, func(int) {})
		if err != nil {
			return 0, err
		}
		took = append(took, s.ready)
		if err := s.stop(); err != nil {
			return 0, err
		}
	}
	return inMillis(median(took)), nil
}

// startAll starts hopgates with these routes, each on folders of its own, and
// edits the last one.
func (b *bench) startAll(ctx context.Context, f *farm, up *upstream) error {
	n := b.pick(2, 5)
	for i := range n {
		b.say("routes: start with %d routes, %d of %d", f.routes, i+1, n)
		l := layout{upstream: int(up.at.Port()), routes: f.routes}
		p, err := b.launch(ctx, fmt.Sprintf("farm%d-%d", f.routes, i), &l)
		if err != nil {
			return err
		}
		err = b.tend(ctx, f, p, l, i == n-1)
		if err := errors.Join(err, p.stop()); err != nil {
			return err
		}
	}
	return nil
}

// tend takes down a start, whose first request must be answered, and on the
// last one edits.
func (b *bench) tend(ctx context.Context, f *farm, p *launched, l layout, last bool) error {
	f.starts, f.startCPU = append(f.starts, p.first.Ready), append(f.startCPU, p.first.CPU)
	c, err := dial(ctx, l.port)
	if err != nil {
		return fmt.Errorf("ready, and not there: %w", err)
	}
	defer func() { _ = c.close() }() // nothing is left to be said on it
	if err := c.must(requestFor(routePath(f.routes-1, 0), p.token)); err != nil {
		return fmt.Errorf("ready, and the first request: %w", err)
	}
	if !last {
		return nil
	}
	if err := b.editAll(ctx, f, p, l, c); err != nil {
		return err
	}
	r, err := p.report()
	f.memory, f.editCPU = max(p.first.Resident, r.Resident), r.CPU-p.first.CPU
	return err
}

// editAll edits one route after the other, while another route is asked
// without a pause.
func (b *bench) editAll(ctx context.Context, f *farm, p *launched, l layout, c *caller) error {
	steady, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { f.askSteadily(steady, l.port, requestFor(routePath(0, 0), p.token)) })
	defer wg.Wait()
	defer cancel()
	n := b.pick(5, 40)
	for i := range n {
		b.mention("routes: %d routes, edit %d of %d", f.routes, i+1, n)
		route := 1 + (i*37)%(f.routes-1)
		took, err := p.edit(ctx, c, route, i+1)
		if err != nil {
			return fmt.Errorf("edit %d, of route %d: %w", i+1, route, err)
		}
		f.edits = append(f.edits, took)
	}
	return nil
}

// Waits of an edit.
const (
	// probeEvery is how often the new route is tried.
	probeEvery = time.Millisecond
	// editWithin is how long it may take to be there.
	editWithin = 20 * time.Second
)

// edit gives a route another path, and returns how long it took until the
// first request on that was answered. An editor's rename is where it begins.
func (p *launched) edit(ctx context.Context, c *caller, route, n int) (time.Duration, error) {
	path := routePath(route, n)
	written := filepath.Join(p.dir, "edited.yaml")
	if err := os.WriteFile(written, []byte(routeObject(route, path)), 0o600); err != nil {
		return 0, err
	}
	request := requestFor(path, p.token)
	begun := time.Now()
	if err := os.Rename(written, filepath.Join(p.dir, objectsDir, routeFile(route))); err != nil {
		return 0, err
	}
	for {
		status, err := c.get(request)
		took := time.Since(begun)
		switch {
		case err != nil:
			return 0, err
		case status == http.StatusOK:
			return took, ctx.Err()
		case took > editWithin:
			return 0, fmt.Errorf("the new path is answered %d still", status)
		}
		time.Sleep(probeEvery)
	}
}

// steadily is how often the other route is asked.
const steadily = 5 * time.Millisecond

// askSteadily counts what becomes of requests on a route that nobody edits. A
// connection that was lost is a failure, and is dialled again.
func (f *farm) askSteadily(ctx context.Context, port int, request []byte) {
	t := time.NewTicker(steadily)
	defer t.Stop()
	var c *caller
	for ; ctx.Err() == nil; <-t.C {
		var err error
		if c == nil {
			c, err = dial(ctx, port)
		}
		if err == nil {
			err = c.must(request)
		}
		if ctx.Err() != nil {
			break
		}
		f.asked++
		if err != nil {
			f.fail(err)
			if c != nil {
				_ = c.close() // it is of no use any more
			}
			c = nil
		}
	}
	if c != nil {
		_ = c.close() // nothing is on its way
	}
}
