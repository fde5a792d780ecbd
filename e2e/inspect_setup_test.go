package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	grpctls "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
	"github.com/hopgate/hopgate/xds/secrets"
)

// world is an authority that the gateway believes when it speaks TLS itself.
type world struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	// file has its certificate.
	file string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{file: filepath.Join(t.TempDir(), "roots.pem")}
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	self := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the world"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, self, self, w.key.Public(), w.key)
	if err != nil {
		t.Fatal(err)
	}
	if w.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// certificates are one for name, good until then.
func (w *world) certificates(t testing.TB, name string, until time.Time) []tls.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, w.cert, w.key.Public(), w.key)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: w.key}}
}

// serve is an upstream with a certificate for name, good until then.
func (w *world) serve(t testing.TB, name string, until time.Time, h http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(u.keep(h))
	u.TLS = &tls.Config{Certificates: w.certificates(t, name, until)}
	u.EnableHTTP2 = true
	u.StartTLS()
	t.Cleanup(func() { u.CloseClientConnections(); u.Close(); u.clean(t) })
	return u
}

// looking is a gateway that inspects TLS, and what is behind it: site.example
// is well, and the others are each wrong in one way.
type looking struct {
	*testgateway.Gateway
	site, two, rpc       *upstream
	wrong, self, expired *upstream
	// ca is what agents trust, key what they never see.
	ca  *x509.CertPool
	key secrets.Key
	// pem is the CA's certificate.
	pem []byte
}

// greets answers with a name, the version of HTTP, and what it was asked for.
func greets(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "websocket" || strings.HasPrefix(r.URL.Path, "/ticks") {
			ticks(w, r)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		fmt.Fprintf(w, "%s %s %s %s", name, r.Proto, r.Method, r.URL.Path)
		if n > 0 {
			fmt.Fprintf(w, ": %d bytes, and trailers with %d", n, len(r.Trailer.Get("X-Behind")))
		}
	}
}

func newLooking(t testing.TB, permit ...string) *looking {
	t.Helper()
	w := newWorld(t)
	hour := time.Now().Add(time.Hour)
	l := &looking{
		site: w.serve(t, "site.example", hour, greets("site")), two: w.serve(t, "two.example", hour, greets("two")),
		rpc: w.serve(t, "rpc.example", hour, rpcs()), wrong: w.serve(t, "other.example", hour, greets("wrong")),
		self: newTLSUpstream(t, "self.example", greets("self")), expired: w.serve(t, "expired.example", time.Now().Add(-time.Hour), greets("expired")),
	}
	others := map[string]*upstream{"site": l.site, "two": l.two, "rpc": l.rpc, "wrong": l.wrong, "self": l.self, "expired": l.expired}
	var hosts, ports []string
	for name, u := range others {
		hosts, ports = append(hosts, name+".example:"+u.port()), append(ports, u.port())
	}
	l.Gateway = testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", hosts...)),
		"policy.yaml":  inspectingPolicy(strings.Join(ports, ", "), "Inspect"),
	})
	l.makeCA(t, permit...)
	l.Launch(func(c *laptop.Config) {
		c.Getenv = func(k string) string { return map[string]string{"SSL_CERT_FILE": w.file}[k] }
	})
	testenv.Wait(t, "the gateway to be ready", l.Ready)
	return l
}

// rpcs is a gRPC server.
func rpcs() http.HandlerFunc {
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, health.NewServer())
	return s.ServeHTTP
}

// grpc calls it through a tunnel.
func (l *looking) grpc(t testing.TB) {
	t.Helper()
	host := "rpc.example:" + l.rpc.port()
	c, err := grpc.NewClient("passthrough:///"+host, grpc.WithTransportCredentials(grpctls.NewTLS(&tls.Config{RootCAs: l.ca})),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			w, a := tunnel(t, l.Gateway, host, l.Token())
			a.want(t, 200, "")
			return w, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if r, err := healthv1.NewHealthClient(c).Check(ctx, &healthv1.HealthCheckRequest{}); err != nil || r.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("gRPC in a tunnel: %v, %v", r, err)
	}
	watch, err := healthv1.NewHealthClient(c).List(ctx, &healthv1.HealthListRequest{})
	if err != nil {
		t.Errorf("gRPC in a tunnel: %v, %v", watch, err)
	}
}

// adminPage is one of Envoy's.
func (l *looking) adminPage(t testing.TB, path string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	socket := process.AdminSocket(filepath.Dir(l.Socket()))
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://envoy"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, &http.Client{Transport: tr}, req).body
}

// inspectingPolicy lets agents open tunnels everywhere, by TLS handled so, and
// read what is open.
func inspectingPolicy(ports, tls string) string {
	return policy("all",
		`{name: tunnels, to: {type: Hosts, hosts: [{names: ["*.example"], ports: [`+ports+`]}]}, action: Allow, with: {tls: `+tls+`}}`,
		`{name: pages, to: {type: HTTP, http: [{hosts: ["*.example"], ports: [`+ports+`], methods: [GET], paths: ["/open/**", "/ticks/**"]}]}, action: Allow}`,
		`{name: grpc, to: {type: HTTP, http: [{hosts: ["*.example"], ports: [`+ports+`], methods: [POST], paths: ["/grpc.health.v1.Health/*"]}]}, action: Allow}`)
}

// makeCA puts a CA into the state folder.
func (l *looking) makeCA(t testing.TB, permit ...string) {
	t.Helper()
	cert, key, err := secrets.MakeCA(secrets.Params{Name: "hopgate test", Permit: permit, Lifetime: 48 * time.Hour}, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	files := laptop.CAIn(l.State)
	if err := os.WriteFile(files.Cert, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.Key, key.Reveal(), 0o600); err != nil {
		t.Fatal(err)
	}
	l.pem, l.key, l.ca = cert, key, x509.NewCertPool()
	l.ca.AppendCertsFromPEM(cert)
}

// client is an agent's, which trusts the CA: by HTTP/2 where it can, or by
// HTTP/1.1 alone.
func (l *looking) client(t testing.TB, http2 bool, token string) *http.Client {
	t.Helper()
	proxy, err := url.Parse(l.ProxyURL(token))
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: l.ca}, ForceAttemptHTTP2: http2, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// ask asks an upstream by a name of its own.
func (l *looking) ask(t testing.TB, c *http.Client, method, name string, u *upstream, path string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+name+".example:"+u.port()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, c, req)
}
