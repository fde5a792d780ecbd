package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// said answers with a name, and what it was asked for.
func said(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s %s", name, r.Method, r.URL.Path) }
}

// outside is a gateway with a proxy, and what may be reached through it: two
// web sites, one with TLS, and a DNS.
type outside struct {
	*testgateway.Gateway
	web, site *upstream
	zone      *zone
	health    int
}

// newOutside has a researcher who may go to web.example and site.example, and
// an agent anything whom no rule stops.
func newOutside(t testing.TB) *outside {
	t.Helper()
	o := &outside{zone: newZone(t), health: testenv.Port(t)}
	o.web = newTLSUpstream(t, "web.example", said("web"))
	o.site = newUpstream(t, said("site"))
	o.Gateway = testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress(o.zone.addr.String(), "web.example:"+o.web.port(), "site.example:"+o.site.port(),
			"self.example:${HTTP}", fmt.Sprint("health.example:", o.health))),
		"policy.yaml": policy("outside",
			fmt.Sprintf(`{name: web, from: {agents: [{name: researcher}]}, to: {type: Hosts, hosts: [{names: [web.example], ports: [%s]}, {names: [site.example], ports: [%s]}]}, action: Allow}`, o.web.port(), o.site.port()),
			fmt.Sprintf(`{name: site, from: {agents: [{name: researcher}]}, to: {type: HTTP, http: [{hosts: [site.example], ports: [%s], methods: [GET], paths: ["/open/**"]}]}, action: Allow}`, o.site.port()),
			anyRule("Hosts", "names", o.health), anyRule("HTTP", "hosts", o.health)),
	}, testgateway.HealthOn(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(o.health))))
	return o
}

// anyRule lets the agent anything go anywhere, as far as rules can.
func anyRule(kind, names string, health int) string {
	list := strings.ToLower(kind)
	return fmt.Sprintf(`{name: any-%s, from: {agents: [{name: anything}]}, to: {type: %s, %s: [{%s: ["*", "**.example"], ports: [80, 443, ${PROXY}, ${HTTP}, %d]}]}, action: Allow}`,
		list, kind, list, names, health)
}

// TestProxyTunnel: a tunnel to where the agent may go, by each version of HTTP
// and spelling that is one.
func TestProxyTunnel(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	token, port := o.Token(), o.web.port()
	bearer := "Proxy-Authorization: Bearer " + token + "\r\n"
	for _, tc := range []struct{ name, request string }{
		{"HTTP/1.1", "CONNECT web.example:" + port + " HTTP/1.1\r\nHost: web.example:" + port + "\r\n" + proxyAuth(token) + "\r\n"},
		{"bearer", "CONNECT web.example:" + port + " HTTP/1.1\r\nHost: web.example:" + port + "\r\n" + bearer + "\r\n"},
		{"own header", "CONNECT web.example:" + port + " HTTP/1.1\r\nHost: web.example:" + port + "\r\nTxn-Token: " + token + "\r\n\r\n"},
		{"HTTP/1.0", "CONNECT web.example:" + port + " HTTP/1.0\r\n" + proxyAuth(token) + "\r\n"},
		{"HTTP/1.0 with a Host", "CONNECT web.example:" + port + " HTTP/1.0\r\nHost: web.example:" + port + "\r\n" + proxyAuth(token) + "\r\n"},
		{"upper case", "CONNECT WEB.Example:" + port + " HTTP/1.1\r\nHost: web.example:" + port + "\r\n" + proxyAuth(token) + "\r\n"},
		{"a dot at the end", "CONNECT web.example.:" + port + " HTTP/1.1\r\nHost: web.example:" + port + "\r\n" + proxyAuth(token) + "\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, a := tunnelBy(t, o.Gateway, tc.request)
			a.want(t, 200, "")
			if got, err := w.secure(o.web, "web.example", "/x"); err != nil || got != "web GET /x" {
				t.Errorf("through the tunnel: %q, %v", got, err)
			}
		})
	}
	t.Run("HTTP/2", func(t *testing.T) {
		t.Parallel()
		c, a := tunnel2(t, o.Gateway, "web.example:"+port, token)
		a.want(t, 200, "")
		s := tls.Client(c, o.web.clientTLS("web.example"))
		if got, err := fetch(s, "web.example", "/x"); err != nil || got != "web GET /x" {
			t.Errorf("through the tunnel: %q, %v", got, err)
		}
	})
}

// TestProxyDenied: where nobody gets to, whatever rules say, and where this
// agent may not go.
func TestProxyDenied(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	o.zone.at("private.example", "10.1.2.3")
	o.zone.at("loop.example", "127.0.0.1")
	o.zone.at("half.example", "198.200.0.1", "10.1.2.3")
	o.zone.at("meta.example", "169.254.169.254")
	o.zone.at("mapped.example", "::ffff:10.0.0.1", "2606:4700::1")
	one, all := o.Token(), o.Token(agent("anything"))
	for _, tc := range []struct {
		name, token, target string
		status              int
		code                string
	}{
		{"not listed", one, "evil.example:443", 403, "no_rule"},
		{"another port", one, "web.example:443", 403, "name_denied"},
		{"a longer name", one, "web.example.evil.example:" + o.web.port(), 403, "no_rule"},
		{"metadata", all, "169.254.169.254:80", 403, "address_denied"},
		{"metadata over TLS", all, "169.254.169.254:443", 403, "address_denied"},
		{"a cloud's metadata", all, "100.100.100.200:80", 403, "address_denied"},
		{"metadata by name", all, "metadata.google.internal:80", 403, "name_denied"},
		{"metadata in IPv6", all, "[fd00:ec2::254]:80", 403, "address_denied"},
		{"a name that is private", all, "private.example:443", 403, "address_denied"},
		{"a name that is loopback", all, "loop.example:443", 403, "address_denied"},
		{"a name that is private among others", all, "half.example:443", 403, "address_denied"},
		{"a name that is metadata", all, "meta.example:80", 403, "address_denied"},
		{"a name that is nowhere", all, "nowhere.example:443", 502, "name_unresolved"},
		{"a private address", all, "10.1.2.3:443", 403, "address_denied"},
		{"loopback", all, "127.0.0.1:443", 403, "address_denied"},
		{"loopback in IPv6", all, "[::1]:443", 403, "address_denied"},
		{"this machine by name", all, "localhost:443", 403, "name_denied"},
		{"this machine by name, with a dot", all, "localhost.:443", 403, "name_denied"},
		{"nowhere in particular", all, "0.0.0.0:443", 403, "address_denied"},
		{"our own proxy", all, fmt.Sprint("127.0.0.1:", o.Proxy), 403, "address_denied"},
		{"our own routes", all, fmt.Sprint("127.0.0.1:", o.HTTP), 403, "address_denied"},
		{"our own health", all, fmt.Sprint("127.0.0.1:", o.health), 403, "address_denied"},
		{"our own routes by an opened name", all, fmt.Sprint("self.example:", o.HTTP), 403, "name_denied"},
		{"our own health by an opened name", all, fmt.Sprint("health.example:", o.health), 403, "name_denied"},
		{"short notation", all, "127.1:443", 400, "bad_authority"},
		{"hexadecimal", all, "0x7f000001:443", 400, "bad_authority"},
		{"decimal", all, "2130706433:443", 400, "bad_authority"},
		{"octal", all, "0177.0.0.1:443", 400, "bad_authority"},
		{"IPv4 in IPv6", all, "[::ffff:127.0.0.1]:443", 403, "address_denied"},
		{"IPv4 in IPv6, in hexadecimal", all, "[::ffff:7f00:1]:443", 400, "bad_authority"},
		{"a zone", all, "[fe80::1%25lo]:443", 400, ""},
		{"no port", all, "web.example", 400, ""},
		{"a sign in the port", all, "web.example:+443", 400, ""},
		{"an encoded dot", all, "web%2eexample:443", 400, ""},
		{"user information", all, "web.example@evil.example:443", 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, a := tunnel(t, o.Gateway, tc.target, tc.token)
			a.want(t, tc.status, tc.code)
			if tc.code == "" {
				return // Envoy refuses it by itself
			}
			if a.header.Get("Proxy-Status") == "" || a.header.Get("Proxy-Authenticate") != "" {
				t.Errorf("headers %v", a.header)
			}
		})
	}
}

// TestProxyWithoutToken: 407, and how to come again, only where there is no
// token at all.
func TestProxyWithoutToken(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	target := "web.example:" + o.web.port()
	for _, tc := range []struct {
		name, auth string
		status     int
		code       string
	}{
		{"none", "", 407, "token_missing"},
		{"another scheme", "Proxy-Authorization: Negotiate abc\r\n", 407, "token_missing"},
		{"a user without a password", "Proxy-Authorization: Basic YWdlbnQ6\r\n", 407, "token_missing"},
		{"no token", "Proxy-Authorization: Bearer x.y.z\r\n", 403, "token_malformed"},
		{"two headers", proxyAuth(o.Token()) + proxyAuth(o.Token(agent("anything"))), 403, "token_malformed"},
		{"two tokens", proxyAuth(o.Token()) + "Txn-Token: " + o.Token(agent("anything")) + "\r\n", 403, "token_malformed"},
		{"expired", proxyAuth(o.Token(issued(longAgo))), 403, "token_expired"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, request := range []string{
				"CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n" + tc.auth + "\r\n",
				"GET http://site.example:" + o.site.port() + "/open/x HTTP/1.1\r\nHost: site.example:" + o.site.port() + "\r\n" + tc.auth + "\r\n",
			} {
				_, a := tunnelBy(t, o.Gateway, request)
				a.want(t, tc.status, tc.code)
				if asked := a.header.Get("Proxy-Authenticate") != ""; asked != (tc.status == 407) {
					t.Errorf("Proxy-Authenticate: %q", a.header.Get("Proxy-Authenticate"))
				}
			}
		})
	}
}

// TestProxyAbsoluteForm: plain HTTP by the proxy is decided request by
// request, on one connection too, and the first line alone says where to.
func TestProxyAbsoluteForm(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	u, err := url.Parse(o.ProxyURL(o.Token()))
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{Proxy: http.ProxyURL(u)}
	t.Cleanup(tr.CloseIdleConnections)
	c := &http.Client{Transport: tr, Timeout: patience}
	base := "http://site.example:" + o.site.port()
	for _, tc := range []struct {
		name, method, url string
		status            int
		code, body        string
	}{
		{"allowed", "GET", base + "/open/x", 200, "", "site GET /open/x"},
		{"another path", "GET", base + "/closed/x", 403, "no_rule", ""},
		{"another method", "POST", base + "/open/x", 403, "no_rule", ""},
		{"another host", "GET", "http://evil.example/open/x", 403, "no_rule", ""},
		{"a path that leads out", "GET", base + "/open/%2e%2e/closed", 400, "bad_path", ""},
		{"a slash with two readings", "GET", base + "/open%2fx", 400, "bad_path", ""},
		{"allowed again", "GET", base + "/open/y", 200, "", "site GET /open/y"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, tc.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := send(t, c, req)
		if a.status != tc.status || tc.code != "" && a.code() != tc.code || tc.body != "" && a.body != tc.body {
			t.Errorf("%s: %d %q %s", tc.name, a.status, a.code(), a.body)
		}
	}
	_, a := tunnelBy(t, o.Gateway, "GET "+base+"/open/z HTTP/1.1\r\nHost: evil.example\r\n"+proxyAuth(o.Token())+"\r\n")
	if a.status != 200 || a.body != "site GET /open/z" {
		t.Errorf("Host counted against the first line: %d %s", a.status, a.body)
	}
	_, a = tunnelBy(t, o.Gateway, "GET /open/z HTTP/1.1\r\nHost: evil.example\r\n"+proxyAuth(o.Token())+"\r\n")
	a.want(t, 403, "no_rule")
	_, a = tunnelBy(t, o.Gateway, "GET http://site.example:"+o.site.port()+"@evil.example/open/z HTTP/1.1\r\nHost: x\r\n"+proxyAuth(o.Token())+"\r\n")
	a.want(t, 403, "no_rule")
	o.Recorded(t, "that the user is no host", func(r audit.Record) bool { return r.Host == "evil.example" && r.Path == "/open/z" })
	for _, r := range o.site.requests() {
		if r.Header.Get("X-Forwarded-For")+r.Header.Get("X-Request-Id")+r.Header.Get("X-Forwarded-Proto") != "" {
			t.Errorf("the site was told of the agent: %v", r.Header)
		}
	}
}

// TestProxyTunnelNames: what is inside a tunnel must name the tunnel's own
// target.
func TestProxyTunnelNames(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	target := "web.example:" + o.web.port()
	for _, tc := range []struct{ name, sni string }{{"another name", "evil.example"}, {"a longer name", "web.example.evil.example"}} {
		w, a := tunnel(t, o.Gateway, target, o.Token())
		a.want(t, 200, "")
		c := tls.Client(w, &tls.Config{ServerName: tc.sni, InsecureSkipVerify: true})
		if err := c.Handshake(); err == nil {
			t.Errorf("%s: the handshake came through", tc.name)
		}
	}
	w, a := tunnel(t, o.Gateway, target, o.Token())
	a.want(t, 200, "")
	// An address has no server name.
	if err := tls.Client(w, &tls.Config{ServerName: "127.0.0.1", InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("TLS without a server name came through")
	}
	if w, a = tunnel(t, o.Gateway, target, o.Token()); a.status != 200 {
		t.Fatal(a)
	}
	w.say(t, "SSH-2.0-x\r\n")
	if b, err := io.ReadAll(w); err == nil && len(b) > 0 {
		t.Errorf("something that is no TLS came through: %q", b)
	}
	if n := len(o.web.requests()); n != 0 {
		t.Errorf("the site saw %d requests", n)
	}
}

// TestProxyPlainInside: plain HTTP inside a tunnel is decided request by
// request, and each must name the tunnel's target.
func TestProxyPlainInside(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	host := "site.example:" + o.site.port()
	w, a := tunnel(t, o.Gateway, host, o.Token())
	a.want(t, 200, "")
	for _, tc := range []struct {
		name, host, path string
		status           int
		code             string
	}{
		{"allowed", host, "/open/x", 200, ""},
		{"another path", host, "/closed", 403, "no_rule"},
		{"another host", "web.example:" + o.web.port(), "/open/x", 421, "target_mismatch"},
		{"another port", "site.example", "/open/x", 421, "target_mismatch"},
		{"allowed again", host, "/open/y", 200, ""},
	} {
		w.say(t, "GET "+tc.path+" HTTP/1.1\r\nHost: "+tc.host+"\r\nTxn-Token: "+o.Token()+"\r\n\r\n")
		read(t, w.hear(t, "GET")).want(t, tc.status, tc.code)
	}
	outer := o.Recorded(t, "the tunnel", func(r audit.Record) bool { return r.Kind == audit.KindBegin && r.Method == "CONNECT" })
	inner := o.Recorded(t, "the request inside", func(r audit.Record) bool { return r.Kind == audit.KindBegin && r.Path == "/open/x" })
	if inner.Parent != outer.Hop || inner.Txn != outer.Txn || inner.Agent != testgateway.Agent {
		t.Errorf("the request inside is not the tunnel's: %+v", inner)
	}
	if got := fmt.Sprint(o.site.paths()); got != "[/open/x /open/y]" {
		t.Errorf("the site saw %s", got)
	}
}
