package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// pace is how a backend streams.
type pace string

const (
	paceIdle  pace = "idle"  // one message, and then silence
	paceTicks pace = "ticks" // a message every 20 ms
	paceBusy  pace = "busy"  // one message, and when it is told so 50 MB/s
	paceShare pace = "share" // the same, but a part of 50 MB/s
	paceDone  pace = "done"  // some messages and an orderly end
	paceReset pace = "reset" // some messages, and when it is told so it breaks off
)

const (
	smallMessage = 16
	// largeMessage is what 50 MB/s are made of: busyBurst of them each
	// busyEvery.
	largeMessage = 62_500
	busyBurst    = 4
	busyEvery    = 5 * time.Millisecond
)

// brief is what a backend is told of a stream: its name, its pace, and whether
// the client ends what it sends while the stream goes on.
type brief struct {
	name string
	pace pace
	half bool
}

// Headers that carry a brief; where there are none, it is the first line.
const (
	headerStream = "X-Stream"
	headerPace   = "X-Pace"
	headerHalf   = "X-Half"
)

func briefOf(h http.Header) brief {
	return brief{h.Get(headerStream), pace(h.Get(headerPace)), h.Get(headerHalf) != ""}
}

func (b brief) put(h http.Header) {
	h.Set(headerStream, b.name)
	h.Set(headerPace, string(b.pace))
	if b.half {
		h.Set(headerHalf, "yes")
	}
}

func (b brief) line() string { return fmt.Sprintf("%s|%s|%t\n", b.name, b.pace, b.half) }

func briefIn(line string) brief {
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) != 3 {
		return brief{}
	}
	return brief{parts[0], pace(parts[1]), parts[2] == "true"}
}

// stage is all backends of a gateway whose streams do as they are told.
type stage struct {
	// site speaks HTTP/1.1 and HTTP/2, web TLS and raw no protocol at all.
	site     *upstream
	web, raw *wires
	ctx      context.Context

	mu     sync.Mutex
	halved map[string]bool          // guarded by mu; whose client has ended what it sends
	told   map[string]chan struct{} // guarded by mu; closed when a stream may go on
	said   map[string]int           // guarded by mu; bytes that a backend could send
	over   map[string]bool          // guarded by mu; who streams no more
}

func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{ctx: t.Context(), halved: map[string]bool{}, told: map[string]chan struct{}{}, said: map[string]int{}, over: map[string]bool{}}
	s.site = newUpstream(t, s.serve)
	s.web, s.raw = newWires(t, s, "web.example"), newWires(t, s, "")
	return s
}

// goOn lets a stream go on that waits for it.
func (s *stage) goOn(name string) { close(s.cue(name)) }

func (s *stage) cue(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told[name] == nil {
		s.told[name] = make(chan struct{})
	}
	return s.told[name]
}

func (s *stage) heardEnd(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halved[name] = true
}

// halfClosed reports whether a backend has seen the end of what a client sends.
func (s *stage) halfClosed(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halved[name]
}

// has says how much a backend could send on a stream, and whether it has ended
// there.
func (s *stage) has(name string) (said int, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said[name], s.over[name]
}

// act streams as it was told: message sends a message of a size. It reports
// whether the stream is to break off.
func (s *stage) act(ctx context.Context, b brief, message func(size int) error) (reset bool) {
	send := func(size int) error {
		err := message(size)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.said[b.name] += size
		return err
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.over[b.name] = true
	}()
	if send(smallMessage) != nil {
		return false
	}
	switch b.pace {
	case paceTicks:
		tick(ctx, tickEvery, func() error { return send(smallMessage) })
	case paceDone, paceReset:
		for range 2 {
			if send(smallMessage) != nil {
				return false
			}
		}
		s.wait(ctx, b.name)
	case paceBusy, paceShare:
		size := map[pace]int{paceBusy: largeMessage, paceShare: largeMessage / len(kinds())}[b.pace]
		s.wait(ctx, b.name)
		tick(ctx, busyEvery, func() error {
			for range busyBurst {
				if err := send(size); err != nil {
					return err
				}
			}
			return nil
		})
	default:
		<-ctx.Done()
	}
	return b.pace == paceReset
}

func (s *stage) wait(ctx context.Context, name string) {
	select {
	case <-s.cue(name):
	case <-ctx.Done():
	}
}

func (s *stage) serve(w http.ResponseWriter, r *http.Request) {
	b := briefOf(r.Header)
	switch {
	case r.Header.Get("Upgrade") == "websocket":
		s.socket(w, b)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		s.call(w, r, b)
	case strings.HasSuffix(r.URL.Path, "/poll"):
		s.poll(w, r, b)
	default:
		s.answer(w, r, b)
	}
}

// poll answers when it is told so, or breaks off.
func (s *stage) poll(w http.ResponseWriter, r *http.Request, b brief) {
	if b.pace != paceDone && b.pace != paceReset {
		<-r.Context().Done()
		return
	}
	s.wait(r.Context(), b.name)
	if b.pace == paceReset {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprint(w, "answered")
}

// answer streams events, or at /long bytes.
func (s *stage) answer(w http.ResponseWriter, r *http.Request, b brief) {
	rc := http.NewResponseController(w)
	_ = rc.EnableFullDuplex() // HTTP/2 has it always
	if r.ContentLength != 0 {
		go s.listen(r.Body, b, func() {})
	}
	message := events
	w.Header().Set("Content-Type", "text/event-stream")
	if strings.HasSuffix(r.URL.Path, "/long") {
		message = plainBytes
		w.Header().Set("Content-Type", "text/plain")
	}
	reset := s.act(r.Context(), b, func(size int) error {
		if _, err := w.Write(message(size)); err != nil {
			return err
		}
		return rc.Flush()
	})
	if reset {
		panic(http.ErrAbortHandler)
	}
}

// listen reads what a client sends, and notes its end where that is not the
// end of all; else it calls over.
func (s *stage) listen(r io.Reader, b brief, over func()) {
	if _, err := io.Copy(io.Discard, r); err == nil && b.half {
		s.heardEnd(b.name)
		return
	}
	over()
}

// call is a gRPC call that streams both ways.
func (s *stage) call(w http.ResponseWriter, r *http.Request, b brief) {
	go s.listen(r.Body, b, func() {})
	w.Header().Set("Content-Type", "application/grpc")
	rc := http.NewResponseController(w)
	reset := s.act(r.Context(), b, func(size int) error {
		if _, err := w.Write(grpcMessage(size)); err != nil {
			return err
		}
		return rc.Flush()
	})
	if reset {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
}

// socket is a WebSocket.
func (s *stage) socket(w http.ResponseWriter, b brief) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"); err != nil {
		c.Close()
		return
	}
	s.run(c, rw, b, frames, "\x88\x02\x03\xe8") // a close frame, 1000
}

// run streams on a connection, and closes it with a goodbye.
func (s *stage) run(c net.Conn, r io.Reader, b brief, message func(size int) []byte, goodbye string) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.listen(r, b, cancel)
	}()
	reset := s.act(ctx, b, func(size int) error {
		_, err := c.Write(message(size))
		return err
	})
	if reset {
		breakOff(c)
	} else {
		_, _ = io.WriteString(c, goodbye) // the client may have gone
	}
	c.Close()
	<-done
}

// breakOff has a connection end by a reset.
func breakOff(c net.Conn) {
	if s, ok := c.(*tls.Conn); ok {
		c = s.NetConn()
	}
	if tc, ok := c.(*net.TCPConn); ok && tc.SetLinger(0) == nil {
		tc.Close()
	}
}

// Messages of a size.

func plainBytes(size int) []byte { return bytes.Repeat([]byte("x"), size) }

func events(size int) []byte { return fmt.Appendf(nil, "data: %s\n\n", plainBytes(size)) }

func frames(size int) []byte {
	head := []byte{0x82, byte(size)}
	if size > 125 {
		head = binary.BigEndian.AppendUint16([]byte{0x82, 126}, uint16(size))
	}
	return append(head, plainBytes(size)...)
}

func grpcMessage(size int) []byte {
	m, err := proto.Marshal(wrapperspb.Bytes(plainBytes(size)))
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

// wires is a backend that speaks no HTTP: its first line is a brief.
type wires struct {
	l    net.Listener
	conf *tls.Config // nil: no TLS
	name string
	wg   sync.WaitGroup
}

// newWires has TLS, and a certificate for name, where that is not empty.
func newWires(t testing.TB, s *stage, name string) *wires {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ws := &wires{l: l, name: name}
	if name != "" {
		ws.conf = serverTLS(t, name)
	}
	ws.wg.Go(func() { ws.accept(s) })
	t.Cleanup(func() { l.Close(); ws.wg.Wait() })
	return ws
}

func (ws *wires) accept(s *stage) {
	for {
		c, err := ws.l.Accept()
		if err != nil {
			return
		}
		ws.wg.Go(func() { ws.serve(s, c) })
	}
}

func (ws *wires) serve(s *stage, c net.Conn) {
	stop := context.AfterFunc(s.ctx, func() { c.Close() })
	defer stop()
	if ws.conf != nil {
		c = tls.Server(c, ws.conf)
	}
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		c.Close()
		return
	}
	s.run(c, r, briefIn(line), plainBytes, "")
}

func (ws *wires) port() string {
	_, port, _ := strings.Cut(ws.l.Addr().String(), ":")
	return port
}

// client believes the backend's certificate.
func (ws *wires) client(t testing.TB) *tls.Config {
	t.Helper()
	c, err := x509.ParseCertificate(ws.conf.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c)
	return &tls.Config{RootCAs: roots, ServerName: ws.name}
}
