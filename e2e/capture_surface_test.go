package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
)

// searched answers a call of a tool.
func searched(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"searched"}]}}`)
}

// capturedTools: a request to the host and port of an XBackend is of its
// surface, by whatever way it came.
func capturedTools(t *testing.T, c *capturing) {
	at := "tools.example:" + c.tools.port()
	call := func(body string) answer {
		return c.ask(t, fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n%s",
			at, len(body), body))
	}
	if a := call(searchCall); a.status != http.StatusOK || !strings.Contains(a.body, "searched") {
		t.Errorf("a tool that is listed: %d %s", a.status, a.body)
	}
	if a := call(deleteCall); a.code() != "no_rule" {
		t.Errorf("a tool that is not: %d %s", a.status, a.body)
	}
	if a := call("{"); a.status < 400 || a.code() == "" {
		t.Errorf("no call at all: %d %s", a.status, a.body)
	}
	if n := len(c.tools.requests()); n != 1 {
		t.Errorf("the tool server saw %d requests", n)
	}
	r := c.Recorded(t, "a call", func(r audit.Record) bool {
		return r.Kind == audit.KindBegin && r.Listener == "http" && r.Surface == "Tools"
	})
	if r.Peer != "127.0.0.1" || r.Rule != "tools" || r.Name != "search_code" {
		t.Errorf("recorded %+v", r)
	}
}

// capturedHTTP2: HTTP/2 without TLS, as clients speak it that know before
// (RFC 9113 section 3.3), is decided request by request, on one connection too.
func capturedHTTP2(t *testing.T, c *capturing) {
	tr := newHTTP2(t)
	for _, tc := range []struct {
		name, method, host, path string
		status                   int
		code                     string
	}{
		{"listed", "GET", "site.example", "/open/h2", 200, ""},
		{"its port", "GET", "site.example:" + c.page.port(), "/open/h2", 200, ""},
		{"a path that is not listed", "GET", "site.example", "/closed", 403, "no_rule"},
		{"a method that is not", "POST", "site.example", "/open/h2", 403, "no_rule"},
		{"a host that is not", "GET", "unlisted.example", "/open/h2", 403, "no_rule"},
		{"an address", "GET", "169.254.169.254", "/latest", 403, "address_denied"},
		{"a tunnel", "CONNECT", "site.example:" + c.page.port(), "", 404, "no_route"},
		{"listed again", "GET", "SITE.example", "/open/h2", 200, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, fmt.Sprintf("http://127.0.0.1:%d%s", c.http, tc.path), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tc.host
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if a := read(t, res); a.status != tc.status || a.code() != tc.code || res.ProtoMajor != 2 {
			t.Errorf("%s: %d %q by %s, want %d %q", tc.name, a.status, a.code(), res.Proto, tc.status, tc.code)
		}
	}
	for _, r := range c.page.requests() {
		if r.URL.Path == "/open/h2" && !strings.HasPrefix(strings.ToLower(r.Host), "site.example") {
			t.Errorf("a request for %q came through", r.Host)
		}
	}
}

// flowing are a tunnel and a request that were captured, of the one address.
func (c *capturing) flowing(t *testing.T) map[string]net.Conn {
	t.Helper()
	tunnel, err := c.connect(t, c.trusting("site.example"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tunnel.Close() })
	plain := dial(t, c.http)
	for conn, headers := range map[net.Conn]string{
		tunnel: "Host: site.example\r\n", plain: "Host: two.example\r\nTxn-Token: " + c.Token(txn("flowing")) + "\r\n",
	} {
		if _, err := io.WriteString(conn, "GET /ticks HTTP/1.1\r\n"+headers+"\r\n"); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, len("HTTP/1.1 200"))
		if _, err := io.ReadFull(conn, first); err != nil || string(first) != "HTTP/1.1 200" {
			t.Fatalf("answered %q, %v", first, err)
		}
	}
	return map[string]net.Conn{"site.example": tunnel, "two.example": plain}
}

// capturedRevoked: an order to revoke an address ends all that was captured of
// it, and lets nothing begin until it is lifted.
func capturedRevoked(t *testing.T, c *capturing) {
	operator, err := admin.NewClient(c.State)
	if err != nil {
		t.Fatal(err)
	}
	flowing := c.flowing(t)
	done, err := operator.Order(t.Context(), admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindPeer, Value: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if done.Ended < len(flowing) {
		t.Errorf("%d streams are said to have ended, want %d", done.Ended, len(flowing))
	}
	for host, conn := range flowing {
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s goes on", host)
		}
		c.Recorded(t, "the end of "+host, func(r audit.Record) bool {
			return r.Kind == audit.KindEnd && r.End == audit.EndRevoked && r.Code == "revoked" && c.begun(t, r.Hop).Host == host
		})
	}
	if _, err := c.get(t, "site.example", "/x"); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("a tunnel of who is revoked: %v", err)
	}
	c.ask(t, "GET /open/x HTTP/1.1\r\nHost: site.example\r\n\r\n").want(t, 401, "revoked")
	if _, err := operator.Lift(t.Context(), done.Order.ID); err != nil {
		t.Fatal(err)
	}
	c.ask(t, "GET /open/x HTTP/1.1\r\nHost: site.example\r\n\r\n").want(t, 200, "")
	if got, err := c.get(t, "site.example", "/x"); err != nil || !strings.HasPrefix(got, "site.example") {
		t.Errorf("lifted: %q, %v", got, err)
	}
}

// begun is the record of a hop's beginning; nothing: there is none.
func (c *capturing) begun(t *testing.T, hop audit.HopID) (out audit.Record) {
	t.Helper()
	for _, r := range c.Records(t) {
		if r.Kind == audit.KindBegin && r.Hop == hop {
			return r
		}
	}
	return out
}
