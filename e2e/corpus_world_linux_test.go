package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/internal/testcorpus"
)

// everywhere is every address there is, at some ports. What stands there takes
// TLS of any version, HTTP, and a line that says hello; it says to which address
// one came, and keeps who came.
type everywhere struct {
	*world
	plain, secure chan net.Conn

	mu   sync.Mutex
	seen []*arrival      // guarded by mu
	row  *testcorpus.Row // guarded by mu; the row that is tried; nil: none
}

// arrival is one connection, or one more request on it.
type arrival struct {
	to netip.AddrPort
	// read: something that an agent wrote was read, and not just a greeting of
	// TLS that the gateway itself began.
	read              bool
	host, path, query string
	body              int64 // how much of one came
	header            http.Header
}

// String tells of an arrival in a few words.
func (a *arrival) String() string { return fmt.Sprintf("%s %s%s", a.to, a.host, a.path) }

func newEverywhere(t testing.TB, ports []uint16) *everywhere {
	t.Helper()
	e := &everywhere{world: newWorld(t), plain: make(chan net.Conn), secure: make(chan net.Conn)}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	silent := log.New(io.Discard, "", 0)
	conf := &tls.Config{GetCertificate: e.certificateFor, MinVersion: tls.VersionTLS10, NextProtos: []string{"h2", "http/1.1"}}
	servers := []*http.Server{
		{Handler: http.HandlerFunc(e.answer), ErrorLog: silent, ConnContext: withConn},
		{Handler: http.HandlerFunc(e.answer), ErrorLog: silent, ConnContext: withConn, TLSConfig: conf},
	}
	for i, c := range []chan net.Conn{e.plain, e.secure} {
		l := &handed{c, stop}
		wg.Go(func() {
			if i == 0 {
				_ = servers[0].Serve(l) // it ends with the test
				return
			}
			_ = servers[1].ServeTLS(l, "", "")
		})
	}
	t.Cleanup(func() {
		close(stop)
		for _, s := range servers {
			s.Close()
		}
		wg.Wait()
	})
	for _, p := range ports {
		e.listen(t, p, stop, &wg)
	}
	return e
}

// listen takes connections at every address.
func (e *everywhere) listen(t testing.TB, port uint16, stop <-chan struct{}, wg *sync.WaitGroup) {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprint(":", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { e.sort(c, stop) })
		}
	})
}

// sort finds out what a connection is.
func (e *everywhere) sort(c net.Conn, stop <-chan struct{}) {
	a := &arrival{to: c.LocalAddr().(*net.TCPAddr).AddrPort()}
	a.to = netip.AddrPortFrom(a.to.Addr().Unmap(), a.to.Port())
	e.mu.Lock()
	e.seen = append(e.seen, a)
	e.mu.Unlock()
	go func() { <-stop; c.Close() }()
	p := &peeked{Conn: c, r: bufio.NewReader(c), arrival: a}
	first, err := p.r.Peek(1)
	if err != nil {
		c.Close()
		return
	}
	to := e.plain
	if first[0] == 0x16 {
		to = e.secure
	} else {
		e.wasRead(a)
		if line, _ := p.r.Peek(len("hello\r\n")); string(line) == "hello\r\n" {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Address: %s\r\n\r\n", a.to)
			c.Close()
			return
		}
	}
	select {
	case to <- p:
	case <-stop:
		c.Close()
	}
}

func (e *everywhere) wasRead(a *arrival) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a.read = true
}

// peeked is a connection of which the first bytes were looked at.
type peeked struct {
	net.Conn
	r       *bufio.Reader
	arrival *arrival
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// handed is a listener for connections that are there already.
type handed struct {
	conns <-chan net.Conn
	stop  <-chan struct{}
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.stop:
		return nil, net.ErrClosed
	}
}

func (*handed) Close() error { return nil }

func (*handed) Addr() net.Addr { return &net.TCPAddr{} }

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c.(*peeked).arrival)
}

// answer answers a request, as the row that is tried wants it.
func (e *everywhere) answer(w http.ResponseWriter, r *http.Request) {
	a := r.Context().Value(connKey{}).(*arrival)
	e.mu.Lock()
	if a.header != nil { // one more request on a connection that was kept
		a = &arrival{to: a.to}
		e.seen = append(e.seen, a)
	}
	a.read, a.host, a.path, a.query, a.header = true, r.Host, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone()
	row := e.row
	e.mu.Unlock()
	n, _ := io.Copy(io.Discard, r.Body) // who sent it may have gone
	e.mu.Lock()
	a.body = n
	e.mu.Unlock()
	w.Header().Set("X-Address", a.to.String())
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		openSocket(w, a)
		return
	}
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	if row == nil {
		return
	}
	if row.Rules.Registry != "" {
		packument(w, r)
		return
	}
	s := &row.Setup
	if s.ResponseHeader[0] != "" {
		w.Header().Set(s.ResponseHeader[0], s.ResponseHeader[1])
	}
	if s.Status != 0 && r.URL.Path == row.Path {
		w.Header().Set("Location", s.Location)
		w.WriteHeader(s.Status)
	}
}

// packument is the page of a package of which one release is old, and one is
// hours old.
func packument(w http.ResponseWriter, r *http.Request) {
	at := func(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339) }
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"name":%q,"time":{"1.0.0":%q,"9.9.9":%q}}`, strings.TrimPrefix(r.URL.Path, "/"), at(30*24*time.Hour), at(5*time.Hour))
}

// openSocket says yes to a WebSocket, and waits for its end.
func openSocket(w http.ResponseWriter, a *arrival) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Address: %s\r\n\r\n", a.to)
	_, _ = io.Copy(io.Discard, c)
}

// try notes which row is tried next, and how many came before it.
func (e *everywhere) try(r *testcorpus.Row) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.row = r
	return len(e.seen)
}

// since are those who came after the first n.
func (e *everywhere) since(n int) []arrival {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []arrival
	for _, a := range e.seen[min(n, len(e.seen)):] {
		out = append(out, *a)
	}
	return slices.Clip(out)
}

// certificateFor is a certificate for who is asked for, or what the row wants
// to be wrong with it.
func (e *everywhere) certificateFor(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	e.mu.Lock()
	row := e.row
	e.mu.Unlock()
	name, signer := h.ServerName, e.cert
	if row != nil && row.Setup.CertSAN != "" {
		name = row.Setup.CertSAN
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "one of the world"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if name != "" {
		c.DNSNames = []string{name}
	}
	switch wrong := row != nil && row.Setup.Cert != ""; {
	case wrong && strings.HasPrefix(row.Setup.Cert, "expired"):
		c.NotAfter = time.Now().Add(-time.Minute)
	case wrong && strings.HasPrefix(row.Setup.Cert, "not yet"):
		c.NotBefore = time.Now().Add(time.Minute)
	case wrong: // nobody whom the gateway knows has signed it
		signer = c
	}
	return e.issue(c, signer, &e.key.PublicKey)
}

func (e *everywhere) issue(c, signer *x509.Certificate, pub *ecdsa.PublicKey) (*tls.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, c, signer, pub, e.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: e.key}, nil
}
