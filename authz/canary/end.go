package canary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// end is a destination of canaries: it says its name, or begins a stream that
// it does not end.
type end struct {
	name     string
	listener net.Listener
	server   *http.Server
}

// beginning is what a stream begins with.
const beginning = "data: begun\n\n"

// maxSocketPath is the longest path a unix socket can have, without the NUL.
const maxSocketPath = 107

// openEnds opens the destinations' sockets, and sees that those of the
// listeners can be.
func openEnds(dir string) ([]*end, error) {
	for _, n := range []string{wire.CanaryRoutes, wire.CanaryProxy, wire.CanaryOne, wire.CanaryTwo} {
		if p := wire.CanarySocket(dir, n); len(p) > maxSocketPath {
			return nil, fmt.Errorf("%s is too long for a socket", p)
		}
	}
	var out []*end
	for _, n := range []string{wire.CanaryOne, wire.CanaryTwo} {
		e, err := openEnd(dir, n)
		if err != nil {
			return nil, errors.Join(err, closeEnds(out))
		}
		out = append(out, e)
	}
	return out, nil
}

func openEnd(dir, name string) (*end, error) {
	path := wire.CanarySocket(dir, name)
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open a destination of canaries: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("close a destination of canaries to others: %w", err), l.Close())
	}
	e := &end{name: name, listener: l}
	e.server = &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	return e, nil
}

func (e *end) serve() { _ = e.server.Serve(e.listener) } // it ends when it is closed

func closeEnds(ends []*end) error {
	var errs []error
	for _, e := range ends {
		errs = append(errs, e.server.Close())
		if err := e.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ServeHTTP answers a canary.
func (e *end) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == pathName {
		_, _ = io.WriteString(w, e.name) // a canary that has gone needs no answer
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, beginning)       // nor does it need this
	_ = http.NewResponseController(w).Flush() // and neither does it here
	<-r.Context().Done()
}
