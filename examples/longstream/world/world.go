package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Addresses are where the world listens.
type Addresses struct{ Tools, Feed string }

// Documented are those that the example's files say.
func Documented() Addresses { return Addresses{Tools: "127.0.0.1:9201", Feed: "127.0.0.1:9202"} }

// World is all servers.
type World struct {
	end     context.CancelFunc // of what never ends by itself
	servers []*http.Server
	wg      sync.WaitGroup
}

// Start listens everywhere.
func Start(at Addresses) (*World, error) {
	ctx, end := context.WithCancel(context.Background())
	w := &World{end: end}
	for _, s := range []struct {
		at string
		h  http.Handler
	}{{at.Tools, Tools(ctx)}, {at.Feed, Feed(ctx)}} {
		if err := w.serve(s.at, s.h); err != nil {
			return nil, errors.Join(err, w.Stop())
		}
	}
	return w, nil
}

func (w *World) serve(at string, h http.Handler) error {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return fmt.Errorf("start the example's world: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, s)
	w.wg.Go(func() { _ = s.Serve(l) }) // it ends with Stop
	return nil
}

// Stop ends everything.
func (w *World) Stop() error {
	w.end()
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, s.Close())
	}
	w.wg.Wait()
	return errors.Join(errs...)
}
