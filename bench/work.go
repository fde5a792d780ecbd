package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

// work is something that this process does over and over.
type work struct {
	name string
	do   func()

	perBatch int
	// cost is that of one time, by batch.
	cost []time.Duration
}

// batch is how much CPU one batch takes, about: much more than a tick of any
// kernel's clock.
const batch = 20 * time.Millisecond

// calibrate finds how often do fits into a batch, and warms it up.
func (w *work) calibrate() {
	for w.perBatch = 1; ; w.perBatch *= 2 {
		if w.spend() >= batch {
			return
		}
	}
}

// spend does one batch and returns its CPU.
func (w *work) spend() time.Duration {
	begun := ownCPU()
	for range w.perBatch {
		w.do()
	}
	return ownCPU() - begun
}

// quiet is the CPU of one time.
func (w *work) quiet() float64 { return quiet(w.cost) }

// inTurn spends a batch on each in turn, until each had its span. Garbage is
// collected between turns only: how often, and whom it would hit, depends on
// how much of everything else lives in this process.
func (b *bench) inTurn(ctx context.Context, what string, all []*work, span time.Duration) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, w := range all {
		w.calibrate()
		runtime.GC()
	}
	for begun := time.Now(); time.Since(begun) < span*time.Duration(len(all)) || len(all[0].cost) < 3; {
		b.mention("%s: batch %d", what, len(all[0].cost)+1)
		for _, w := range all {
			w.cost = append(w.cost, w.spend()/time.Duration(w.perBatch))
		}
		runtime.GC()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
