package e2e

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// TestConnectIsAHop: a tunnel through what is no proxy is denied by the guard,
// and recorded: on a listener with routes, whether a route is there or not,
// and inside a tunnel.
func TestConnectIsAHop(t *testing.T) {
	t.Parallel()
	site := newUpstream(t, said("site"))
	host := "site.example:" + site.port()
	named := strings.Replace(route("named", "web", "/"), "spec:\n", "spec:\n  hostnames: [named.example]\n", 1)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", host)),
		"web.yaml":     service("web", site.port(), plain, "/") + named,
		"policy.yaml": policy("all", allow("tunnels", "{type: Hosts, hosts: [{names: [site.example], ports: ["+site.port()+"]}]}"),
			allow("pages", `{type: HTTP, http: [{ports: [`+fmt.Sprint(site.port(), ", ${HTTP}")+`], paths: ["/**"]}]}`)),
	})
	token := g.Token()
	for _, to := range []string{"anywhere.example:443", "named.example:443"} {
		w := dial(t, g.HTTP)
		w.say(t, "CONNECT "+to+" HTTP/1.1\r\nHost: "+to+"\r\nTxn-Token: "+token+"\r\n\r\n")
		read(t, w.hear(t, "CONNECT")).want(t, 404, "no_route")
		recordedTunnel(t, g, to, "no_route")
	}
	w, a := tunnel(t, g, host, token)
	a.want(t, 200, "")
	w.say(t, "CONNECT "+host+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
	read(t, w.hear(t, "CONNECT")).want(t, 404, "no_route")
	recordedTunnel(t, g, host, "no_route")
	if text := g.Log.String(); strings.Contains(text, "hold refused") {
		t.Errorf("a hold was opened for what is no hop:\n%s", text)
	}
	if n := len(site.requests()); n != 0 {
		t.Errorf("the site saw %d requests", n)
	}
}

// recordedTunnel waits for the record of a CONNECT that was denied.
func recordedTunnel(t testing.TB, g *testgateway.Gateway, to, code string) {
	t.Helper()
	g.Recorded(t, "the tunnel to "+to, func(r audit.Record) bool {
		return r.Method == "CONNECT" && r.Code == code && strings.HasPrefix(to, r.Host)
	})
}

// toolsAt is an XBackend of tools without TLS.
func toolsAt(host, port string) string {
	return `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {name: tools}
spec: {type: ExternalHostname, externalHostname: {hostname: ` + host + `}, port: {port: ` + port + `}, protocol: MCP}
---
`
}

// TestOnlyWebSocketUpgrades: a request that wants to be anything else gets an
// answer, at once, and its bytes get nowhere: to a site, to a surface, inside
// a tunnel, on a route; by HTTP/1.1 and HTTP/2.
func TestOnlyWebSocketUpgrades(t *testing.T) {
	t.Parallel()
	site := newUpstream(t, said("site"))
	host := "site.example:" + site.port()
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", host)),
		"web.yaml":     service("web", site.port(), plain, "/") + toolsAt("tools.example", "8080"),
		"policy.yaml": policy("all", allow("tunnels", "{type: Hosts, hosts: [{names: [site.example], ports: ["+site.port()+"]}]}"),
			allow("pages", `{type: HTTP, http: [{ports: [`+fmt.Sprint(site.port(), ", ${HTTP}")+`], paths: ["/**"]}]}`), allow("tools", `{type: Tools, tools: [{}]}`)),
	})
	asks := func(to, upgrade string) string {
		return "GET http://" + to + "/raw HTTP/1.1\r\nHost: " + to + "\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + "\r\n" + proxyAuth(g.Token()) + "\r\n"
	}
	for _, to := range []string{host, "tools.example:8080"} {
		w := dial(t, g.Proxy)
		w.say(t, asks(to, "CONNECT")+"raw bytes")
		a := read(t, w.hear(t, "GET"))
		if a.status == 101 || a.code() != "body_unreadable" {
			t.Errorf("%s: %d %s", to, a.status, a.body)
		}
		g.Recorded(t, "the upgrade at "+to, func(r audit.Record) bool {
			return strings.HasPrefix(to, r.Host) && r.Code == "body_unreadable" && strings.HasSuffix(r.Reason, "upgrade")
		})
		if status := upgrade2(t, g, to, "CONNECT"); status < 400 {
			t.Errorf("%s by HTTP/2: %d", to, status)
		}
	}
	w := dial(t, g.Proxy)
	w.say(t, asks("tools.example:8080", "websocket")+"raw bytes")
	if a := read(t, w.hear(t, "GET")); a.code() != "body_unreadable" {
		t.Errorf("a WebSocket at a surface: %d %s", a.status, a.body)
	}
	w, a := tunnel(t, g, host, g.Token())
	a.want(t, 200, "")
	w.say(t, asks(host, "CONNECT"))
	if a = read(t, w.hear(t, "GET")); a.status != 403 {
		t.Errorf("inside a tunnel: %d %s", a.status, a.body)
	}
	if w, n := dial(t, g.HTTP), len(site.requests()); n != 0 {
		t.Errorf("the site saw %d requests", n)
	} else if w.say(t, asks(host, "CONNECT")); w.hear(t, "GET").StatusCode != 403 {
		t.Error("a route takes an upgrade to CONNECT")
	}
}

// upgrade2 asks for another protocol on a stream of HTTP/2 (RFC 8441), which
// stays open, and gives the status of the answer.
func upgrade2(t testing.TB, g *testgateway.Gateway, to, protocol string) int {
	t.Helper()
	w := dial(t, g.Proxy)
	w.say(t, http2.ClientPreface)
	f := http2.NewFramer(w, w)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, h := range [][2]string{
		{":method", "CONNECT"}, {":protocol", protocol}, {":scheme", "http"}, {":authority", to}, {":path", "/raw"}, {"txn-token", g.Token()},
	} {
		if err := enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("read the answer: %v", err)
		}
		if h, ok := frame.(*http2.MetaHeadersFrame); ok {
			status, err := strconv.Atoi(h.PseudoValue("status"))
			if err != nil {
				t.Fatal(err)
			}
			return status
		}
	}
}
