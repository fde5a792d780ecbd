package canary

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// modes are the ways to dial, each of which has an internal listener.
func modes() []string { return []string{wire.ModeGuard, wire.ModeInside, wire.ModeHosts} }

// way is one way into Envoy: by a listener of canaries, or by a tunnel.
type way struct {
	// listener is that of canaries; empty: it is a tunnel of this mode.
	listener, mode string
	secret         string
	transport      *http.Transport
}

func (w *way) String() string {
	switch w.listener {
	case "":
		return "tunnel " + w.mode
	case wire.CanaryHTTP:
		return "captured HTTP"
	default:
		return w.listener
	}
}

// shapes reports whether w is the one that stands for its shape: what is the same
// by every mode is proven by one.
func (w *way) shapes() bool {
	return w.listener != "" || strings.TrimSuffix(w.mode, wire.InspectSuffix) == wire.ModeHosts
}

// ways are all, by HTTP/2, where a stream that is broken off is seen at once.
func (p *Prover) ways(a *attempt) []*way {
	var out []*way
	for _, l := range []string{wire.CanaryRoutes, wire.CanaryProxy, wire.CanaryHTTP} {
		out = append(out, newWay(a, l, wire.ModeHosts, func(ctx context.Context) (net.Conn, error) { return p.dial(ctx, l) }))
	}
	for _, m := range modes() {
		out = append(out, newWay(a, "", m, func(ctx context.Context) (net.Conn, error) {
			return p.connect(ctx, a, wire.CanaryHost(wire.CanaryOne, m))
		}))
	}
	if p.cfg.TLS == nil {
		return out
	}
	for _, m := range modes() {
		host := wire.CanaryHost(wire.CanaryOne, m+wire.InspectSuffix)
		out = append(out, newWay(a, "", m+wire.InspectSuffix, func(ctx context.Context) (net.Conn, error) { return p.secure(ctx, a, host) }))
	}
	return out
}

// secure opens a tunnel that is inspected, and speaks TLS in it.
func (p *Prover) secure(ctx context.Context, a *attempt, host string) (net.Conn, error) {
	c, err := p.connect(ctx, a, host)
	if err != nil {
		return nil, err
	}
	cfg := p.cfg.TLS.Clone()
	cfg.ServerName, cfg.NextProtos = host, []string{"h2"}
	secured := tls.Client(c, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("speak TLS in a tunnel: %w", err)
	}
	return secured, nil
}

func newWay(a *attempt, listener, mode string, dial func(context.Context) (net.Conn, error)) *way {
	var h2c http.Protocols
	h2c.SetUnencryptedHTTP2(true)
	return &way{listener: listener, mode: mode, secret: a.secret, transport: &http.Transport{
		Protocols: &h2c,
		// All go by one connection.
		MaxConnsPerHost: 1,
		// Of a connection that is not idle yet when it is closed for that.
		IdleConnTimeout: idleFor,
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}
}

const idleFor = time.Second

func (w *way) close() { w.transport.CloseIdleConnections() }

// get asks the first destination for a path.
func (w *way) get(ctx context.Context, path string) (*http.Response, error) {
	return w.send(ctx, http.MethodGet, path, nil)
}

// send sends the first destination a request.
func (w *way) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: wire.CanaryHost(wire.CanaryOne, w.mode), Path: path}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(wire.HeaderTxnToken, w.secret)
	req.Header.Set(headerWay, w.String())
	return w.transport.RoundTrip(req)
}

// dial enters by a listener of canaries.
func (p *Prover) dial(ctx context.Context, listener string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", wire.CanarySocket(p.cfg.Dir, listener))
}

// reachTimes is how many times the patience for an end the listeners of canaries
// may take to come: they come with all else that a new Envoy is told. It is the
// first patience: what has come does not have to come again.
const reachTimes = 5

// reachPoll is how often they are looked for.
const reachPoll = 5 * time.Millisecond

// reach waits until canaries can enter.
func (p *Prover) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimes*p.cfg.Patience)
	defer cancel()
	for _, l := range wire.CanaryListeners() {
		if err := p.await(ctx, l); err != nil {
			return fmt.Errorf("no canary can enter by %s: %w", l, err)
		}
	}
	if err := p.cfg.Configured(ctx); err != nil {
		return fmt.Errorf("wait for Envoy to answer: %w", err)
	}
	return nil
}

func (p *Prover) await(ctx context.Context, listener string) error {
	tick := time.NewTicker(reachPoll)
	defer tick.Stop()
	for {
		c, err := p.dial(ctx, listener)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// connect opens a tunnel.
func (p *Prover) connect(ctx context.Context, a *attempt, host string) (_ net.Conn, err error) {
	c, err := p.dial(ctx, wire.CanaryProxy)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	target := fmt.Sprintf("%s:%d", host, wire.CanaryPort)
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\n\r\n", target, target, wire.HeaderTxnToken, a.secret); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() // nothing is read of a tunnel's, which is c
	if res.StatusCode != http.StatusOK {
		rest, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // as far as it goes
		return nil, fmt.Errorf("a tunnel was %s", answered(res, rest))
	}
	return c, nil
}
