package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// cargo is what goes one way through so many tunnels at once.
type cargo struct {
	name, path string
	n          int
}

func cargoes() []cargo {
	return []cargo{{"down", pathDown, 1}, {"up", pathUp, 1}, {"down", pathDown, 8}, {"up", pathUp, 8}}
}

// carried is what one road has carried.
type carried struct {
	bytes              int64
	wall               time.Duration
	envoyCPU, guardCPU time.Duration
	told               bool // the system tells of Envoy's CPU
}

func (c *carried) add(o carried) {
	c.bytes, c.wall, c.told = c.bytes+o.bytes, c.wall+o.wall, o.told
	c.envoyCPU, c.guardCPU = c.envoyCPU+o.envoyCPU, c.guardCPU+o.guardCPU
}

func (c *carried) rate() float64 { return c.size() / c.wall.Seconds() }

func (c *carried) size() float64 { return float64(c.bytes) / mebibyte }

// carry measures what tunnels carry, by every road in turn.
// The first turn warms up and does not count.
func (b *bench) carry(ctx context.Context, l *country, ks []cargo) (out []figure, err error) {
	window := min(time.Second, b.egressSpan())
	for _, k := range ks {
		by := make([]carried, len(l.roads))
		for turn := range 1 + max(1, int(b.egressSpan()/window)) {
			for i, r := range l.roads {
				b.mention("egress: %s by %d tunnels, %s", k.name, k.n, r.name)
				one, err := k.by(ctx, l.site, r, window)
				if err != nil {
					return out, fmt.Errorf("%s by %d tunnels, %s: %w", k.name, k.n, r.name, err)
				}
				if turn > 0 {
					by[i].add(one)
				}
			}
		}
		for i := range by {
			out = append(out, k.figures(l.roads, by, i)...)
		}
	}
	return out, nil
}

// by has the tunnels of a road carry it for a while.
func (k cargo) by(ctx context.Context, s *site, r *road, d time.Duration) (c carried, err error) {
	cs, err := r.openMany(ctx, hostPassed, k.n)
	if err != nil {
		return c, err
	}
	var taken atomic.Int64
	count := &s.taken
	if k.path == pathDown {
		count = &taken
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() { err = errors.Join(err, cs.abandon()) }()
	for _, one := range cs {
		if err := one.begin(r.page(hostPassed, k.path)); err != nil {
			return c, err
		}
		wg.Go(func() {
			if k.path == pathDown {
				swallow(one.in, &taken)
			} else {
				pour(one.conn)
			}
		})
	}
	return k.weigh(ctx, r, count, d)
}

// begin sends a request, and reads the head of an answer that has no end.
func (c *caller) begin(request []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil) //nolint:bodyclose // its body is the rest of the connection
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %d", res.StatusCode)
	}
	return err
}

// abandon closes connections on which more is under way.
func (cs crowd) abandon() error {
	var errs []error
	for _, c := range cs {
		under := c.conn
		if t, ok := under.(interface{ NetConn() net.Conn }); ok {
			under = t.NetConn() // TLS would say goodbye behind all that waits
		}
		errs = append(errs, under.Close())
	}
	return errors.Join(errs...)
}

// swallow reads until there is nothing more.
func swallow(in io.Reader, taken *atomic.Int64) {
	block := make([]byte, blockSize)
	for {
		n, err := in.Read(block)
		taken.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// getGoing is how long what flows may take to be even.
const getGoing = 100 * time.Millisecond

// weigh counts for a while.
func (k cargo) weigh(ctx context.Context, r *road, taken *atomic.Int64, d time.Duration) (c carried, err error) {
	if err := pause(ctx, getGoing); err != nil {
		return c, err
	}
	w := way{envoy: r.envoy, guard: r.guard}
	envoy0, _ := cpuOf(w.envoy)
	guard0, err := w.guardUsed()
	if err != nil {
		return c, err
	}
	before, begun := taken.Load(), time.Now()
	if err := pause(ctx, d); err != nil {
		return c, err
	}
	c.bytes, c.wall = taken.Load()-before, time.Since(begun)
	guard1, err := w.guardUsed()
	if err != nil {
		return c, err
	}
	envoy1, told := cpuOf(w.envoy)
	c.envoyCPU, c.guardCPU, c.told = envoy1-envoy0, guard1.CPU-guard0.CPU, told
	if c.bytes == 0 {
		return c, errors.New("nothing came")
	}
	return c, nil
}

// figures of one road are against the one before; the rate of the last is also
// against the first.
func (k cargo) figures(roads []*road, by []carried, i int) []figure {
	r, c := roads[i], &by[i]
	name := func(s string) string { return fmt.Sprintf("egress/%s/%d/%s/%s", k.name, k.n, r.name, s) }
	rate := newFigure(name("rate"), fmt.Sprintf("%d tunnels, TLS in them: %sloads, %s", k.n, k.name, r.what), c.rate(), "MiB/s")
	if i == 0 {
		return []figure{rate}
	}
	rate = rate.against(by[i-1].rate())
	rate.what += "; baseline: " + roads[i-1].what
	out := []figure{rate}
	if i > 1 {
		out = append(out, newFigure(name("rate-of-"+roads[0].name), "baseline: "+roads[0].what, c.rate(), "MiB/s").against(by[0].rate()))
	}
	if !c.told {
		return out
	}
	if r.guard != nil {
		out = append(out, newFigure(name("guard-cpu"), "the guard's CPU of a mebibyte", inMicros(c.guardCPU)/c.size(), micros))
	}
	cpu := newFigure(name("envoy-cpu"), "Envoy's CPU of a mebibyte", inMicros(c.envoyCPU)/c.size(), micros)
	if by[i-1].told {
		cpu = cpu.against(inMicros(by[i-1].envoyCPU) / by[i-1].size())
	}
	return append(out, cpu)
}
