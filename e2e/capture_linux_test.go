package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// notAsked is where a client believes that it goes.
const notAsked = "203.0.113.9"

// TestCaptureInternet: a kernel redirects connections to the gateway, which
// goes where they say and never where they were going.
func TestCaptureInternet(t *testing.T) {
	t.Parallel()
	if !ownInternet(t) {
		return
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("there is no nft, so that no kernel redirects anything")
	}
	w, z, web := newWorld(t), newZone(t), newInternet(t, 80)
	w.serveAll(t, ":443", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, " ", r.Context().Value(http.LocalAddrContextKey))
	})
	z.at("site.example", "198.200.0.1")
	z.at("private.example", "10.0.0.5")
	z.at("mixed.example", "198.200.0.1", "10.0.0.5")
	inTLS, inHTTP := testenv.Port(t), testenv.Port(t)
	peer := `from: {peers: [{type: Address, address: 203.0.113.0/24}]}, transaction: {type: None}`
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": fmt.Sprintf(captureListeners, inTLS, inHTTP),
		"config.yaml":  config(egress(z.addr.String())),
		"policy.yaml": policy("captured",
			`{name: hosts, `+peer+`, to: {type: Hosts, hosts: [{names: ["*.example"]}]}, action: Allow}`,
			`{name: pages, `+peer+`, to: {type: HTTP, http: [{hosts: ["*.example", 198.200.0.2]}]}, action: Allow}`),
	})
	redirect(t, inTLS, inHTTP)
	roots := x509.NewCertPool()
	roots.AddCert(w.cert)
	got, err := overTLS(t, &tls.Config{RootCAs: roots, ServerName: "site.example"})
	if err != nil || got != "site.example 198.200.0.1:443" {
		t.Errorf("by TLS: %q, %v", got, err)
	}
	for _, name := range []string{"private.example", "mixed.example"} {
		if _, err := overTLS(t, &tls.Config{RootCAs: roots, ServerName: name}); err == nil || !strings.Contains(err.Error(), "access denied") {
			t.Errorf("%s by TLS: %v", name, err)
		}
		if a := overHTTP(t, name); a.code() != "address_denied" {
			t.Errorf("%s by HTTP: %d %s", name, a.status, a.body)
		}
	}
	if a := overHTTP(t, "site.example"); a.header.Get("X-Address") != "198.200.0.1:80" {
		t.Errorf("by HTTP: %d %v %s", a.status, a.header, a.body)
	}
	if a := overHTTP(t, "198.200.0.2"); a.header.Get("X-Address") != "198.200.0.2:80" {
		t.Errorf("an address by HTTP: %d %v %s", a.status, a.header, a.body)
	}
	if got := fmt.Sprint(web.reached()); got != "[198.200.0.1 198.200.0.2]" {
		t.Errorf("connections came to %s", got)
	}
	notForTheAddress(t, g, inTLS)
}

// notForTheAddress: who did not come from where a rule says is not let in by
// what a listener listens on.
func notForTheAddress(t *testing.T, g *testgateway.Gateway, port int) {
	t.Helper()
	c := tls.Client(dial(t, port).Conn, &tls.Config{ServerName: "site.example"})
	if err := c.HandshakeContext(t.Context()); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("from 127.0.0.1: %v", err)
	}
	for _, r := range g.Records(t) {
		if r.Listener == "tls" && r.Peer != notAsked && r.Peer != "127.0.0.1" {
			t.Errorf("recorded of %q", r.Peer)
		}
	}
}

// redirect has connections to one range go to the gateway.
func redirect(t *testing.T, inTLS, inHTTP int) {
	t.Helper()
	rules := fmt.Sprintf(`
table ip capture {
	chain out {
		type nat hook output priority -100;
		ip daddr 203.0.113.0/24 tcp dport 443 redirect to :%d
		ip daddr 203.0.113.0/24 tcp dport 80 redirect to :%d
	}
}
`, inTLS, inHTTP)
	nft := exec.CommandContext(t.Context(), "nft", "-f", "-")
	nft.Stdin = strings.NewReader(rules)
	if out, err := nft.CombinedOutput(); err != nil {
		t.Skipf("this kernel redirects nothing: %v: %s", err, out)
	}
}

// overTLS fetches a page, from where the kernel takes the connection away.
func overTLS(t *testing.T, cfg *tls.Config) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", notAsked+":443")
	if err != nil {
		return "", err
	}
	s := tls.Client(c, cfg)
	if err := s.HandshakeContext(t.Context()); err != nil {
		return "", errors.Join(err, c.Close())
	}
	defer s.Close()
	return fetch(s, cfg.ServerName, "/x")
}

// overHTTP is overTLS without TLS.
func overHTTP(t *testing.T, host string) answer {
	t.Helper()
	c, err := net.Dial("tcp", notAsked+":80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := &line{c, newReader(c)}
	w.say(t, "GET /x HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
	return read(t, w.hear(t, http.MethodGet))
}
