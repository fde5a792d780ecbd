package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/bench/h2"
)

// request is what a stream is opened with.
type request struct {
	token  string
	header [][2]string
}

// kind is a kind of stream.
type kind struct {
	name string
	// word is true where a client is told why it is cut off.
	word bool
	open func(context.Context, *soak, request) (*stream, error)
}

const toolCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"watch","arguments":{"query":"x"}}}`

// kinds are all kinds that end in every manner.
func kinds() []*kind {
	return []*kind{
		{"events", false, func(ctx context.Context, s *soak, r request) (*stream, error) {
			return s.ask(ctx, "GET", pathEvents, "", r)
		}},
		{"events h2", false, func(ctx context.Context, s *soak, r request) (*stream, error) {
			return s.ask2(ctx, &h2.Request{Method: "GET", Path: pathEvents}, r)
		}},
		{"tool", true, func(ctx context.Context, s *soak, r request) (*stream, error) {
			r.header = append(r.header, [2]string{"content-type", "application/json"})
			return s.ask(ctx, "POST", pathTools, toolCall, r)
		}},
		{"tool h2", true, func(ctx context.Context, s *soak, r request) (*stream, error) {
			r.header = append(r.header, [2]string{"content-type", "application/json"})
			return s.ask2(ctx, &h2.Request{Method: "POST", Path: pathTools, Body: []byte(toolCall)}, r)
		}},
		{"websocket", true, func(ctx context.Context, s *soak, r request) (*stream, error) {
			r.header = append(r.header, [2]string{"connection", "Upgrade"}, [2]string{"upgrade", "websocket"},
				[2]string{"sec-websocket-version", "13"}, [2]string{"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="})
			return s.ask(ctx, "GET", pathSocket, "", r)
		}},
		{"grpc", false, func(ctx context.Context, s *soak, r request) (*stream, error) {
			r.header = append(r.header, [2]string{"content-type", "application/grpc"}, [2]string{"te", "trailers"})
			return s.ask2(ctx, &h2.Request{Method: "POST", Path: pathWatch, Body: make([]byte, 5)}, r, refusedAtOnce)
		}},
		{"tunnel", false, tunnel},
		{"tunnel h2", false, tunnel2},
	}
}

// gated is the kind that a policy ends.
func gated() *kind {
	return &kind{"gated", false, func(ctx context.Context, s *soak, r request) (*stream, error) {
		return s.ask2(ctx, &h2.Request{Method: "GET", Path: pathGated}, r)
	}}
}

// tunnel is one over HTTP/1.1, with a request inside.
func tunnel(ctx context.Context, s *soak, r request) (*stream, error) {
	c, err := dial(ctx, s.Proxy)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(c)
	target := hostSite + ":" + s.site.port()
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nTxn-Token: %s\r\n\r\n", target, target, r.token); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if _, err := hear(in, http.MethodConnect); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return converse(c, in, s.inside(r))
}

// errOver is of a stream that was over before anything of it was seen.
var errOver = errors.New("it was over before it began")

// inside is the request in a tunnel, in its bytes. With it the tunnel ends.
func (s *soak) inside(r request) string {
	r.token, r.header = "", append(r.header, [2]string{"connection", "close"})
	return text("GET", pathInside, hostSite+":"+s.site.port(), "", r)
}

// tunnel2 is one over HTTP/2.
func tunnel2(ctx context.Context, s *soak, r request) (*stream, error) {
	st, err := s.lines.start(ctx, s.Proxy, &h2.Request{
		Method: http.MethodConnect, Authority: hostSite + ":" + s.site.port(), Keep: keep, Header: [][2]string{{"txn-token", r.token}},
	})
	if err != nil {
		return nil, err
	}
	if err := begun(ctx, st); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(st, s.inside(r)); err != nil {
		return nil, err
	}
	for ctx.Err() == nil && st.Bytes() == 0 { // the inner hop lives once it has been answered
		select {
		case <-st.Done():
			return nil, errOver
		case <-time.After(10 * time.Millisecond):
		}
	}
	return followed(st), ctx.Err()
}

// ask opens a stream on a connection of its own.
func (s *soak) ask(ctx context.Context, method, path, body string, r request) (*stream, error) {
	c, err := dial(ctx, s.HTTP)
	if err != nil {
		return nil, err
	}
	return converse(c, bufio.NewReader(c), text(method, path, "soak.example", body, r))
}

// ask2 opens a stream on a connection of many.
func (s *soak) ask2(ctx context.Context, h *h2.Request, r request, then ...func(*h2.Stream) error) (*stream, error) {
	h.Authority, h.Keep, h.Header = "soak.example", keep, slices.Concat(r.header, [][2]string{{"txn-token", r.token}})
	st, err := s.lines.start(ctx, s.HTTP, h)
	if err != nil {
		return nil, err
	}
	if err := begun(ctx, st); err != nil {
		return nil, err
	}
	for _, each := range then {
		if err := each(st); err != nil {
			return nil, err
		}
	}
	return followed(st), nil
}

// refusedAtOnce is an error for an answer that is over without a byte: a gRPC
// call that is refused has the status of a good one, and its own behind it.
func refusedAtOnce(st *h2.Stream) error {
	for deadline := time.Now().Add(patience); st.Bytes() == 0; {
		select {
		case <-st.Done():
			if st.Bytes() == 0 && st.End().How == h2.HowEnded {
				return statusError(http.StatusServiceUnavailable)
			}
			return nil
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.New("no message")
		}
	}
	return nil
}

// begun waits for an answer that begins a stream.
func begun(ctx context.Context, st *h2.Stream) error {
	select {
	case <-st.Begun():
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		st.Cancel()
		return errors.New("no answer")
	}
	if st.Status() != http.StatusOK {
		st.Cancel()
		return statusError(st.Status())
	}
	return nil
}

// text is a request in its bytes.
func text(method, path, host, body string, r request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host)
	if r.token != "" {
		fmt.Fprintf(&b, "Txn-Token: %s\r\n", r.token)
	}
	for _, h := range r.header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

// converse says a request, and follows what answers it.
func converse(c net.Conn, in *bufio.Reader, request string) (*stream, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	res, err := hear(in, http.MethodGet)
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	switch {
	case err != nil:
		return nil, errors.Join(err, c.Close())
	case res.StatusCode == http.StatusSwitchingProtocols:
		return follow(in, c), nil
	default:
		return follow(res.Body, c), nil
	}
}

// hear reads an answer that begins a stream.
func hear(in *bufio.Reader, method string) (*http.Response, error) {
	res, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusSwitchingProtocols {
		return nil, statusError(res.StatusCode)
	}
	return res, nil
}

func dial(ctx context.Context, port int) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

// lines are connections of HTTP/2, one a port.
type lines struct {
	mu    sync.Mutex
	conns map[int]*h2.Conn // guarded by mu
}

// start begins a stream, on a new connection where the old one has ended.
func (l *lines) start(ctx context.Context, port int, r *h2.Request) (*h2.Stream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.conns[port]; c != nil {
		if s, err := c.Start(r); err == nil {
			return s, nil
		}
		_ = c.Close() // it has ended
	}
	c, err := h2.Dial(ctx, fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	if l.conns == nil {
		l.conns = map[int]*h2.Conn{}
	}
	l.conns[port] = c
	return c.Start(r)
}

// close ends all of them.
func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for port, c := range l.conns {
		_ = c.Close() // nothing lives on it
		delete(l.conns, port)
	}
}
