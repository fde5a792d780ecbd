package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/internal/testgateway"
)

// line is a raw connection to the gateway.
type line struct {
	net.Conn
	r *bufio.Reader
}

func (w *line) Read(p []byte) (int, error) { return w.r.Read(p) }

// dial opens a raw connection to a port of the gateway.
func dial(t testing.TB, port int) *line {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &line{c, bufio.NewReader(c)}
}

// say writes raw bytes.
func (w *line) say(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// hear reads the answer to a request by this method.
func (w *line) hear(t testing.TB, method string) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return res
}

// proxyAuth is the header by which a client of a proxy sends a token as a
// password; token empty: nothing.
func proxyAuth(token string) string {
	if token == "" {
		return ""
	}
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("agent:"+token)) + "\r\n"
}

// tunnel asks for a tunnel. The answer has a body only when it is no.
func tunnel(t testing.TB, g *testgateway.Gateway, target, token string) (*line, answer) {
	t.Helper()
	return tunnelBy(t, g, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n"+proxyAuth(token)+"\r\n")
}

// tunnelBy is tunnel by a request of any form.
func tunnelBy(t testing.TB, g *testgateway.Gateway, request string) (*line, answer) {
	t.Helper()
	w := dial(t, g.Proxy)
	w.say(t, request)
	method, _, _ := strings.Cut(request, " ")
	res := w.hear(t, method)
	if method == http.MethodConnect && res.StatusCode == http.StatusOK {
		return w, answer{status: res.StatusCode, header: res.Header}
	}
	return w, read(t, res)
}

// secure speaks TLS inside the tunnel, and fetches a page.
func (w *line) secure(u *upstream, name, path string) (string, error) {
	c := tls.Client(w, u.clientTLS(name))
	if err := c.Handshake(); err != nil {
		return "", err
	}
	return fetch(c, name, path)
}

// fetch is one request on a connection that is there already.
func fetch(c net.Conn, host, path string) (string, error) {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host); err != nil {
		return "", err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// pipe is a tunnel inside a stream of HTTP/2.
type pipe struct {
	net.Conn // for deadlines and addresses, which nobody needs
	io.Reader
	io.Writer
}

func (p pipe) Read(b []byte) (int, error)       { return p.Reader.Read(b) }
func (p pipe) Write(b []byte) (int, error)      { return p.Writer.Write(b) }
func (p pipe) Close() error                     { return nil }
func (p pipe) SetDeadline(time.Time) error      { return nil }
func (p pipe) SetReadDeadline(time.Time) error  { return nil }
func (p pipe) SetWriteDeadline(time.Time) error { return nil }

// newHTTP2 is a client of HTTP/2 without TLS.
func newHTTP2(t testing.TB) *http.Transport {
	t.Helper()
	tr := &http.Transport{DisableCompression: true, Protocols: &http.Protocols{}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// tunnel2 asks for a tunnel by HTTP/2.
func tunnel2(t testing.TB, g *testgateway.Gateway, target, token string) (net.Conn, answer) {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodConnect, fmt.Sprintf("http://127.0.0.1:%d", g.Proxy), r)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = target
	if k, v, ok := strings.Cut(strings.TrimSpace(proxyAuth(token)), ": "); ok {
		req.Header.Set(k, v)
	}
	res, err := newHTTP2(t).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		return nil, read(t, res)
	}
	return pipe{Reader: res.Body, Writer: w}, answer{status: res.StatusCode, header: res.Header}
}
