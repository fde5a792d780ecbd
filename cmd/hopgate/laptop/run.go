package laptop

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// Ready reports whether everything is served that can be. Without the guard's
// socket an Envoy that starts anew serves nothing, whatever was ready before.
func (l *Laptop) Ready() bool {
	return l.xds.Ready() && l.envoy.PID() != 0 && l.guard.Ready() && there(l.Socket())
}

// Run serves until ctx ends, and then lets what has begun come to its end,
// for as long as the grace period. It returns when everything has stopped.
func (l *Laptop) Run(ctx context.Context) error {
	defer l.close()
	// Each part ends after those that need it.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	child, stopChild := context.WithCancel(serving)
	defer stopChild()
	sourcing, stopSource := context.WithCancel(serving)
	defer stopSource()

	var wg parts
	failed := make(chan error, 1)
	wg.run(failed, func() error { l.controller.Run(serving); return nil })
	wg.run(failed, func() error { return l.xds.Run(serving) })
	wg.run(failed, func() error { return l.health.run(serving, l) })
	wg.run(failed, func() error { return l.admin.Run(serving) })
	wg.run(failed, func() error { return l.guard.Run(serving, l.grpc.Stop) })
	if l.secrets != nil {
		wg.run(failed, func() error { return l.secrets.Run(serving) })
	}
	wg.run(failed, l.serve)
	wg.run(failed, func() error { return l.watchRuntime(serving, runtimePoll) })
	l.envoys.begin(sourcing)
	wg.run(failed, func() error { return l.source.Run(sourcing) })
	ended := make(chan struct{})
	wg.run(failed, func() error { defer close(ended); return l.envoy.Run(child) })
	wg.run(failed, func() error { l.announce(sourcing); return nil })

	err := wait(ctx, failed)
	l.health.draining.Store(true)
	if err == nil {
		l.drain()
	}
	stopSource()
	stopChild()
	<-ended
	stopServing()
	return errors.Join(err, wg.wait())
}

// serve answers Envoy. To be stopped before it began is no failure.
func (l *Laptop) serve() error {
	if err := l.grpc.Serve(l.socket); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// wait returns nil when ctx ends, or what ended by itself.
func wait(ctx context.Context, failed <-chan error) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// parts are goroutines that are waited for. The first error of one is told.
type parts struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error // guarded by mu
}

func (p *parts) run(failed chan<- error, f func() error) {
	p.wg.Go(func() {
		err := f()
		if err == nil {
			return
		}
		p.mu.Lock()
		p.errs = append(p.errs, err)
		p.mu.Unlock()
		select {
		case failed <- err:
		default:
		}
	})
}

func (p *parts) wait() error {
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// drain closes the listeners and waits for what has begun.
func (l *Laptop) drain() {
	if l.envoy.PID() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.cfg.Grace)
	defer cancel()
	n, _ := l.envoy.Admin().ActiveRequests(ctx) // only for the log
	l.cfg.Log.Info("draining", "active", n, "grace", l.cfg.Grace)
	if err := l.envoy.Admin().Drain(ctx); err != nil {
		l.cfg.Log.Warn("not all requests ended in time", "error", err, "cut", l.guard.EndAll())
	}
	settle, done := context.WithTimeout(context.Background(), settleTime)
	defer done()
	l.guard.Settle(settle)
}

// settleTime bounds the wait for Envoy's word on how the last hops ended.
const settleTime = time.Second

// readyPoll is how often readiness is looked at, until it comes.
const readyPoll = 10 * time.Millisecond

func (l *Laptop) announce(ctx context.Context) {
	t := time.NewTicker(readyPoll)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if l.Ready() {
				l.cfg.Report.Ready(l)
				return
			}
		}
	}
}

// close gives up what New took.
func (l *Laptop) close() {
	if err := errors.Join(l.runtime.Close(), l.state.close()); err != nil {
		l.cfg.Log.Warn("tidy up", "error", err)
	}
}
