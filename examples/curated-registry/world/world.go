package world

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Addresses are where the world listens.
type Addresses struct{ Packages, Modules, Elsewhere string }

// Documented are those that the example's files say.
func Documented() Addresses {
	return Addresses{Packages: "127.0.0.1:9301", Modules: "127.0.0.1:9302", Elsewhere: "127.0.0.1:9303"}
}

// World is all servers.
type World struct {
	servers []*http.Server
	wg      sync.WaitGroup

	mu   sync.Mutex
	seen []string // guarded by mu
}

// Start listens everywhere.
func Start(at Addresses) (*World, error) {
	w := &World{}
	for _, s := range []struct {
		name, at string
		h        http.Handler
	}{{"packages", at.Packages, Packages(time.Now())}, {"modules", at.Modules, Modules()}, {"elsewhere", at.Elsewhere, Packages(time.Now())}} {
		if err := w.serve(s.at, w.watch(s.name, s.h)); err != nil {
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

// watch keeps what a server was asked for.
func (w *World) watch(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen = append(w.seen, name+": "+r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		h.ServeHTTP(out, r)
	})
}

// Seen is what the servers were asked for.
func (w *World) Seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.seen...)
}

// Stop ends everything.
func (w *World) Stop() error {
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, s.Close())
	}
	w.wg.Wait()
	return errors.Join(errs...)
}
