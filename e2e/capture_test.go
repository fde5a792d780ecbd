package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/internal/testenv"
)

// TestCapture: what was redirected goes where it says, if who sent it may, and
// is refused where it can read why.
func TestCapture(t *testing.T) {
	t.Parallel()
	c := newCapturing(t)
	for name, f := range map[string]func(*testing.T, *capturing){
		"TLS": capturedTLS, "ends": capturedEnds, "refused TLS": capturedRefused, "inspected": capturedInspected, "deadline": capturedDeadline,
		"HTTP": capturedHTTP, "with a token": capturedToken, "tools": capturedTools, "HTTP/2": capturedHTTP2,
	} {
		t.Run(name, func(t *testing.T) { f(t, c) })
	}
	t.Run("revoked", func(t *testing.T) { capturedRevoked(t, c) })
	// Last: nobody gets through any more.
	t.Run("cut off", func(t *testing.T) { capturedCut(t, c) })
}

// capturedTLS: a tunnel is a hop, of the address that it came from.
func capturedTLS(t *testing.T, c *capturing) {
	for _, name := range []string{"site.example", "two.example", "opaque.example"} {
		if got, err := c.get(t, name, "/x"); err != nil || !strings.HasPrefix(got, name) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	r := c.Recorded(t, "a tunnel that was captured", func(r audit.Record) bool {
		return r.Kind == audit.KindBegin && r.Listener == "tls" && r.Host == "two.example"
	})
	got := []string{r.Peer, r.Listener, r.Surface, r.Method, r.Rule, fmt.Sprint(r.Port)}
	if diff := cmp.Diff([]string{"127.0.0.1", "tls", "Hosts", http.MethodConnect, "site", c.site.port()}, got); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	if r.Source.Addr().String() != "127.0.0.1" || r.Source.Port() == 0 {
		t.Errorf("recorded to come from %q", r.Source)
	}
}

// capturedEnds: nothing of an answer is lost when the server closes, however
// many come at once, and what a client sends arrives.
func capturedEnds(t *testing.T, c *capturing) {
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			path, want := "/small", len("hello")
			if i%2 == 1 {
				path, want = "/large", large
			}
			name := captureNames()[i/2%2]
			if got, err := c.get(t, name, path); err != nil || len(got) != want {
				t.Errorf("%s of %s: %d bytes, %v", path, name, len(got), err)
			}
		})
	}
	wg.Wait()
	s, err := c.connect(t, c.trusting("site.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://site.example/sent", strings.NewReader(strings.Repeat("y", large)))
	if err != nil {
		t.Fatal(err)
	}
	if err := req.Write(s); err != nil {
		t.Fatal(err)
	}
	if got := read(t, (&line{s, newReader(s)}).hear(t, http.MethodPost)); got.body != fmt.Sprint(large) {
		t.Errorf("of %d bytes %s arrived", large, got.body)
	}
}

// capturedRefused: a client of TLS is told so by an alert, and the record has
// the reason. What names nothing goes nowhere.
func capturedRefused(t *testing.T, c *capturing) {
	for _, tc := range []struct {
		name, server string
		alert        tls.AlertError
		code         string
	}{
		{"not listed", "unlisted.example", 49, "no_rule"},
		{"nowhere", "metadata.google.internal", 49, "name_denied"},
		{"no name", "", 112, "name_missing"},
		{"a long label", strings.Repeat("a", 64) + ".example", 49, "bad_authority"},
	} {
		_, err := c.connect(t, &tls.Config{ServerName: tc.server, InsecureSkipVerify: true})
		var op *net.OpError
		if !errors.As(err, &op) || op.Err.Error() != tc.alert.Error() {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.alert)
		}
		c.Recorded(t, tc.name, func(r audit.Record) bool {
			return r.Kind == audit.KindDeny && r.Code == tc.code && r.Listener == "tls" && r.Peer == "127.0.0.1" && strings.HasPrefix(r.Host, tc.server)
		})
	}
	for name, raw := range map[string]string{
		"an address":    clientHello("10.0.0.5"),
		"an underscore": clientHello("a_b.example"), // Envoy takes it for no name
		"a port":        clientHello("site.example:" + c.site.port()),
		"a dot":         clientHello("site.example."),
		"a line":        clientHello("site.example\r\nHost: two.example"),
		"a space":       clientHello("site.example two.example"),
		"a nul":         clientHello("site.example\x00.example"),
		"plain HTTP":    "GET /open/x HTTP/1.1\r\nHost: site.example\r\n\r\n",
		"CONNECT":       "CONNECT site.example:" + c.site.port() + " HTTP/1.1\r\nHost: site.example\r\n\r\n",
		"another thing": "SSH-2.0-x\r\n",
	} {
		w := dial(t, c.tls)
		w.say(t, raw)
		got, err := io.ReadAll(w)
		if isAlert := len(got) == 7 && got[0] == 21; len(got) != 0 && !isAlert {
			t.Errorf("%s: answered %q, %v", name, got, err)
		}
	}
	for _, r := range c.site.requests() {
		if !strings.HasSuffix(r.Host, ".example") && !strings.HasPrefix(r.Host, "looked.example:") {
			t.Errorf("a request for %q came through", r.Host)
		}
	}
	c.Recorded(t, "no TLS", func(r audit.Record) bool {
		return r.Kind == audit.KindDeny && r.Code == "name_missing" && r.Listener == "tls" && r.Host == "" && r.Peer == "127.0.0.1"
	})
}

// capturedInspected: what is inside is decided request by request, and is of
// who opened the connection.
func capturedInspected(t *testing.T, c *capturing) {
	s, err := c.connect(t, &tls.Config{RootCAs: c.ca, ServerName: "looked.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := &line{s, newReader(s)}
	for _, tc := range []struct {
		path   string
		status int
		code   string
	}{{"/open/a", 200, ""}, {"/closed", 403, "no_rule"}, {"/open/b", 200, ""}} {
		w.say(t, "GET "+tc.path+" HTTP/1.1\r\nHost: looked.example:"+c.site.port()+"\r\n\r\n")
		read(t, w.hear(t, http.MethodGet)).want(t, tc.status, tc.code)
	}
	w.say(t, "GET /open/c HTTP/1.1\r\nHost: site.example:"+c.site.port()+"\r\n\r\n")
	read(t, w.hear(t, http.MethodGet)).want(t, 421, "target_mismatch")
	r := c.Recorded(t, "a request inside", func(r audit.Record) bool {
		return r.Kind == audit.KindBegin && r.Path == "/open/a" && r.Host == "looked.example"
	})
	if r.Peer != "127.0.0.1" || r.Parent == (audit.HopID{}) {
		t.Errorf("recorded %+v", r)
	}
}

// capturedDeadline: a tunnel ends when its time is over, whatever flows in it.
func capturedDeadline(t *testing.T, c *capturing) {
	s, err := c.connect(t, c.trusting("opaque.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := fmt.Fprint(s, "GET /ticks HTTP/1.1\r\nHost: opaque.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, s)
	if n == 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after %d bytes: %v", n, err)
	}
	begun := map[audit.HopID]bool{}
	for _, r := range c.Records(t) {
		if r.Kind == audit.KindBegin && r.Host == "opaque.example" {
			begun[r.Hop] = true
		}
	}
	c.Recorded(t, "a tunnel whose time is over", func(r audit.Record) bool {
		return r.Kind == audit.KindEnd && r.End == audit.EndExpired && begun[r.Hop]
	})
}

// capturedHTTP: plain HTTP is decided request by request, by the one Host that
// it has.
func capturedHTTP(t *testing.T, c *capturing) {
	for _, tc := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"listed", "GET /open/x HTTP/1.1\r\nHost: site.example\r\n\r\n", 200, ""},
		{"upper case", "GET /open/x HTTP/1.1\r\nHost: SITE.Example\r\n\r\n", 200, ""},
		{"its port", "GET /open/x HTTP/1.1\r\nHost: site.example:" + c.page.port() + "\r\n\r\n", 200, ""},
		{"another port", "GET /open/x HTTP/1.1\r\nHost: site.example:" + c.site.port() + "\r\n\r\n", 403, "no_rule"},
		{"a path that is not listed", "GET /closed HTTP/1.1\r\nHost: site.example\r\n\r\n", 403, "no_rule"},
		{"a method that is not", "POST /open/x HTTP/1.1\r\nHost: site.example\r\nContent-Length: 0\r\n\r\n", 403, "no_rule"},
		{"a host that is not", "GET /open/x HTTP/1.1\r\nHost: unlisted.example\r\n\r\n", 403, "no_rule"},
		{"an address", "GET /latest HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", 403, "address_denied"},
		{"dots", "GET /open/../closed HTTP/1.1\r\nHost: site.example\r\n\r\n", 400, "bad_path"},
		{"two hosts", "GET /open/x HTTP/1.1\r\nHost: site.example\r\nHost: two.example\r\n\r\n", 400, "bad_authority"},
		{"the same host twice", "GET /open/x HTTP/1.1\r\nHost: site.example\r\nHost: site.example\r\n\r\n", 400, "bad_authority"},
		{"no host", "GET /open/x HTTP/1.1\r\n\r\n", 400, ""},
		{"an empty host", "GET /open/x HTTP/1.1\r\nHost:\r\n\r\n", 400, "bad_authority"},
		{"an old client", "GET /open/x HTTP/1.0\r\nHost: site.example\r\n\r\n", 426, ""},
		{"absolute form", "GET http://site.example/open/x HTTP/1.1\r\nHost: site.example\r\n\r\n", 404, ""},
		{"absolute form, another host", "GET http://site.example/open/x HTTP/1.1\r\nHost: two.example\r\n\r\n", 404, ""},
		{"a tunnel", "CONNECT site.example:" + c.page.port() + " HTTP/1.1\r\nHost: site.example:" + c.page.port() + "\r\n\r\n", 404, "no_route"},
		{"where it came from, by its own word", "GET /open/x HTTP/1.1\r\nHost: unlisted.example\r\nX-Forwarded-For: 10.0.0.1\r\nX-Hop-Source: 10.0.0.1:1\r\n\r\n", 403, "no_rule"},
	} {
		t.Run(tc.name, func(t *testing.T) { c.ask(t, tc.request).want(t, tc.status, tc.code) })
	}
	r := c.Recorded(t, "a page", func(r audit.Record) bool {
		return r.Kind == audit.KindBegin && r.Listener == "http" && r.Host == "site.example"
	})
	if r.Peer != "127.0.0.1" || r.Surface != "HTTP" || r.Rule != "pages" {
		t.Errorf("recorded %+v", r)
	}
}

// capturedToken: plain HTTP may bear a token in Txn-Token, and is told how
// where it must.
func capturedToken(t *testing.T, c *capturing) {
	get := func(headers string) answer {
		return c.ask(t, "GET /any HTTP/1.1\r\nHost: two.example\r\n"+headers+"\r\n")
	}
	get("").want(t, 401, "token_missing")
	get("Txn-Token: "+c.Token()+"\r\n").want(t, 200, "")
	get(proxyAuth(c.Token())).want(t, 401, "token_missing")
	get("Txn-Token: x.y.z\r\n").want(t, 401, "token_malformed")
}

// capturedCut: a tunnel of an address ends with it, and no other is opened.
func capturedCut(t *testing.T, c *capturing) {
	s, err := c.connect(t, c.trusting("site.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := fmt.Fprint(s, "GET /ticks HTTP/1.1\r\nHost: site.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	live := func() (out []leash.Stream) {
		for _, l := range c.Guard().Streams() {
			if l.Peer == "127.0.0.1" && l.Host == "site.example" && l.Listener == "tls" {
				out = append(out, l)
			}
		}
		return out
	}
	testenv.Wait(t, "the tunnel to be live", func() bool { return len(live()) > 0 })
	c.quarantinePeer(t, "127.0.0.1")
	if _, err := io.Copy(io.Discard, s); err == nil {
		t.Log("the tunnel came to an orderly end")
	}
	testenv.Wait(t, "the tunnel to be over", func() bool { return len(live()) == 0 })
	if _, err := c.get(t, "site.example", "/x"); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("in quarantine: %v", err)
	}
	c.ask(t, "GET /open/x HTTP/1.1\r\nHost: site.example\r\n\r\n").want(t, 403, "quarantined")
}
