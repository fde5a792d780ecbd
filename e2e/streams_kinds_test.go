package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// live is a stream as its client has it.
type live struct {
	// Reader is what comes.
	io.Reader
	// leave has the client go away.
	leave func()
	// half ends what the client sends; nil: that has ended with the request.
	half func()
	// sent and came are bytes of bodies as the gateway should have counted
	// them; nil: the client does not know.
	sent, came func() int64
}

// word is where a last word stands in what a client reads; empty: it has none.
type word string

const (
	wordNone   word = ""
	wordMCP    word = `"error":{"code":-32043`
	wordModel  word = `data: {"error":{"message"`
	wordSocket word = "\x88"
	wordAnswer word = `"code":`
)

// kind is a way to stream.
type kind struct {
	name string
	word word
	// routed is true for what reaches a Service by an HTTPRoute.
	routed bool
	half   halfClose
	// bare is true where a client cannot tell a reset from an end: the bytes of
	// its connection just stop.
	bare bool
	// silent is true where nothing comes before the end.
	silent bool
	open   func(t testing.TB, m *matrix, b brief, token string) *live
}

// halfClose is what it means that a client ends what it sends.
type halfClose string

const (
	// halfNone: nothing, the request is whole before it is let pass; or all, on
	// a connection of HTTP/1.1 that became another protocol's.
	halfNone halfClose = ""
	// halfHeard: the backend sees it.
	halfHeard halfClose = "heard"
	// halfUnheard: the backend, which is spoken to by HTTP/1.1, does not.
	halfUnheard halfClose = "unheard"
)

func kinds() []kind {
	const chat = `{"model":"m","stream":true,"messages":[]}`
	return []kind{
		{name: "events", routed: true, half: halfHeard, open: web(client1, "POST", "/page/events", "")},
		{name: "events over HTTP2", routed: true, half: halfHeard, open: web(client2, "POST", "/page/events", "")},
		{name: "long answer", routed: true, half: halfHeard, open: web(client1, "POST", "/page/long", "")},
		{name: "tool", word: wordMCP, routed: true, open: web(client1, "POST", "/mcp", searchCall)},
		{name: "tool over HTTP2", word: wordMCP, routed: true, open: web(client2, "POST", "/mcp", searchCall)},
		{name: "model", word: wordModel, routed: true, open: web(client1, "POST", "/v1/chat/completions", chat)},
		{name: "WebSocket", word: wordSocket, routed: true, bare: true, open: socket1},
		{name: "WebSocket over HTTP2", word: wordSocket, routed: true, half: halfUnheard, open: socket2},
		{name: "gRPC", routed: true, half: halfHeard, open: call2},
		{name: "tunnel", bare: true, open: secured(connect1)},
		{name: "tunnel over HTTP2", half: halfHeard, open: secured(connect2)},
		{name: "opaque tunnel", bare: true, open: opaque(connect1)},
		{name: "opaque tunnel over HTTP2", half: halfHeard, open: opaque(connect2)},
		{name: "inside a tunnel", open: inTunnel},
		{name: "long poll", word: wordAnswer, routed: true, silent: true, open: poll(client1)},
		{name: "long poll over HTTP2", word: wordAnswer, routed: true, silent: true, open: poll(client2)},
	}
}

// idleFor is how long a connection is kept for another stream. One that is
// given back when its client has been closed is closed by this alone.
const idleFor = 500 * time.Millisecond

func client1(t testing.TB) *http.Client {
	c := newClient(t)
	c.Transport.(*http.Transport).IdleConnTimeout = idleFor
	return c
}

func client2(t testing.TB) *http.Client {
	tr := newHTTP2(t)
	tr.IdleConnTimeout = idleFor
	return &http.Client{Transport: tr, Timeout: patience}
}

// counted counts what is read from and written to a connection.
type counted struct {
	net.Conn
	in, out atomic.Int64 // read, written
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.Add(int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.Add(int64(n))
	return n, err
}

// counting counts what is read.
type counting struct {
	io.Reader
	n atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func fixed(n int64) func() int64 { return func() int64 { return n } }

// web is a request whose answer streams. Where the client is to go on sending
// it has a body that is not over.
func web(client func(testing.TB) *http.Client, method, path, body string) func(testing.TB, *matrix, brief, string) *live {
	return func(t testing.TB, m *matrix, b brief, token string) *live {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		r := request(t, method, m.URL(path), token, body).WithContext(ctx)
		r.Header.Set("Accept-Encoding", "gzip") // or the client would decode by itself
		b.put(r.Header)
		l := &live{leave: cancel, sent: fixed(int64(len(body)))}
		if body == "" {
			r.Header.Del("Content-Type")
		}
		if b.half && body == "" {
			pr, pw := io.Pipe()
			r.Body, r.ContentLength = pr, -1
			go func() { _, _ = io.WriteString(pw, "hello") }() // the stream ends where it cannot
			l.half, l.sent = func() { pw.Close() }, fixed(5)
			t.Cleanup(func() { pw.Close() })
		}
		res, err := client(t).Do(r)
		if err != nil {
			t.Fatalf("%s: %v", b.name, err)
		}
		t.Cleanup(func() { res.Body.Close() })
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: answer %+v", b.name, read(t, res))
		}
		c := &counting{Reader: res.Body}
		l.Reader, l.came = c, c.n.Load
		return l
	}
}

// pending is an answer that nobody has begun yet.
type pending struct {
	do   func() (*http.Response, error)
	body io.ReadCloser
}

func (p *pending) Read(b []byte) (int, error) {
	if p.body == nil {
		res, err := p.do()
		if err != nil {
			return 0, err
		}
		p.body = res.Body
	}
	n, err := p.body.Read(b)
	if err != nil {
		p.body.Close()
	}
	return n, err
}

// poll is a request without an answer yet.
func poll(client func(testing.TB) *http.Client) func(testing.TB, *matrix, brief, string) *live {
	return func(t testing.TB, m *matrix, b brief, token string) *live {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		r := request(t, "GET", m.URL("/page/poll"), token, "").WithContext(ctx)
		r.Header.Del("Content-Type")
		b.put(r.Header)
		c := client(t)
		count := &counting{Reader: &pending{do: func() (*http.Response, error) { return c.Do(r) }}}
		return &live{Reader: count, leave: cancel, sent: fixed(0), came: count.n.Load}
	}
}

// hello is a frame of a client.
const hello = "\x81\x85\x00\x00\x00\x00hello"

func socket1(t testing.TB, m *matrix, b brief, token string) *live {
	t.Helper()
	w := dial(t, m.HTTP)
	w.say(t, "GET /page/ws HTTP/1.1\r\nHost: x\r\nTxn-Token: "+token+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+b.lines()+"\r\n")
	if res := w.hear(t, "GET"); res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%s: status %d", b.name, res.StatusCode)
	}
	w.say(t, hello)
	c := &counting{Reader: w}
	return &live{Reader: c, leave: func() { w.Close() }, half: w.half, sent: fixed(int64(len(hello))), came: c.n.Load}
}

// lines are the brief's headers.
func (b brief) lines() string {
	h := http.Header{}
	b.put(h)
	var out strings.Builder
	_ = h.Write(&out) // a builder takes all
	return out.String()
}

// half ends what the client sends on a connection.
func (w *line) half() {
	if c, ok := w.Conn.(*net.TCPConn); ok {
		_ = c.CloseWrite() // it may be gone already
	}
}

// stream2 begins a stream of HTTP/2 that goes both ways (RFC 9113 section 8.5,
// RFC 8441), and gives what comes, where to write, and how to leave.
func stream2(t testing.TB, port int, set func(*http.Request)) (*http.Response, *io.PipeWriter, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	pr, pw := io.Pipe()
	t.Cleanup(func() { pw.Close() })
	r, err := http.NewRequestWithContext(ctx, http.MethodConnect, fmt.Sprintf("http://127.0.0.1:%d", port), pr)
	if err != nil {
		t.Fatal(err)
	}
	set(r)
	res, err := extended(t).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("answer %+v", read(t, res))
	}
	// A body that waits for its next byte does not see that its request is over.
	return res, pw, func() { cancel(); pw.CloseWithError(context.Canceled) }
}

// extended is a transport that sends :protocol, which net/http refuses.
//
//nolint:staticcheck // extended CONNECT is to be had nowhere else
func extended(t testing.TB) http.RoundTripper {
	tr := &http2.Transport{AllowHTTP: true, DisableCompression: true, IdleConnTimeout: idleFor}
	tr.DialTLSContext = func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func socket2(t testing.TB, m *matrix, b brief, token string) *live {
	t.Helper()
	res, pw, leave := stream2(t, m.HTTP, func(r *http.Request) {
		r.URL.Path = "/page/ws"
		r.Header[":protocol"] = []string{"websocket"}
		r.Header.Set("Txn-Token", token)
		b.put(r.Header)
	})
	if _, err := io.WriteString(pw, hello); err != nil {
		t.Fatal(err)
	}
	c := &counting{Reader: res.Body}
	return &live{Reader: c, leave: leave, half: func() { pw.Close() }, sent: fixed(int64(len(hello))), came: c.n.Load}
}

// messages reads the bytes of gRPC messages as they are on the wire.
type messages struct {
	stream grpc.ClientStream
	rest   []byte
}

func (m *messages) Read(p []byte) (int, error) {
	if len(m.rest) == 0 {
		var b wrapperspb.BytesValue
		if err := m.stream.RecvMsg(&b); err != nil {
			return 0, err
		}
		m.rest = grpcMessage(len(b.GetValue()))
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

func call2(t testing.TB, m *matrix, b brief, token string) *live {
	t.Helper()
	c, err := grpc.NewClient(fmt.Sprint("127.0.0.1:", m.HTTP), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	h := http.Header{"Txn-Token": {token}}
	b.put(h)
	var sent []string
	for name, values := range h {
		sent = append(sent, strings.ToLower(name), values[0])
	}
	ctx = metadata.AppendToOutgoingContext(ctx, sent...)
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/stage.Stage/Talk")
	if err != nil {
		t.Fatalf("%s: %v", b.name, err)
	}
	if err := s.SendMsg(wrapperspb.Bytes(plainBytes(smallMessage))); err != nil {
		t.Fatalf("%s: %v", b.name, err)
	}
	count := &counting{Reader: &messages{stream: s}}
	half := func() { _ = s.CloseSend() } // it never fails
	return &live{Reader: count, leave: cancel, half: half, sent: fixed(int64(len(grpcMessage(smallMessage)))), came: count.n.Load}
}

// way is a tunnel: its connection, how to end one direction, and how to leave.
type way struct {
	*counted
	half, leave func()
}

func connect1(t testing.TB, m *matrix, target, token string) way {
	t.Helper()
	w, a := tunnel(t, m.Gateway, target, token)
	a.want(t, 200, "")
	return way{&counted{Conn: w}, w.half, func() { w.Close() }}
}

func connect2(t testing.TB, m *matrix, target, token string) way {
	t.Helper()
	res, pw, leave := stream2(t, m.Proxy, func(r *http.Request) {
		r.Host = target
		k, v, _ := strings.Cut(strings.TrimSpace(proxyAuth(token)), ": ")
		r.Header.Set(k, v)
	})
	return way{&counted{Conn: pipe{Reader: res.Body, Writer: pw}}, func() { pw.Close() }, leave}
}

// opaque is a tunnel whose bytes nobody reads.
func opaque(by func(testing.TB, *matrix, string, string) way) func(testing.TB, *matrix, brief, string) *live {
	return func(t testing.TB, m *matrix, b brief, token string) *live {
		w := by(t, m, "raw.example:"+m.stage.raw.port(), token)
		if _, err := io.WriteString(w, b.line()); err != nil {
			t.Fatal(err)
		}
		return &live{Reader: w, leave: w.leave, half: w.half, sent: w.out.Load, came: w.in.Load}
	}
}

// secured is a tunnel with TLS inside, which passes by its name.
func secured(by func(testing.TB, *matrix, string, string) way) func(testing.TB, *matrix, brief, string) *live {
	return func(t testing.TB, m *matrix, b brief, token string) *live {
		w := by(t, m, "web.example:"+m.stage.web.port(), token)
		c := tls.Client(w, m.stage.web.client(t))
		if _, err := io.WriteString(c, b.line()); err != nil {
			t.Fatal(err)
		}
		half := func() {
			_ = c.CloseWrite() // it may be gone already
			w.half()
		}
		return &live{Reader: c, leave: w.leave, half: half, sent: w.out.Load, came: w.in.Load}
	}
}

// inTunnel is plain HTTP in a tunnel, a hop of its own.
func inTunnel(t testing.TB, m *matrix, b brief, token string) *live {
	t.Helper()
	host := "site.example:" + m.stage.site.port()
	w := connect1(t, m, host, token)
	conn := &line{w.counted, bufio.NewReader(w.counted)}
	conn.say(t, "GET /inside HTTP/1.1\r\nHost: "+host+"\r\n"+b.lines()+"\r\n")
	res := conn.hear(t, "GET")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: answer %+v", b.name, read(t, res))
	}
	c := &counting{Reader: res.Body}
	return &live{Reader: c, leave: w.leave, sent: fixed(0), came: c.n.Load}
}

// ear reads a stream to its end.
type ear struct {
	got  atomic.Int64
	done chan struct{}
	heard
}

// heed is listen, of which can be told how much has come.
func heed(r io.Reader) *ear {
	e := &ear{done: make(chan struct{})}
	go func() {
		defer close(e.done)
		buf := make([]byte, 64<<10)
		var tail []byte
		for {
			n, err := r.Read(buf)
			e.got.Add(int64(n))
			tail = append(tail, buf[:n]...)
			tail = append(tail[:0], tail[max(0, len(tail)-1024):]...)
			if err != nil {
				if err == io.EOF {
					err = nil
				}
				e.heard = heard{string(tail), time.Now(), err}
				return
			}
		}
	}()
	return e
}

// ended reports whether the stream has ended.
func (e *ear) ended() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}
