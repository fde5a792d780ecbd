package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// TestInspect: what is inside TLS is read and decided, request by request, by
// either version of HTTP.
func TestInspect(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			c := l.client(t, http2, l.Token())
			a := l.ask(t, c, "GET", "site", l.site, "/open/a")
			a.want(t, 200, "")
			if a.body != "site HTTP/2.0 GET /open/a" {
				t.Errorf("answer %q", a.body)
			}
			l.ask(t, c, "GET", "site", l.site, "/closed").want(t, 403, "no_rule")
			l.ask(t, c, "POST", "site", l.site, "/open/a").want(t, 403, "no_rule")
			l.Recorded(t, "the request inside the tunnel", func(r audit.Record) bool {
				return r.Kind == audit.KindBegin && r.Parent != (audit.HopID{}) && r.Method == "GET" && r.Path == "/open/a" && r.Host == "site.example" && r.Txn == "txn-1"
			})
			l.Recorded(t, "the denial inside the tunnel", func(r audit.Record) bool {
				return r.Kind == audit.KindDeny && r.Parent != (audit.HopID{}) && r.Method == "POST" && r.Path == "/open/a" && r.Code == "no_rule"
			})
		})
	}
}

// TestInspectIsProven: canaries go through inspected tunnels by each way to
// dial, with certificates of their own, before anybody else does.
func TestInspectIsProven(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	if got := l.Inspected(); got != 3 {
		t.Errorf("certificates were minted for %d names, want one for each way to dial", got)
	}
	if _, proven := l.Guard().Canaries(); !proven {
		t.Error("the gateway is ready, and its Envoy not proven")
	}
}

// inTunnel is TLS inside a tunnel to an upstream, by a name that the client
// says it wants.
func (l *looking) inTunnel(t testing.TB, name string, u *upstream, token, sni string) (*tls.Conn, error) {
	t.Helper()
	w, a := tunnel(t, l.Gateway, name+".example:"+u.port(), token)
	a.want(t, 200, "")
	// The certificate is looked at by the caller: here every name is another one.
	c := tls.Client(w, &tls.Config{ServerName: sni, InsecureSkipVerify: true})
	return c, c.Handshake()
}

// TestInspectMintsForTheTunnelAlone: whatever name TLS asks for.
func TestInspectMintsForTheTunnelAlone(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	token := l.Token()
	for _, tc := range []struct {
		name, sni string
		minted    bool
	}{
		{"the target's", "site.example", true},
		{"in another spelling", "SITE.example", true},
		{"one that no tunnel has", "other.example", false},
		{"one below it", "a.site.example", false},
		{"none", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := l.inTunnel(t, "site", l.site, token, tc.sni)
			if (err == nil) != tc.minted {
				t.Fatalf("handshake: %v", err)
			}
			if err != nil {
				return
			}
			leaf := c.ConnectionState().PeerCertificates[0]
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: l.ca, DNSName: "site.example"}); err != nil {
				t.Errorf("the certificate is not believed: %v", err)
			}
			if left := time.Until(leaf.NotAfter); left > 13*time.Hour || len(leaf.DNSNames) != 1 {
				t.Errorf("it is for %v, and lives for %s", leaf.DNSNames, left)
			}
			if got, err := fetch(c, "site.example:"+l.site.port(), "/open/a"); err != nil || !strings.HasPrefix(got, "site ") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	// Another tunnel's name has a certificate, and is closed all the same.
	two, err := l.inTunnel(t, "two", l.two, token, "two.example")
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.inTunnel(t, "site", l.site, token, "two.example")
	if err == nil {
		if got, err := fetch(c, "two.example:"+l.two.port(), "/open/mixed"); err == nil {
			t.Errorf("by another tunnel's name: %q", got)
		}
	}
	if got, err := fetch(two, "two.example:"+l.two.port(), "/open/a"); err != nil || !strings.HasPrefix(got, "two ") {
		t.Errorf("%q, %v", got, err)
	}
	for _, u := range []*upstream{l.site, l.two} {
		for _, p := range u.paths() {
			if p != "/open/a" {
				t.Errorf("an upstream was asked for %s", p)
			}
		}
	}
}

// TestInspectAnotherHost: a Host that is not the tunnel's is refused as
// misdirected (RFC 9110 section 15.5.20).
func TestInspectAnotherHost(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	for _, host := range []string{"two.example", "site.example", "site.example:80", "127.0.0.1:" + l.site.port()} {
		c, err := l.inTunnel(t, "site", l.site, l.Token(), "site.example")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(c, "GET /open/a HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		read(t, res).want(t, 421, "target_mismatch")
	}
	if got := append(l.site.paths(), l.two.paths()...); len(got) != 0 {
		t.Errorf("upstreams were asked for %v", got)
	}
}

// TestInspectVerifiesTheOtherEnd: who is not who the agent asked for is asked
// nothing.
func TestInspectVerifiesTheOtherEnd(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	for name, u := range map[string]*upstream{"wrong": l.wrong, "self": l.self, "expired": l.expired} {
		for _, http2 := range []bool{false, true} {
			l.ask(t, l.client(t, http2, l.Token()), "GET", name, u, "/open/a").want(t, 503, "backend_unavailable")
		}
		if got := u.paths(); len(got) != 0 {
			t.Errorf("%s was asked for %v", name, got)
		}
	}
}

// TestInspectSocketAndGRPC: a WebSocket, also to a server that would rather
// speak HTTP/2, and gRPC.
func TestInspectSocketAndGRPC(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	c, err := l.inTunnel(t, "site", l.site, l.Token(), "site.example")
	if err != nil {
		t.Fatal(err)
	}
	host := "site.example:" + l.site.port()
	if _, err := fmt.Fprintf(c, "GET /ticks/ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the WebSocket was answered %d", res.StatusCode)
	}
	if n, err := io.ReadFull(c, make([]byte, 64)); err != nil {
		t.Errorf("%d bytes of a WebSocket: %v", n, err)
	}
	l.Recorded(t, "the WebSocket", func(r audit.Record) bool { return r.Kind == audit.KindBegin && r.Path == "/ticks/ws" })
	l.grpc(t)
}

// TestInspectEnds: what is inside a tunnel is cut with it.
func TestInspectEnds(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		l := newLooking(t, "example")
		operator, err := admin.NewClient(l.State)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://site.example:"+l.site.port()+"/ticks/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := l.client(t, http2, l.Token(lifetime(10*time.Minute))).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.ReadFull(res.Body, make([]byte, 20)); err != nil {
			t.Fatalf("nothing streams: %v", err)
		}
		if got := l.Inspected(); got != 1 {
			t.Errorf("%d names are inspected", got)
		}
		if _, err := operator.Order(t.Context(), admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: "txn-1"}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		_, _ = io.Copy(io.Discard, res.Body) // it ends, by an error or not
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it went on for %s", took)
		}
		l.Recorded(t, "the end of what was inside", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Code == "revoked" })
		testenv.Wait(t, "all to be over", func() bool { return l.Guard().Live() == 0 })
	}
}

// TestInspectWithoutACA: a rule that asks for it is not accepted, status says
// how to make one, and nothing gets through.
func TestInspectWithoutACA(t *testing.T) {
	t.Parallel()
	site := newTLSUpstream(t, "site.example", greets("site"))
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", "site.example:"+site.port())),
		"policy.yaml":  inspectingPolicy(site.port(), "Inspect"),
	})
	if _, a := tunnel(t, g, "site.example:"+site.port(), g.Token()); a.status != 403 || a.code() != "policy_rejected" {
		t.Errorf("answer %d %q", a.status, a.code())
	}
	if !g.Told.Says("AccessPolicy", "hopgate ca init") {
		t.Errorf("nobody was told what to do: %s", g.Told)
	}
	r, err := laptop.Look([]string{g.Files}, g.State, time.Now())
	if err != nil || r.Good() {
		t.Errorf("check finds all good, %v", err)
	}
	if got := site.paths(); len(got) != 0 {
		t.Errorf("the upstream was asked for %v", got)
	}
}

// TestInspectOnlyWhatTheCAMay: a name outside its constraints is refused where
// the client can read why.
func TestInspectOnlyWhatTheCAMay(t *testing.T) {
	t.Parallel()
	l := newLooking(t, "site.example")
	l.ask(t, l.client(t, true, l.Token()), "GET", "site", l.site, "/open/a").want(t, 200, "")
	if _, a := tunnel(t, l.Gateway, "two.example:"+l.two.port(), l.Token()); a.code() != "not_available" || !strings.Contains(a.body, "may not sign for this name") {
		t.Errorf("answer %d %s", a.status, a.body)
	}
}

// TestInspectHidesKeys: neither the CA's nor the leaves' is in a log, a record,
// or what Envoy's admin shows.
func TestInspectHidesKeys(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	c := l.client(t, true, l.Token())
	l.ask(t, c, "GET", "site", l.site, "/open/a").want(t, 200, "")
	record, err := os.ReadFile(laptop.AuditFile(l.State))
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{"log": l.Log.String(), "record": string(record)}
	for _, p := range []string{"/config_dump?include_eds", "/certs", "/clusters"} {
		pages[p] = l.adminPage(t, p)
	}
	key := strings.Split(strings.TrimSpace(string(l.key.Reveal())), "\n")
	for name, text := range pages {
		if text == "" || strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, key[1][:40]) || strings.Contains(text, "UFJJVkFURSBLRVk") {
			t.Errorf("%s shows a key, or nothing", name)
		}
	}
}

// TestInspectNeverMixes: of many tunnels to two targets, all at once and by
// either version of HTTP, each leads to its own, and is whom it says.
func TestInspectNeverMixes(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	const tunnels, atOnce = 40, 20 // of each target and version; of all
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range tunnels {
		for name, u := range map[string]*upstream{"site": l.site, "two": l.two} {
			for _, http2 := range []bool{false, true} {
				slots <- struct{}{}
				wg.Go(func() {
					defer func() { <-slots }()
					id := fmt.Sprint(name, "-", i, "-", http2)
					c := l.client(t, http2, l.Token(txn(id)))
					for range 2 {
						if a := l.ask(t, c, "GET", name, u, "/open/"+id); a.body != name+" HTTP/2.0 GET /open/"+id {
							t.Errorf("%s: %d %q", id, a.status, a.body)
						}
					}
				})
			}
		}
	}
	wg.Wait()
	testenv.Wait(t, "every hop to be recorded", func() bool { return len(inside(t, l.Gateway)) == 8*tunnels })
	for _, r := range inside(t, l.Gateway) {
		if r.Path != "/open/"+r.Txn {
			t.Errorf("a hop of transaction %s asks for %s", r.Txn, r.Path)
		}
	}
}

// TestInspectStorm: thousands of names that nobody approved mint nothing, keep
// nothing, and are in nobody's way.
func TestInspectStorm(t *testing.T) {
	t.Parallel()
	l := newLooking(t, "example")
	token := l.Token()
	good := l.client(t, true, token)
	l.ask(t, good, "GET", "site", l.site, "/open/a").want(t, 200, "")
	const names, atOnce = 3000, 30
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if _, err := l.inTunnel(t, "site", l.site, token, fmt.Sprintf("x%d.example", i)); err == nil {
				t.Errorf("a certificate was minted for x%d.example", i)
			}
		})
		if i%500 == 0 {
			l.ask(t, good, "GET", "site", l.site, "/open/a").want(t, 200, "")
		}
	}
	wg.Wait()
	if got := l.Inspected(); got != 1 {
		t.Errorf("%d names are known", got)
	}
	testenv.Wait(t, "all streams for secrets but one to be over", func() bool {
		return strings.Contains(l.adminPage(t, "/clusters"), "hopgate/secrets::"+l.Socket()+"::rq_active::1\n")
	})
	l.ask(t, l.client(t, false, token), "GET", "site", l.site, "/open/b").want(t, 200, "")
}

// TestInspectThenNot: a tunnel that was opened by a looser rule is cut when TLS
// is to be inspected.
func TestInspectThenNot(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	l.Write("policy.yaml", inspectingPolicy(l.site.port(), "Passthrough"))
	testenv.Wait(t, "TLS to pass", func() bool {
		w, a := tunnel(t, l.Gateway, "site.example:"+l.site.port(), l.Token())
		if a.status != 200 {
			return false
		}
		got, err := w.secure(l.site, "site.example", "/closed")
		return err == nil && strings.HasPrefix(got, "site ")
	})
	w, a := tunnel(t, l.Gateway, "site.example:"+l.site.port(), l.Token())
	a.want(t, 200, "")
	c := tls.Client(w, l.site.clientTLS("site.example"))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	l.Write("policy.yaml", inspectingPolicy(l.site.port(), "Inspect"))
	if _, err := io.Copy(io.Discard, c); err == nil {
		t.Log("the tunnel ended cleanly")
	}
	l.Recorded(t, "the end of the tunnel", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Code == "tunnel_changed" })
}
