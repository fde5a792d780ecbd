package canary

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faults are what is wrong with a fake Envoy.
type faults struct {
	noDeadline, noCut, noHold, noWord, dirtyEnd, mixed, refuses, orderly bool
	// noMeter: nobody counts what is sent. leaks: what is too much passes, and is cut.
	noMeter, leaks bool
	// unread: nobody reads what TLS begins with. unheard: without the reader's
	// word it passes. early: what is dialled is dialled before that.
	unread, unheard, early bool
	// silent: captured TLS is refused without a word. open: it is let go where
	// it was refused.
	silent, open bool
	// elsewhere: it is taken to come from somewhere else.
	elsewhere bool
	// slow is how long a cut takes.
	slow time.Duration
	// hushed is how many refusals of first flights are not told.
	hushed int32
}

// fakeEnvoy does to canaries what Envoy and its guard do, or what they do when
// something is wrong.
type fakeEnvoy struct {
	t      *testing.T
	prover *Prover
	faults atomic.Pointer[faults]

	mu   sync.Mutex
	cuts map[leash.ID]chan struct{} // guarded by mu
	ids  byte                       // guarded by mu

	refused atomic.Int32 // first flights

	servers []io.Closer // guarded by mu; what ends with it
	wg      sync.WaitGroup
}

// rig is a prover and what it is told of.
type rig struct {
	*Prover
	dir   string
	told  chan Verdict
	envoy *fakeEnvoy
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{dir: testenv.ShortDir(t), told: make(chan Verdict, 100)}
	r.envoy = &fakeEnvoy{t: t, cuts: map[leash.ID]chan struct{}{}}
	r.envoy.faults.Store(&faults{})
	cfg := Config{Dir: r.dir, Cut: r.envoy.cut, Rand: rand.Reader, Report: func(v Verdict) { r.told <- v }}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if r.Prover, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	r.envoy.prover = r.Prover
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; r.envoy.stop() })
	return r
}

// start has the fake listen, with these faults.
func (e *fakeEnvoy) start(dir string, f faults) {
	e.t.Helper()
	e.faults.Store(&f)
	for _, n := range wire.CanaryListeners() {
		l, err := net.Listen("unix", wire.CanarySocket(dir, n))
		if err != nil {
			e.t.Fatal(err)
		}
		if n == wire.CanaryTLS {
			e.capture(l)
			continue
		}
		e.serve(l, n, "")
	}
}

// serve answers on a listener, or in a tunnel to a host.
func (e *fakeEnvoy) serve(l net.Listener, name, inside string) {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: &p, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.handle(w, r, name, inside) })}
	e.mu.Lock()
	e.servers = append(e.servers, s)
	e.mu.Unlock()
	e.wg.Go(func() { _ = s.Serve(l) })
}

func (e *fakeEnvoy) stop() {
	e.mu.Lock()
	servers := e.servers
	e.mu.Unlock()
	for _, s := range servers {
		s.Close()
	}
	e.wg.Wait()
}

// cut is the register's.
func (e *fakeEnvoy) cut(id leash.ID, c leash.Cut) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	ch, f := e.cuts[id], e.faults.Load()
	if ch == nil || f.noHold || c.Code != denial.TokenRevoked {
		return false
	}
	close(ch)
	return true
}

func (e *fakeEnvoy) enter() (leash.ID, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids++
	id, ch := leash.ID{e.ids}, make(chan struct{})
	e.cuts[id] = ch
	return id, ch
}

func (e *fakeEnvoy) handle(w http.ResponseWriter, r *http.Request, listener, inside string) {
	host, _, _ := strings.Cut(r.Host, ":")
	id, cut := e.enter()
	plan, ok := Plan{}, e.prover.Owns(r.Header.Get(wire.HeaderTxnToken)) && !e.faults.Load().refuses
	if ok {
		plan, ok = e.prover.Plan(Question{ID: id, Listener: listener, Connect: r.Method == http.MethodConnect, Host: host, Path: r.URL.Path})
	}
	switch {
	case !ok:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"code":"not_ready"}`)
	case inside != "" && inside != host:
		w.WriteHeader(http.StatusMisdirectedRequest)
		_, _ = io.WriteString(w, `{"code":"target_mismatch"}`)
	case r.Method == http.MethodConnect:
		e.tunnel(w, r, host, plan)
	default:
		e.forward(w, r, plan, cut)
	}
}

// tunnel answers what comes in it itself.
func (e *fakeEnvoy) tunnel(w http.ResponseWriter, r *http.Request, host string, p Plan) {
	if e.faults.Load().mixed {
		host = strings.Replace(host, wire.CanaryOne+".", wire.CanaryTwo+".", 1)
	}
	if r.ProtoMajor == 2 {
		c := &streamConn{w: w, r: r.Body, done: make(chan struct{})}
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		if destination, _, _ := wire.ParseCanaryHost(host); destination == wire.CanarySecure || destination == wire.CanaryNever {
			e.flight(c, p)
			return
		}
		e.serve(&oneConn{conn: c, done: make(chan struct{})}, "", host)
		<-c.done // nothing is written when this has returned
		return
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		e.t.Error(err)
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	e.serve(&oneConn{conn: c, done: make(chan struct{})}, "", host)
}

// forward passes a request to its destination and its answer back, until it is
// to end.
func (e *fakeEnvoy) forward(w http.ResponseWriter, r *http.Request, p Plan, cut <-chan struct{}) {
	destination := strings.TrimPrefix(p.Cluster, wire.CanaryName(""))
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", wire.CanarySocket(e.prover.cfg.Dir, destination))
	}}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if p.Upload > 0 && !e.faults.Load().noMeter {
		m := &meter{Reader: r.Body, left: p.Upload, over: make(chan struct{}), leaks: e.faults.Load().leaks}
		r.Body, cut = io.NopCloser(m), m.over
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, "http://destination"+r.URL.Path, r.Body)
	if err != nil {
		e.t.Error(err)
		return
	}
	req.Header.Set(headerWay, r.Header.Get(headerWay))
	res, err := tr.RoundTrip(req)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer res.Body.Close()
	w.WriteHeader(res.StatusCode)
	if r.URL.Path == pathName {
		_, _ = io.Copy(w, res.Body)
		return
	}
	_, _ = io.CopyN(w, res.Body, int64(len(beginning)))
	_ = http.NewResponseController(w).Flush()
	e.until(ctx, w, p, cut)
}

// until ends a stream as it is to end.
func (e *fakeEnvoy) until(ctx context.Context, w io.Writer, p Plan, cut <-chan struct{}) {
	f := e.faults.Load()
	life := time.NewTimer(p.Life)
	defer life.Stop()
	if f.noDeadline {
		life.Stop()
	}
	if f.noCut {
		cut = nil
	}
	select {
	case <-ctx.Done():
	case <-life.C:
		if f.orderly {
			return
		}
	case <-cut:
		select {
		case <-ctx.Done():
		case <-time.After(f.slow):
		}
		if p.Hold != wire.HoldRelay && f.orderly {
			return
		}
		if p.Hold == wire.HoldRelay {
			if !f.noWord {
				_, _ = io.WriteString(w, `data: {"code":"`+denial.TokenRevoked+`"}`+"\n\n")
			}
			if !f.dirtyEnd {
				return
			}
			_ = http.NewResponseController(w.(http.ResponseWriter)).Flush()
		}
	}
	panic(http.ErrAbortHandler)
}

// streamConn is a tunnel that is a stream.
type streamConn struct {
	net.Conn // for what is not called

	w    http.ResponseWriter
	r    io.ReadCloser
	once sync.Once
	done chan struct{}
}

func (c *streamConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func (c *streamConn) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	return n, errors.Join(err, http.NewResponseController(c.w).Flush())
}

func (c *streamConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.r.Close()
}

func (c *streamConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *streamConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *streamConn) SetDeadline(time.Time) error      { return nil }
func (c *streamConn) SetReadDeadline(time.Time) error  { return nil }
func (c *streamConn) SetWriteDeadline(time.Time) error { return nil }

// oneConn is a listener with one connection, which it gives once.
type oneConn struct {
	conn net.Conn
	once sync.Once
	done chan struct{}
	shut sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	var c net.Conn
	l.once.Do(func() { c = l.conn })
	if c != nil {
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.shut.Do(func() { close(l.done) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

var errRefused = errors.New("refused")

func longDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(testenv.ShortDir(t), strings.Repeat("x", 100))
}
