package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
)

// crowdSize is how many connections press one listener.
const crowdSize = 32

// load presses one listener with a request for a while, and returns how long
// each took.
type load interface {
	press(ctx context.Context, request []byte, d time.Duration) ([]time.Duration, error)
	close() error
}

// way is one way through Envoy, and what was measured of it.
type way struct {
	name, what string
	load       load // nil: nobody has come yet
	request    []byte
	// envoy is its process; guard is who decides, nil: nobody.
	envoy int
	guard *child
	undo  []func() error

	took []time.Duration
	// wall is how long it was pressed; envoyCPU and guardCPU are what that
	// cost.
	wall, envoyCPU, guardCPU time.Duration
	mallocs                  uint64 // of the guard's process
	told                     bool   // the system tells of Envoy's CPU
}

func (w *way) close() error {
	var errs []error
	if w.load != nil {
		errs = append(errs, w.load.close())
	}
	for _, v := range slices.Backward(w.undo) {
		errs = append(errs, v())
	}
	return errors.Join(errs...)
}

func (b *bench) through(ctx context.Context) (out []figure, err error) {
	up, err := newUpstream()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, up.close()) }()
	var ways []*way
	defer func() {
		for _, w := range ways {
			err = errors.Join(err, w.close())
		}
	}()
	for _, open := range []func(context.Context, *upstream) (*way, error){b.bare, b.alwaysOK, b.held, b.unleashed} {
		b.mention("envoy: start, %d", len(ways)+1)
		w, err := open(ctx, up)
		ways = append(ways, w)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	if err := b.pressAll(ctx, "envoy", ways, b.span()); err != nil {
		return nil, err
	}
	for i, w := range ways {
		out = append(out, w.figures(ways[max(0, min(i-1, 1))])...)
	}
	return out, nil
}

// pressAll presses every way in turn, so that what else the machine does
// concerns all. The first turn warms up and does not count.
func (b *bench) pressAll(ctx context.Context, what string, ways []*way, span time.Duration) error {
	window := min(time.Second, span)
	turns := 1 + max(1, int(span/window))
	for i := range turns {
		for _, w := range ways {
			b.mention("%s: turn %d of %d, %s", what, i+1, turns, w.name)
			if err := w.press(ctx, window); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if i == 0 {
				w.took, w.wall, w.envoyCPU, w.guardCPU, w.mallocs = nil, 0, 0, 0, 0
			}
		}
	}
	return nil
}

func (w *way) press(ctx context.Context, d time.Duration) error {
	envoy0, _ := cpuOf(w.envoy)
	guard0, err := w.guardUsed()
	if err != nil {
		return err
	}
	begun := time.Now()
	took, err := w.load.press(ctx, w.request, d)
	if err != nil {
		return err
	}
	w.wall += time.Since(begun)
	w.took = append(w.took, took...)
	guard1, err := w.guardUsed()
	if err != nil {
		return err
	}
	envoy1, told := cpuOf(w.envoy)
	w.envoyCPU, w.guardCPU, w.told = w.envoyCPU+envoy1-envoy0, w.guardCPU+guard1.CPU-guard0.CPU, told
	w.mallocs += guard1.Mallocs - guard0.Mallocs
	return nil
}

func (w *way) guardUsed() (report, error) {
	if w.guard == nil {
		return report{}, nil
	}
	return w.guard.report()
}

func (w *way) onEnvoy() float64 { return inMicros(w.envoyCPU) / float64(len(w.took)) }

func (w *way) rate() float64 { return float64(len(w.took)) / w.wall.Seconds() }

// figures are against another way; against itself: there is no baseline.
func (w *way) figures(than *way) []figure {
	name := func(s string) string { return "envoy/" + w.name + "/" + s }
	note := w.what
	if than != w {
		note += "; baseline: " + than.what
	}
	out := []figure{newFigure(name("rps"), note, w.rate(), "/s")}
	out = append(out, newFigure(name("p50"), w.what, inMillis(quantile(w.took, 0.5)), millis),
		newFigure(name("p99"), w.what, inMillis(quantile(w.took, 0.99)), millis))
	base := []float64{than.rate(), inMillis(quantile(than.took, 0.5)), inMillis(quantile(than.took, 0.99))}
	if w.told {
		out = append(out, newFigure(name("envoy-cpu"), "Envoy's CPU of a request", w.onEnvoy(), micros))
		base = append(base, than.onEnvoy())
	}
	if than != w {
		for i := range out {
			out[i] = out[i].against(base[i])
		}
	}
	if w.guard != nil {
		out = append(out, newFigure(name("guard-cpu"), "CPU of the process that decides, of a request", inMicros(w.guardCPU)/float64(len(w.took)), micros))
	}
	return out
}

// join dials a way's listener and gives it its request.
func (w *way) join(ctx context.Context, port int, raw string) (err error) {
	w.request = requestFor(routePath(0, 0), raw)
	w.load, err = dialMany(ctx, port, crowdSize)
	return err
}

// bare is Envoy that asks nobody.
func (b *bench) bare(ctx context.Context, up *upstream) (*way, error) {
	w := &way{name: "bare", what: "without ext_authz"}
	return w, b.openStatic(ctx, w, baseline{upstream: up.at}, func(int) {})
}

// alwaysOK is Envoy that asks one who says OK.
func (b *bench) alwaysOK(ctx context.Context, up *upstream) (*way, error) {
	w := &way{name: "always-ok", what: "with ext_authz that always says OK"}
	dir, err := b.folder("ok")
	if err != nil {
		return w, err
	}
	if w.guard, err = b.start(ctx, spec{Role: roleBlind, Dir: dir}); err != nil {
		return w, err
	}
	w.undo = append(w.undo, w.guard.stop)
	admit := func(pid int) {
		if err := w.guard.admit(pid); err != nil {
			b.say("envoy: %v", err)
		}
	}
	return w, b.openStatic(ctx, w, baseline{upstream: up.at, socket: socketIn(dir)}, admit)
}

func (b *bench) openStatic(ctx context.Context, w *way, v baseline, admit func(pid int)) error {
	key, err := token.Generate(rand.Reader)
	if err != nil {
		return err
	}
	raw, err := mint(key, "txn-1", time.Now())
	if err != nil {
		return err
	}
	dir, err := b.folder(w.name)
	if err != nil {
		return err
	}
	if v.port, err = freePort(); err != nil {
		return err
	}
	s, err := b.runStatic(ctx, dir, v, admit)
	if err != nil {
		return err
	}
	w.undo, w.envoy = append(w.undo, s.stop), s.envoy.PID()
	return w.join(ctx, v.port, raw)
}

// held is hopgate as it is, unleashed without holds.
func (b *bench) held(ctx context.Context, up *upstream) (*way, error) {
	w := &way{name: "hopgate", what: "with hopgate, every hop held"}
	return w, b.openProduct(ctx, w, layout{upstream: int(up.at.Port()), routes: 1})
}

func (b *bench) unleashed(ctx context.Context, up *upstream) (*way, error) {
	w := &way{name: "unleashed", what: "with hopgate, no hop held (unleashedMax)"}
	return w, b.openProduct(ctx, w, layout{upstream: int(up.at.Port()), routes: 1, unleashed: true})
}

func (b *bench) openProduct(ctx context.Context, w *way, l layout) error {
	p, err := b.launch(ctx, w.name, &l)
	if err != nil {
		return err
	}
	w.guard, w.envoy, w.undo = p.child, p.child.first.Envoy, append(w.undo, p.child.stop)
	return w.join(ctx, l.port, p.token)
}

// launched is a hopgate that runs.
type launched struct {
	*child
	dir, token string
	key        *token.Key
}

// state is its state folder.
func (p *launched) state() string { return filepath.Join(p.dir, stateDir) }

// launch starts a hopgate with these objects, on a port that it chooses.
func (b *bench) launch(ctx context.Context, name string, l *layout) (_ *launched, err error) {
	if l.port, err = freePort(); err != nil {
		return nil, err
	}
	return b.launchWith(ctx, name, l.write)
}

// launchWith starts a hopgate with the objects that write writes.
func (b *bench) launchWith(ctx context.Context, name string, write func(dir string) error) (*launched, error) {
	return b.launchAs(ctx, name, spec{}, write)
}

// launchAs is launchWith for a hopgate of which more is to be said.
func (b *bench) launchAs(ctx context.Context, name string, s spec, write func(dir string) error) (*launched, error) {
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	p := &launched{dir: dir}
	for _, d := range []string{filepath.Join(dir, objectsDir), p.state()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder to work in: %w", err)
		}
	}
	if err := write(filepath.Join(dir, objectsDir)); err != nil {
		return nil, err
	}
	if p.key, err = token.LoadOrCreate(laptop.LocalKey(p.state())); err != nil {
		return nil, err
	}
	if p.token, err = mint(p.key, "txn-1", time.Now()); err != nil {
		return nil, err
	}
	s.Role, s.Dir, s.Envoy = roleHopgate, dir, b.binary
	if p.child, err = b.start(ctx, s); err != nil {
		return nil, err
	}
	return p, nil
}
