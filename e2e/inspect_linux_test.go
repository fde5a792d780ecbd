package e2e

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// TestInspectInternet: names of servers of names, looked up once, and dialled
// by what was judged; in public space, and in what the operator opened.
func TestInspectInternet(t *testing.T) {
	t.Parallel()
	if !ownInternet(t) {
		return
	}
	w, z := newWorld(t), newZone(t)
	w.serveAll(t, ":443", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Proto + " " + r.Host + " " + r.Context().Value(http.LocalAddrContextKey).(interface{ String() string }).String()))
	})
	z.at("site.example", "198.200.0.1")
	z.at("other.example", "198.200.0.2")
	z.at("private.example", "10.0.0.5")
	l := &looking{Gateway: testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(strings.Replace(egress(z.addr.String()), "egress: {", "egress: {insideRanges: [10.20.0.0/16], ", 1)),
		"policy.yaml":  inspectingPolicy("443", "Inspect"),
	})}
	l.makeCA(t)
	l.Launch(func(c *laptop.Config) {
		c.Getenv = func(k string) string { return map[string]string{"SSL_CERT_FILE": w.file}[k] }
	})
	testenv.Wait(t, "the gateway to be ready", l.Ready)
	for _, http2 := range []bool{false, true} {
		a := l.page(t, http2, "https://site.example/open/a")
		if a.status != 200 || a.body != "HTTP/2.0 site.example 198.200.0.1:443" {
			t.Errorf("answer %d %q", a.status, a.body)
		}
		// Its certificate is another's.
		l.page(t, http2, "https://other.example/open/a").want(t, 503, "backend_unavailable")
	}
	for _, tc := range []struct{ target, code string }{
		{"private.example:443", "address_denied"}, {"198.200.0.1:443", "no_rule"},
	} {
		if _, a := tunnel(t, l.Gateway, tc.target, l.Token()); a.code() != tc.code {
			t.Errorf("%s: %d %q, want %q", tc.target, a.status, a.code(), tc.code)
		}
	}
	z.at("inside.example", "10.20.0.7")
	if a := l.page(t, true, "https://inside.example/open/a"); a.body != "HTTP/2.0 inside.example 10.20.0.7:443" {
		t.Errorf("answer %d %q", a.status, a.body)
	}
}

// serveAll serves at every address, as site.example or inside.example, whichever
// is asked for.
func (w *world) serveAll(t testing.TB, at string, h http.HandlerFunc) {
	t.Helper()
	in, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	site, inside := w.certificates(t, "site.example", time.Now().Add(time.Hour)), w.certificates(t, "inside.example", time.Now().Add(time.Hour))
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener, s.EnableHTTP2 = in, true
	s.TLS = &tls.Config{Certificates: site, GetCertificate: func(i *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if i.ServerName == "inside.example" {
			return &inside[0], nil
		}
		return &site[0], nil
	}}
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
}

// page fetches one through the gateway.
func (l *looking) page(t testing.TB, http2 bool, page string) answer {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, l.client(t, http2, l.Token()), &http.Request{Method: "GET", URL: u, Header: http.Header{}})
}
