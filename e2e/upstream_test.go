package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// upstream is a backend that keeps what it was sent. When its test ends,
// nothing of it may be what is for the gateway alone.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request // guarded by mu; bodies are read
}

// newUpstream answers by h, or with a line that tells what came.
func newUpstream(t testing.TB, h http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(u.keep(h))
	u.Config.Protocols = new(http.Protocols)
	u.Config.Protocols.SetHTTP1(true)
	u.Config.Protocols.SetUnencryptedHTTP2(true)
	u.Start()
	t.Cleanup(func() { u.CloseClientConnections(); u.Close(); u.clean(t) })
	return u
}

// newTLSUpstream is newUpstream with TLS, and a certificate for name.
func newTLSUpstream(t testing.TB, name string, h http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(u.keep(h))
	u.TLS = serverTLS(t, name)
	u.StartTLS()
	t.Cleanup(func() { u.CloseClientConnections(); u.Close(); u.clean(t) })
	return u
}

func (u *upstream) keep(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.seen = append(u.seen, r.Clone(r.Context()))
		u.mu.Unlock()
		if h != nil {
			h(w, r)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, n)
	})
}

// clean fails the test where the gateway handed on what is its own: a token,
// or a header by which its parts speak to each other.
func (u *upstream) clean(t testing.TB) {
	for _, r := range u.requests() {
		for name, values := range r.Header {
			low := strings.ToLower(name)
			if low == "txn-token" || strings.HasPrefix(low, "proxy-") || strings.HasPrefix(low, wire.HeaderPrefix) || strings.HasPrefix(low, "x-envoy-") {
				t.Errorf("the upstream of %s %s was sent %s: %q", r.Method, r.URL, name, values)
			}
			if strings.Contains(strings.Join(values, " "), "eyJ") {
				t.Errorf("the upstream of %s %s was sent a token in %s", r.Method, r.URL, name)
			}
		}
		if strings.Contains(r.RequestURI, "eyJ") || strings.Contains(r.Host, "eyJ") {
			t.Errorf("the upstream was sent a token in %s %s", r.Host, r.RequestURI)
		}
	}
}

// port is where it listens.
func (u *upstream) port() string { return u.URL[strings.LastIndex(u.URL, ":")+1:] }

func (u *upstream) requests() []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*http.Request(nil), u.seen...)
}

// paths are those of the requests that came, in order.
func (u *upstream) paths() []string {
	var out []string
	for _, r := range u.requests() {
		out = append(out, r.URL.Path)
	}
	return out
}

// httpServer is a backend that nothing is kept of. It gives its port.
func httpServer(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL[strings.LastIndex(s.URL, ":")+1:]
}
