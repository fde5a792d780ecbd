package soak

import (
	"context"
	"sync"
	"time"
)

// gateEvery is how often the policy of the gated page changes.
const gateEvery = 3 * time.Second

// gate is a page that a policy opens and closes.
type gate struct {
	write func(open bool)

	mu   sync.Mutex
	last time.Time // guarded by mu; of the last change
}

// swing opens and closes it until ctx ends, and leaves it closed: what is
// behind it then has to end too.
func (g *gate) swing(ctx context.Context) {
	t := time.NewTicker(gateEvery)
	defer t.Stop()
	for open := false; ; open = !open {
		select {
		case <-ctx.Done():
			g.set(false)
			return
		case <-t.C:
			g.set(open)
		}
	}
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = time.Now()
	g.write(open)
}

// settled is how long a change may take to be known everywhere.
const settled = 2 * time.Second

// moved reports whether it changed since then, or a moment before.
func (g *gate) moved(since time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last.After(since.Add(-settled - gateEvery))
}
