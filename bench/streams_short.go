package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// shortCrowd is how many connections ask for something short: few, so that
// what a hold adds to one is not hidden by a queue.
const shortCrowd = 4

// shortHops has short requests go with a hold and without, in turn.
func (b *bench) shortHops(ctx context.Context, s *sources) (out []figure, err error) {
	b.say("streams: short hops")
	var ways []*way
	defer func() {
		for _, w := range slices.Backward(ways) {
			err = errors.Join(err, w.close())
		}
	}()
	for _, k := range holds()[:2] {
		h, err := b.newHerd(ctx, k, 0, s)
		if err != nil {
			return nil, err
		}
		for _, tool := range []bool{false, true} {
			w := h.way(tool)
			if ways = append(ways, w); !tool {
				w.undo = append(w.undo, h.close)
			}
			if w.load, err = dialMany(ctx, h.layout.port, shortCrowd); err != nil {
				return nil, err
			}
		}
	}
	if err := b.pressAll(ctx, "streams", ways, b.span()); err != nil {
		return nil, err
	}
	return append(ways[2].costs("short/leash", ways[0]), ways[3].costs("short/relay", ways[1])...), nil
}

// way is that of a short request, of a page or of a tool.
func (h *herd) way(tool bool) *way {
	w := &way{name: h.hold.name + " page", guard: h.child, envoy: h.first.Envoy, request: requestFor(pathShort, h.token)}
	if tool {
		w.name, w.request = h.hold.name+" tool", toolRequest(toolShort, h.token)
	}
	return w
}

// toolRequest is a call of a tool, in its bytes.
func toolRequest(tool, token string) []byte {
	body := callOf(tool)
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: tools.example\r\nAccept: application/json, text/event-stream\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nTxn-Token: %s\r\n\r\n", pathTools, len(body), token), body...)
}

func (w *way) onGuard() float64 { return inMicros(w.guardCPU) / float64(len(w.took)) }

// costs are those of a hold for a short request.
func (w *way) costs(name string, none *way) []figure {
	row := func(what, text string, of func(*way) float64, unit string) figure {
		return newFigure("streams/"+name+"/"+what, text, of(w), unit).against(of(none))
	}
	at := func(q float64) func(*way) float64 {
		return func(w *way) float64 { return inMillis(quantile(w.took, q)) }
	}
	out := []figure{
		row("p50", "a short request with a hold; baseline: without", at(0.5), millis),
		row("p99", "the same", at(0.99), millis),
		row("guard-cpu", "the guard's CPU of it", (*way).onGuard, micros),
		row("guard-allocs", "allocations of the guard's process", func(w *way) float64 { return float64(w.mallocs) / float64(len(w.took)) }, count),
	}
	if w.told {
		out = append(out, row("envoy-cpu", "Envoy's CPU of it", (*way).onEnvoy, micros))
	}
	return out
}

// followers is how many streams have events at once.
const followers = 8

// flow is what events of streams cost.
type flow struct {
	hold
	events, mallocs    float64
	guardCPU, envoyCPU time.Duration
}

// events measures streams whose events go on, one kind after the other, and
// twice, so that what else the machine does concerns all.
func (b *bench) events(ctx context.Context, s *sources) (out []figure, err error) {
	var flows []*flow
	for _, k := range holds() {
		flows = append(flows, &flow{hold: k})
	}
	for turn := range 2 {
		for _, f := range flows {
			b.mention("streams: events, %s", f.hold.name)
			if err := b.follow(ctx, f, turn, s); err != nil {
				return nil, err
			}
		}
	}
	for _, f := range flows[1:] {
		out = append(out, f.figures(flows[0])...)
	}
	return out, nil
}

// follow opens streams whose events go on, and adds to f what they cost.
func (b *bench) follow(ctx context.Context, f *flow, turn int, s *sources) (err error) {
	k := f.hold
	k.name += "-events-" + strconv.Itoa(turn)
	h, err := b.newHerd(ctx, k, followers, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	for i := range h.streams {
		if h.streams[i], err = h.conns[0].Start(h.request(h.tokens[i], true)); err != nil {
			return err
		}
		if err := h.begun(ctx, i); err != nil {
			return err
		}
	}
	if err := pause(ctx, warmFor); err != nil {
		return err
	}
	return b.count(ctx, h, f)
}

func (b *bench) count(ctx context.Context, h *herd, f *flow) error {
	r0, err := h.report()
	if err != nil {
		return err
	}
	envoy0, _ := cpuOf(h.first.Envoy)
	come := h.come()
	if err := pause(ctx, b.span()/2); err != nil {
		return err
	}
	r1, err := h.report()
	if err != nil {
		return err
	}
	envoy1, _ := cpuOf(h.first.Envoy)
	f.events += float64(h.come()-come) / float64(len(streamEvent))
	f.guardCPU, f.envoyCPU = f.guardCPU+r1.CPU-r0.CPU, f.envoyCPU+envoy1-envoy0
	f.mallocs += float64(r1.Mallocs - r0.Mallocs)
	if f.events < 1 {
		return errors.New("no event came")
	}
	return nil
}

// come is how many bytes have come to all clients.
func (h *herd) come() (n int64) {
	for _, s := range h.streams {
		n += s.Bytes()
	}
	return n
}

func (f *flow) figures(none *flow) []figure {
	row := func(what, text string, of func(*flow) float64, unit string) figure {
		return newFigure("streams/event/"+f.hold.name+"/"+what, text, of(f)/f.events, unit).against(of(none) / none.events)
	}
	return []figure{
		row("guard-cpu", "the guard's CPU of an event, "+f.what, func(f *flow) float64 { return inMicros(f.guardCPU) }, micros),
		row("guard-allocs", "allocations of the guard's process", func(f *flow) float64 { return f.mallocs }, count),
		row("envoy-cpu", "Envoy's CPU of an event", func(f *flow) float64 { return inMicros(f.envoyCPU) }, micros),
	}
}
