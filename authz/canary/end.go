package canary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// end is a destination of canaries.
type end interface {
	serve()
	close() error
}

// plain is a destination of requests: it says its name, or begins a stream that
// it does not end.
type plain struct {
	name     string
	listener net.Listener
	server   *http.Server
	tally    *tally
}

// beginning is what a stream begins with.
const beginning = "data: begun\n\n"

// maxSocketPath is the longest path a unix socket can have, without the NUL.
const maxSocketPath = 107

// openEnds opens the destinations' sockets, and sees that those of the
// listeners can be.
func openEnds(dir string, t *tally) ([]end, *secure, error) {
	for _, n := range slices.Concat(wire.CanaryListeners(), wire.CanaryDestinations()) {
		if p := wire.CanarySocket(dir, n); len(p) > maxSocketPath {
			return nil, nil, fmt.Errorf("%s is too long for a socket", p)
		}
	}
	var out []end
	var never *secure
	for _, n := range wire.CanaryDestinations() {
		l, err := openSocket(wire.CanarySocket(dir, n))
		if err != nil {
			return nil, nil, errors.Join(err, closeEnds(out))
		}
		switch n {
		case wire.CanaryNever:
			never = newSecure(n, l, t)
			out = append(out, never)
		case wire.CanarySecure:
			out = append(out, newSecure(n, l, t))
		default:
			out = append(out, newPlain(n, l, t))
		}
	}
	return out, never, nil
}

func openSocket(path string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open a destination of canaries: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("close a destination of canaries to others: %w", err), l.Close())
	}
	return l, nil
}

func closeEnds(ends []end) error {
	var errs []error
	for _, e := range ends {
		errs = append(errs, e.close())
	}
	return errors.Join(errs...)
}

func newPlain(name string, l net.Listener, t *tally) *plain {
	e := &plain{name: name, listener: l, tally: t}
	e.server = &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	return e
}

func (e *plain) serve() { _ = e.server.Serve(e.listener) } // it ends when it is closed

func (e *plain) close() error {
	err := e.server.Close()
	if closed := e.listener.Close(); !errors.Is(closed, net.ErrClosed) {
		err = errors.Join(err, closed)
	}
	return err
}

// ServeHTTP answers a canary.
func (e *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case pathName:
		_, _ = io.WriteString(w, e.name) // a canary that has gone needs no answer
		return
	case pathMeter:
		e.metered(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, beginning)       // nor does it need this
	_ = http.NewResponseController(w).Flush() // and neither does it here
	<-r.Context().Done()
}
