package canary

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/surface/clienthello"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// meter passes as much as there is room for, and says that there was more.
type meter struct {
	io.Reader
	left  int64
	over  chan struct{}
	once  sync.Once
	leaks bool
}

// Read gives a leak before it says that there was one: it is on its way then.
func (m *meter) Read(p []byte) (int, error) {
	if m.left >= 0 {
		n, err := m.Reader.Read(p)
		if m.left -= int64(n); m.left >= 0 || m.leaks {
			return n, err
		}
	}
	m.once.Do(func() { close(m.over) })
	return 0, errRefused
}

// keep has a listener or a connection end with the fake.
func (e *fakeEnvoy) keep(c io.Closer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.servers = append(e.servers, c)
}

// capture answers to captured TLS.
func (e *fakeEnvoy) capture(l net.Listener) {
	e.keep(l)
	e.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.wg.Go(func() {
				defer c.Close()
				e.captured(c)
			})
		}
	})
}

// captured decides one.
func (e *fakeEnvoy) captured(c net.Conn) {
	from := placeOf(c)
	first, h := firstOf(c)
	id, cut := e.enter()
	secret, what, host, ok := wire.ParseCanaryServerName(h.ServerName)
	plan, f := Plan{}, e.faults.Load()
	if f.elsewhere {
		from = "somewhere else"
	}
	if ok = ok && e.prover.Owns(secret); ok {
		plan, ok = e.prover.Plan(Question{ID: id, Listener: wire.CanaryTLS, Connect: true, Host: host, Path: "/" + what, Source: from})
	}
	switch {
	case !ok && f.open:
		e.splice(c, first, Plan{Life: longLife, Cluster: wire.CanaryName(wire.CanaryNever)}, nil)
	case !ok && f.silent:
	case !ok:
		_, _ = c.Write(accessDenied())
	default:
		e.splice(c, first, plan, cut)
	}
}

// placeOf reads where one says that it comes from, a byte at a time: what follows
// is its own.
func placeOf(c io.Reader) string {
	var line []byte
	for b := make([]byte, 1); !bytes.HasSuffix(line, []byte("\r\n")); {
		if _, err := io.ReadFull(c, b); err != nil {
			return ""
		}
		line = append(line, b...)
	}
	f := strings.Fields(string(line))
	return f[2] + ":" + f[4]
}

// flight reads what the TLS in a tunnel begins with.
func (e *fakeEnvoy) flight(c net.Conn, p Plan) {
	f := e.faults.Load()
	if f.early {
		if to, err := e.dial(p); err == nil {
			defer to.Close()
		}
	}
	first, h := firstOf(c)
	switch old := h.Version < clienthello.VersionTLS12; {
	case f.unread, !old && (!p.Mute || f.unheard):
		e.splice(c, first, p, nil)
	case old && e.refused.Add(1) > f.hushed:
		_, _ = c.Write(tooOld())
	}
}

// firstOf is what a client begins with.
func firstOf(c io.Reader) ([]byte, clienthello.Hello) {
	var b bytes.Buffer
	_, _, _ = helloOf(io.TeeReader(c, &b))
	h, _ := clienthello.Read(b.Bytes())
	return b.Bytes(), h
}

func (e *fakeEnvoy) dial(p Plan) (net.Conn, error) {
	name := strings.TrimPrefix(p.Cluster, wire.CanaryName(""))
	return (&net.Dialer{}).DialContext(e.t.Context(), "unix", wire.CanarySocket(e.prover.cfg.Dir, name))
}

// splice passes bytes both ways until the tunnel is to end.
func (e *fakeEnvoy) splice(c net.Conn, first []byte, p Plan, cut <-chan struct{}) {
	to, err := e.dial(p)
	if err != nil {
		if !errors.Is(err, net.ErrClosed) && e.t.Context().Err() == nil {
			e.t.Error(err)
		}
		return
	}
	f := e.faults.Load()
	in := io.MultiReader(bytes.NewReader(first), c)
	if p.Upload > 0 && !f.noMeter {
		m := &meter{Reader: in, left: p.Upload, over: make(chan struct{}), leaks: f.leaks}
		in, cut = m, m.over
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(to, in)
		to.Close()
	})
	wg.Go(func() {
		defer close(over)
		_, _ = io.Copy(c, to)
	})
	life := time.NewTimer(p.Life)
	defer life.Stop()
	if f.noDeadline {
		life.Stop()
	}
	if f.noCut {
		cut = nil
	}
	select {
	case <-over:
	case <-life.C:
	case <-cut:
	}
	to.Close()
	c.Close()
	wg.Wait()
}

// TestHello: what canaries begin with is read as it is meant.
func TestHello(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{newTLS, oldTLS} {
		b := hello("one.example", version)
		h, err := clienthello.Read(b)
		if want := (clienthello.Hello{ServerName: "one.example", Version: version}); err != nil || h != want {
			t.Errorf("read as %+v, %v, want %+v", h, err, want)
		}
		if name, size, err := helloOf(bytes.NewReader(b)); name != "one.example" || size != len(b) || err != nil {
			t.Errorf("read as %q of %d bytes, %v", name, size, err)
		}
	}
	if _, _, err := helloOf(bytes.NewReader(hello("one.example", newTLS)[:50])); err == nil {
		t.Error("half of one is taken for one")
	}
	if _, _, err := helloOf(bytes.NewReader([]byte("GET / HTTP/1.1"))); err == nil {
		t.Error("no TLS is taken for TLS")
	}
}
