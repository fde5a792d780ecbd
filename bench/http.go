package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// smallBody is what the upstream answers.
const smallBody = "a small answer, as of an API that has not much to say today\n"

// upstream is what is behind Envoy.
type upstream struct {
	server *http.Server
	ended  chan error
	at     netip.AddrPort
}

// newUpstream answers every request by the same few bytes.
func newUpstream() (*upstream, error) {
	return serveUpstream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, smallBody) // whoever has gone needs no answer
	}))
}

// serveUpstream is an upstream that answers by h.
func serveUpstream(h http.Handler) (*upstream, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open an upstream: %w", err)
	}
	return serveAt(l, h), nil
}

// serveAt is serveUpstream on a listener.
func serveAt(l net.Listener, h http.Handler) *upstream {
	u := &upstream{ended: make(chan error, 1), at: l.Addr().(*net.TCPAddr).AddrPort()}
	u.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { u.ended <- u.server.Serve(l) }()
	return u
}

func (u *upstream) close() error {
	err := u.server.Close()
	if served := <-u.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// freePort is one that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// caller is one connection of HTTP/1.1 that asks for one thing at a time.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
}

func newCaller(conn net.Conn) *caller { return &caller{conn, bufio.NewReader(conn)} }

func dial(ctx context.Context, port int) (*caller, error) {
	conn, err := dialLocal(ctx, port)
	if err != nil {
		return nil, err
	}
	return newCaller(conn), nil
}

// dialLocal dials a port of this machine.
func dialLocal(ctx context.Context, port int) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

// requestFor is a small GET, in its bytes.
func requestFor(path, token string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: tools.example\r\nAccept: */*\r\nUser-Agent: bench\r\nTxn-Token: %s\r\n\r\n", path, token)
}

// answerWithin bounds one request.
const answerWithin = 20 * time.Second

// get sends a request and reads its answer to the end.
func (c *caller) get(request []byte) (status int, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0, err
	}
	if res.Close {
		return res.StatusCode, errors.New("the connection was closed by the answer")
	}
	return res.StatusCode, nil
}

func (c *caller) close() error { return c.conn.Close() }

// crowd is many callers of one listener.
type crowd []*caller

func dialMany(ctx context.Context, port, n int) (crowd, error) {
	var out crowd
	for range n {
		c, err := dial(ctx, port)
		if err != nil {
			return nil, errors.Join(err, out.close())
		}
		out = append(out, c)
	}
	return out, nil
}

func (cs crowd) close() error {
	var errs []error
	for _, c := range cs {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// press sends a request again and again on every connection for a while, and
// returns how long each took. Any answer but 200 is an error.
func (cs crowd) press(ctx context.Context, request []byte, d time.Duration) ([]time.Duration, error) {
	took, errs := make([][]time.Duration, len(cs)), make([]error, len(cs))
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for i, c := range cs {
		wg.Go(func() {
			for errs[i] == nil && ctx.Err() == nil && time.Now().Before(end) {
				begun := time.Now()
				errs[i] = c.must(request)
				took[i] = append(took[i], time.Since(begun))
			}
		})
	}
	wg.Wait()
	var all []time.Duration
	for _, t := range took {
		all = append(all, t...)
	}
	return all, errors.Join(errors.Join(errs...), ctx.Err())
}

func (c *caller) must(request []byte) error {
	status, err := c.get(request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d", status)
	}
	return err
}
