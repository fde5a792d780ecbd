package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// capturing is a gateway with listeners for what was redirected, and what is
// behind it: a TLS server and a plain one, each with many names.
type capturing struct {
	*testgateway.Gateway
	tls, http  int // ports of the listeners
	site, page *upstream
	tools      *upstream // a tool server without sessions
	// roots believe what is behind, ca the gateway too.
	roots, ca *x509.CertPool
}

const captureListeners = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  gatewayClassName: hopgate
  infrastructure: {parametersRef: {group: hopgate.dev, kind: GatewayConfig, name: egress}}
  listeners:
  - {name: tls, port: %d, protocol: hopgate.dev/CaptureTLS}
  - {name: http, port: %d, protocol: hopgate.dev/CaptureHTTP}
---
`

// captureNames are names of both servers.
func captureNames() []string {
	return []string{"site.example", "two.example", "unlisted.example", "looked.example", "opaque.example"}
}

func newCapturing(t testing.TB) *capturing {
	t.Helper()
	w := newWorld(t)
	c := &capturing{tls: testenv.Port(t), http: testenv.Port(t), roots: x509.NewCertPool()}
	c.roots.AddCert(w.cert)
	c.site, c.page, c.tools = w.serveNames(t, captureNames(), capturedPages), newUpstream(t, capturedPages), newUpstream(t, searched)
	hosts := []string{fmt.Sprintf("{name: tools.example, addresses: [127.0.0.1], ports: [%s]}", c.tools.port())}
	for _, n := range captureNames() {
		hosts = append(hosts, fmt.Sprintf("{name: %s, addresses: [127.0.0.1], ports: [%s, %s]}", n, c.site.port(), c.page.port()))
	}
	l := &looking{Gateway: testgateway.New(t, map[string]string{
		"gateway.yaml": fmt.Sprintf(captureListeners, c.tls, c.http),
		"config.yaml": config("egress: {hosts: ["+strings.Join(hosts, ", ")+"]}",
			fmt.Sprintf("listeners: [{name: tls, capturedPort: %s}, {name: http, capturedPort: %s}]", c.site.port(), c.page.port())),
		"tools.yaml":  toolsAt("tools.example", c.tools.port()),
		"policy.yaml": capturePolicy(c.site.port(), c.page.port(), "127.0.0.1"),
	})}
	l.makeCA(t)
	c.Gateway, c.ca = l.Gateway, l.ca
	c.Launch(func(cfg *laptop.Config) {
		cfg.Getenv = func(k string) string { return map[string]string{"SSL_CERT_FILE": w.file}[k] }
	})
	testenv.Wait(t, "the gateway to be ready", c.Ready)
	return c
}

// capturePolicy lets who comes from an address go to some names, and agents
// with a token to one more.
func capturePolicy(site, page, from string) string {
	peer := `from: {peers: [{type: Address, address: "` + from + `"}]}, transaction: {type: None}`
	return policy("captured",
		`{name: site, `+peer+`, to: {type: Hosts, hosts: [{names: [site.example, two.example], ports: [`+site+`]}]}, action: Allow}`,
		`{name: looked, `+peer+`, to: {type: Hosts, hosts: [{names: [looked.example], ports: [`+site+`]}]}, action: Allow, with: {tls: Inspect}}`,
		`{name: opaque, `+peer+`, to: {type: Hosts, hosts: [{names: [opaque.example], ports: [`+site+`]}]}, action: Allow, with: {tls: Opaque, stream: {max: 2s}}}`,
		`{name: pages, `+peer+`, to: {type: HTTP, http: [{hosts: [site.example], ports: [`+page+`], methods: [GET], paths: ["/open/**"]}]}, action: Allow}`,
		`{name: inside, `+peer+`, to: {type: HTTP, http: [{hosts: [looked.example], ports: [`+site+`], methods: [GET], paths: ["/open/**"]}]}, action: Allow}`,
		`{name: tools, `+peer+`, to: {type: Tools, tools: [{servers: [{kind: XBackend, name: tools}], names: [search_code]}]}, action: Allow}`,
		`{name: agents, to: {type: HTTP, http: [{hosts: [two.example], ports: [`+page+`], methods: [GET], paths: ["/**"]}]}, action: Allow}`)
}

// serveNames is an upstream with a certificate for each name.
func (w *world) serveNames(t testing.TB, names []string, h http.HandlerFunc) *upstream {
	t.Helper()
	hour := time.Now().Add(time.Hour)
	byName := map[string]*tls.Certificate{}
	for _, n := range names {
		byName[n] = &w.certificates(t, n, hour)[0]
	}
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(u.keep(h))
	u.TLS = &tls.Config{Certificates: []tls.Certificate{*byName[names[0]]}, GetCertificate: func(i *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return byName[i.ServerName], nil
	}}
	u.EnableHTTP2 = true
	u.StartTLS()
	t.Cleanup(func() { u.CloseClientConnections(); u.Close(); u.clean(t) })
	return u
}

// large is an answer that is longer than what is between holds at once.
const large = 3 << 20

// capturedPages answers in the ways that a tunnel must bear.
func capturedPages(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/small":
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "hello")
	case "/large":
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, strings.Repeat("x", large))
	case "/sent":
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	default:
		greets(r.Host)(w, r)
	}
}

// connect opens a connection that was redirected, and speaks TLS in it.
func (c *capturing) connect(t testing.TB, cfg *tls.Config) (*tls.Conn, error) {
	t.Helper()
	s := tls.Client(dial(t, c.tls).Conn, cfg)
	return s, s.HandshakeContext(t.Context())
}

// trusting is the TLS of a client that wants a name.
func (c *capturing) trusting(name string) *tls.Config {
	return &tls.Config{RootCAs: c.roots, ServerName: name}
}

// get fetches a page of a name by TLS that was redirected.
func (c *capturing) get(t testing.TB, name, path string) (string, error) {
	t.Helper()
	s, err := c.connect(t, c.trusting(name))
	if err != nil {
		return "", err
	}
	defer s.Close()
	return fetch(s, name, path)
}

// ask sends a raw request that was redirected.
func (c *capturing) ask(t testing.TB, request string) answer {
	t.Helper()
	w := dial(t, c.http)
	w.say(t, request)
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(w), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: read the answer: %v", request, err)
	}
	return read(t, res)
}

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

// quarantinePeer cuts a peer off, but for no place.
func (c *capturing) quarantinePeer(t testing.TB, value string) {
	t.Helper()
	c.Write("quarantine.yaml", `
apiVersion: hopgate.dev/v1alpha1
kind: Quarantine
metadata: {name: captured}
spec:
  target: {type: Peer, value: "`+value+`"}
  until: "2100-01-01T00:00:00Z"
`)
}

// clientHello is the first flight of a client that wants a name, whatever that
// is: Go's own sends none but names (RFC 8446 section 4.1.2).
func clientHello(name string) string {
	size := func(n int, b []byte) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
		return append(out[4-n:], b...)
	}
	extension := func(kind uint16, b []byte) []byte {
		return append(binary.BigEndian.AppendUint16(nil, kind), size(2, b)...)
	}
	extensions := slices.Concat(
		extension(0, size(2, append([]byte{0}, size(2, []byte(name))...))),          // server_name
		extension(43, size(1, []byte{3, 4})),                                        // supported_versions
		extension(10, size(2, []byte{0, 29})),                                       // supported_groups
		extension(13, size(2, []byte{4, 3})),                                        // signature_algorithms
		extension(51, size(2, append([]byte{0, 29}, size(2, make([]byte, 32))...))), // key_share
	)
	body := slices.Concat([]byte{3, 3}, make([]byte, 32), []byte{0}, size(2, []byte{0x13, 0x01}), []byte{1, 0}, size(2, extensions))
	return string(append([]byte{22, 3, 1}, size(2, append([]byte{1}, size(3, body)...))...))
}
