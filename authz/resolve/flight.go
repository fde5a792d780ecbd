package resolve

import (
	"context"
	"sync"
)

// maxFlights bounds the names that are resolved at one time.
const maxFlights = 256

// flights are the resolutions under way, of all sources, one for a name and
// source whoever waits for it.
type flights struct {
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	byName map[flightKey]*flight
	closed bool
}

type flightKey struct {
	source *source
	name   string
	// services: it is for HTTPS records, not addresses.
	services bool
}

// flight ends by closing done; entry is then set.
type flight struct {
	done  chan struct{}
	entry *entry
}

func newFlights() *flights {
	f := &flights{byName: map[flightKey]*flight{}}
	f.ctx, f.stop = context.WithCancel(context.Background())
	return f
}

// join finds the flight for k, or starts one that run flies; nil: there are
// too many. A flight goes on when those who wait for it leave: the next one
// who asks finds its answer.
func (f *flights) join(k flightKey, run func(context.Context) *entry) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.byName[k]; fl != nil {
		return fl
	}
	if f.closed || len(f.byName) >= maxFlights {
		return nil
	}
	fl := &flight{done: make(chan struct{})}
	f.byName[k] = fl
	f.wg.Go(func() {
		fl.entry = run(f.ctx)
		f.mu.Lock()
		delete(f.byName, k)
		f.mu.Unlock()
		close(fl.done)
	})
	return fl
}

func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.stop()
	f.wg.Wait()
}
