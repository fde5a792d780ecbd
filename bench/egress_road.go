package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// road is one way to the site: by hopgate, by Envoy alone, or by nothing.
type road struct {
	name, what string
	// proxy is the port of a proxy; 0: there is none.
	proxy int
	token string
	// trust is whom a client believes by TLS.
	trust *x509.CertPool
	// secure and plain are the site's ports.
	secure, plain int
	// groups are those for key exchange that clients have; nil: Go's.
	groups []tls.CurveID
	// dial dials a port of the machine that the road is on.
	dial func(ctx context.Context, port int) (net.Conn, error)
	// envoy and guard are whose CPU is counted; 0 and nil: nobody's.
	envoy int
	guard *child
	undo  []func() error
}

// authorization is how a client of a proxy says who it is for.
func (r *road) authorization() string {
	if r.token == "" {
		return ""
	}
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("agent:"+r.token)) + "\r\n"
}

// page is a request for one on an open connection to a host.
func (r *road) page(host, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n", path, host, r.secure)
}

// clear is a request for a page without TLS: with a proxy, of absolute form
// (RFC 9112 section 3.2.2).
func (r *road) clear(host string) []byte {
	target := pathPage
	if r.proxy != 0 {
		target = fmt.Sprintf("http://%s:%d%s", host, r.plain, pathPage)
	}
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: */*\r\nUser-Agent: bench\r\n%s\r\n", target, host, r.plain, r.authorization())
}

// tunnel is a connection to a host's port of TLS.
func (r *road) tunnel(ctx context.Context, host string) (net.Conn, error) {
	if r.proxy == 0 {
		return r.dial(ctx, r.secure)
	}
	conn, err := r.dial(ctx, r.proxy)
	if err != nil {
		return nil, err
	}
	c := newCaller(conn)
	status, err := c.connect(fmt.Sprintf("%s:%d", host, r.secure), r.authorization())
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("CONNECT to %s answered %d", host, status)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// connect asks for a tunnel. Nothing follows the answer until something is said.
func (c *caller) connect(target, header string) (status int, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(c.conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", target, target, header); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(c.in, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// shake speaks TLS to a host on a connection, which is closed where that fails.
func (r *road) shake(ctx context.Context, conn net.Conn, host string) (*tls.Conn, error) {
	c := tls.Client(conn, &tls.Config{RootCAs: r.trust, ServerName: host, MinVersion: tls.VersionTLS12, CurvePreferences: r.groups})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("speak TLS to %s: %w", host, err), conn.Close())
	}
	return c, nil
}

// open opens a tunnel to a host, and TLS in it.
func (r *road) open(ctx context.Context, host string) (*caller, error) {
	conn, err := r.tunnel(ctx, host)
	if err != nil {
		return nil, err
	}
	c, err := r.shake(ctx, conn, host)
	if err != nil {
		return nil, err
	}
	return newCaller(c), nil
}

// openClear opens a connection for requests without TLS.
func (r *road) openClear(ctx context.Context) (*caller, error) {
	port := r.proxy
	if port == 0 {
		port = r.plain
	}
	conn, err := r.dial(ctx, port)
	if err != nil {
		return nil, err
	}
	return newCaller(conn), nil
}

// openMany are callers with a tunnel each.
func (r *road) openMany(ctx context.Context, host string, n int) (crowd, error) {
	var out crowd
	for range n {
		c, err := r.open(ctx, host)
		if err != nil {
			return nil, errors.Join(err, out.close())
		}
		out = append(out, c)
	}
	return out, nil
}

// visitors are many at once, each of whom comes anew for every request, or
// stays for as long as the connection does.
type visitors struct {
	open func(ctx context.Context) (*caller, error)
	stay bool
	// here are the connections of those who stay; nil: it is to be opened.
	here []*caller

	mu     sync.Mutex
	failed int   // guarded by mu; visits that were not answered
	first  error // guarded by mu; why the first was not
}

func newVisitors(n int, open func(ctx context.Context) (*caller, error)) *visitors {
	return &visitors{open: open, here: make([]*caller, n)}
}

func (v *visitors) close() error {
	for _, c := range v.here {
		if c != nil {
			_ = c.close() // nothing is left to be said on it
		}
	}
	return nil
}

// press has them come for a while, and returns how long each visit took.
func (v *visitors) press(ctx context.Context, request []byte, d time.Duration) ([]time.Duration, error) {
	took := make([][]time.Duration, len(v.here))
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for i := range took {
		wg.Go(func() {
			for ctx.Err() == nil && time.Now().Before(end) {
				begun := time.Now()
				if err := v.visit(ctx, i, request); err != nil {
					v.fail(err)
					continue
				}
				took[i] = append(took[i], time.Since(begun))
			}
		})
	}
	wg.Wait()
	var all []time.Duration
	for _, t := range took {
		all = append(all, t...)
	}
	if len(all) == 0 && ctx.Err() == nil {
		return nil, fmt.Errorf("nobody was answered: %w", v.first)
	}
	return all, ctx.Err()
}

// visit has one of them come.
func (v *visitors) visit(ctx context.Context, i int, request []byte) error {
	c := v.here[i]
	if c == nil {
		var err error
		if c, err = v.open(ctx); err != nil {
			return err
		}
	}
	err := c.must(request)
	if v.stay && err == nil {
		v.here[i] = c
		return nil
	}
	v.here[i] = nil
	_ = c.close() // what was asked for is here, or nothing will be
	return err
}

func (v *visitors) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed++
	if v.first == nil {
		v.first = err
	}
}

// trusted is a pool of these certificates, in PEM.
func trusted(pems ...[]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, p := range pems {
		if !pool.AppendCertsFromPEM(p) {
			return nil, fmt.Errorf("read a certificate: %q is none", strings.TrimSpace(string(p)))
		}
	}
	return pool, nil
}
