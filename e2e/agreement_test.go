package e2e

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// agreed is a gateway, two hosts with TLS of every version, one that is hard to
// please, and one without: what a tunnel says of itself must agree with what was
// decided.
type agreed struct {
	*testgateway.Gateway
	web, other, picky, site *upstream
	// target is web.example, with its port.
	target string
}

func newAgreed(t testing.TB, fields string) *agreed {
	t.Helper()
	a := &agreed{}
	a.web, a.other = newTLSUpstream(t, "web.example", said("web")), newTLSUpstream(t, "other.example", said("other"))
	a.web.TLS.MinVersion, a.other.TLS.MinVersion = tls.VersionTLS10, tls.VersionTLS10
	a.picky = newTLSUpstream(t, "picky.example", said("picky"))
	a.picky.TLS.CurvePreferences = []tls.CurveID{tls.CurveP521}
	a.site = newUpstream(t, said("site"))
	ports := "[" + a.web.port() + ", " + a.other.port() + ", " + a.picky.port() + ", " + a.site.port() + "]"
	hosts := egress("", "web.example:"+a.web.port(), "other.example:"+a.other.port(), "picky.example:"+a.picky.port(), "site.example:"+a.site.port(), "opaque.example:"+a.web.port())
	a.Gateway = testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(strings.Replace(hosts, "egress: {", "egress: {"+fields, 1)),
		"policy.yaml": policy("agreed",
			allow("hosts", "{type: Hosts, hosts: [{names: [web.example, other.example, picky.example, site.example], ports: "+ports+"}]}"),
			"{name: opaque, to: {type: Hosts, hosts: [{names: [opaque.example], ports: "+ports+"}]}, action: Allow, with: {tls: Opaque}}",
			allow("http", "{type: HTTP, http: [{hosts: [site.example], ports: "+ports+"}]}")),
	})
	a.target = "web.example:" + a.web.port()
	return a
}

// opened is a tunnel to web.example of a transaction.
func (a *agreed) opened(t testing.TB, target, name string) *line {
	t.Helper()
	w, answer := tunnel(t, a.Gateway, target, a.Token(txn(name)))
	answer.want(t, http.StatusOK, "")
	return w
}

// ended waits for the end of a transaction's tunnel.
func (a *agreed) ended(t testing.TB, name string) audit.Record {
	t.Helper()
	return a.Recorded(t, "the end of "+name, func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Txn == name })
}

// paced sends what is written in pieces of some bytes, and in records of that
// size where cut is set.
type paced struct {
	net.Conn
	size int
	cut  bool
	once sync.Once
}

func (p *paced) Write(b []byte) (int, error) {
	first := false
	p.once.Do(func() { first = true })
	if !first {
		return p.Conn.Write(b)
	}
	out := b
	if p.cut {
		out = nil
		for part := range slices.Chunk(b[5:], p.size) {
			out = append(binary.BigEndian.AppendUint16(append(out, b[:3]...), uint16(len(part))), part...)
		}
	}
	for part := range slices.Chunk(out, p.size) {
		if _, err := p.Conn.Write(part); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// hiding is a list of keys by which a client hides the name that it wants
// behind another (RFC 9849 section 4).
func hiding(t testing.TB, public string) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sized := func(b, field []byte) []byte {
		return append(binary.BigEndian.AppendUint16(b, uint16(len(field))), field...)
	}
	contents := sized([]byte{1, 0, 0x20}, key.PublicKey().Bytes())
	contents = append(sized(contents, []byte{0, 1, 0, 1}), 32, byte(len(public)))
	contents = append(append(contents, public...), 0, 0)
	return sized(nil, sized([]byte{0xfe, 0x0d}, contents))
}

// TestAgreement: what a tunnel carries is what it was opened for.
func TestAgreement(t *testing.T) {
	t.Parallel()
	a := newAgreed(t, "")
	for name, test := range map[string]func(*agreed, *testing.T){
		"TLS": (*agreed).ofTLS, "opaque": (*agreed).opaque, "first flights": (*agreed).ofFirstFlights, "second hellos": (*agreed).ofSecondHellos, "too fast": (*agreed).tooFast, "requests": (*agreed).ofRequests,
	} {
		t.Run(name, func(t *testing.T) { test(a, t) })
	}
}

// ofTLS: the TLS in a tunnel names the tunnel's target, hides nothing, and is
// not old; it may come in as many pieces as it likes.
func (a *agreed) ofTLS(t *testing.T) {
	for _, tc := range []struct {
		name   string
		config *tls.Config
		wrap   func(net.Conn) net.Conn
		// code is that of the tunnel's end; "-": it is closed without one.
		code, alert string
	}{
		{name: "its own name", config: &tls.Config{ServerName: "web.example"}},
		{name: "its own name in upper case", config: &tls.Config{ServerName: "WEB.example"}},
		{name: "in records of 40 bytes", config: &tls.Config{ServerName: "web.example"}, wrap: func(c net.Conn) net.Conn { return &paced{Conn: c, size: 40, cut: true} }},
		{name: "in pieces of 7 bytes", config: &tls.Config{ServerName: "web.example"}, wrap: func(c net.Conn) net.Conn { return &paced{Conn: c, size: 7} }},
		{name: "by TLS 1.2", config: &tls.Config{ServerName: "web.example", MaxVersion: tls.VersionTLS12}},
		{name: "by TLS 1.0 or later", config: &tls.Config{ServerName: "web.example", MinVersion: tls.VersionTLS10}},
		{name: "by TLS 1.1", config: &tls.Config{ServerName: "web.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, code: "tls_too_old", alert: "protocol version"},
		{name: "by TLS 1.0", config: &tls.Config{ServerName: "web.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, code: "tls_too_old", alert: "protocol version"},
		{name: "another listed name", config: &tls.Config{ServerName: "other.example"}, code: "-"},
		{name: "another listed name in records", config: &tls.Config{ServerName: "other.example"}, wrap: func(c net.Conn) net.Conn { return &paced{Conn: c, size: 40, cut: true} }, code: "-"},
		{name: "a name below", config: &tls.Config{ServerName: "a.web.example"}, code: "-"},
		{name: "no name", config: &tls.Config{ServerName: "127.0.0.1"}, code: "-"},
		{name: "a hidden name", config: &tls.Config{ServerName: "inner.example", EncryptedClientHelloConfigList: hiding(t, "web.example")}, code: "tls_hidden", alert: "access denied"},
		{name: "a hidden name in records", config: &tls.Config{ServerName: "inner.example", EncryptedClientHelloConfigList: hiding(t, "web.example")}, wrap: func(c net.Conn) net.Conn { return &paced{Conn: c, size: 100, cut: true} }, code: "tls_hidden", alert: "access denied"},
		{name: "a hidden name behind another", config: &tls.Config{ServerName: "web.example", EncryptedClientHelloConfigList: hiding(t, "other.example")}, code: "-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var conn net.Conn = a.opened(t, a.target, tc.name)
			if tc.wrap != nil {
				conn = tc.wrap(conn)
			}
			tc.config.InsecureSkipVerify = true
			c := tls.Client(conn, tc.config)
			err := c.Handshake()
			if tc.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got, err := fetch(c, "web.example", "/x"); err != nil || got != "web GET /x" {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.alert) {
				t.Errorf("the client is told %v, want %q", err, tc.alert)
			}
			conn.Close()
			if end := a.ended(t, tc.name); tc.code != "-" && (end.Code != tc.code || end.End != audit.EndRefused) {
				t.Errorf("it is recorded as %s, %q", end.End, end.Code)
			}
		})
	}
}

// altered changes what is written behind the first flight.
type altered struct {
	net.Conn
	old, new string
	begun    bool
}

func (a *altered) Write(b []byte) (int, error) {
	out := b
	if a.begun {
		out = bytes.Replace(b, []byte(a.old), []byte(a.new), 1)
	}
	a.begun = true
	if _, err := a.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// ofSecondHellos: who is asked for a second ClientHello (RFC 8446 section 4.1.4)
// says the same in it.
func (a *agreed) ofSecondHellos(t *testing.T) {
	// This client sends no share of what most servers take.
	odd := []tls.CurveID{tls.CurveP384, tls.CurveP521}
	for _, tc := range []struct {
		name, host string
		at         *upstream
		curves     []tls.CurveID
		old, new   string
		code       string
	}{
		{name: "the same again", host: "picky", at: a.picky, curves: odd},
		{name: "none was asked for", host: "web", at: a.web, curves: odd},
		{name: "asked for all the same", host: "picky", at: a.picky},
		{name: "another name", host: "picky", at: a.picky, curves: odd, old: "picky.example", new: "other.example", code: "target_mismatch"},
		{name: "a name of upper case", host: "picky", at: a.picky, curves: odd, old: "picky.example", new: "PICKY.example", code: "tls_unreadable"},
		// extended_master_secret becomes encrypted_client_hello.
		{name: "a name that may be hidden", host: "picky", at: a.picky, curves: odd, old: "\x00\x17\x00\x00", new: "\xfe\x0d\x00\x00", code: "tls_hidden"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			txn, name := "second: "+tc.name, tc.host+".example"
			conn := &altered{Conn: a.opened(t, name+":"+tc.at.port(), txn), old: tc.old, new: tc.new}
			c := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true, CurvePreferences: tc.curves})
			err := c.Handshake()
			if tc.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got, err := fetch(c, name, "/x"); err != nil || got != tc.host+" GET /x" {
					t.Errorf("%q, %v", got, err)
				}
				if asked := c.ConnectionState().HelloRetryRequest; asked != (tc.at == a.picky) {
					t.Errorf("a second ClientHello was asked for: %v", asked)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "illegal parameter") {
				t.Errorf("the client is told %v", err)
			}
			conn.Close()
			if end := a.ended(t, txn); end.Code != tc.code || end.End != audit.EndRefused {
				t.Errorf("it is recorded as %s, %q", end.End, end.Code)
			}
		})
	}
}

// tooFast: a tunnel in which a second ClientHello may come is read, and so cannot
// carry as much as others.
func (a *agreed) tooFast(t *testing.T) {
	c := tls.Client(a.opened(t, a.target, "too fast"), &tls.Config{
		ServerName: "web.example", InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.CurveP384, tls.CurveP521},
	})
	if _, err := io.WriteString(c, "POST /sent HTTP/1.1\r\nHost: web.example\r\nContent-Length: 1073741824\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var err error
	for block := make([]byte, 1<<20); err == nil; {
		_, err = c.Write(block)
	}
	if end := a.ended(t, "too fast"); end.End != audit.EndLimit || end.Code != "overloaded" {
		t.Errorf("it ends by %v, and is recorded as %s, %q", err, end.End, end.Code)
	}
}

// opaque: a tunnel that every rule calls so is not read.
func (a *agreed) opaque(t *testing.T) {
	w := a.opened(t, "opaque.example:"+a.web.port(), "opaque")
	c := tls.Client(w, &tls.Config{ServerName: "web.example", InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got, err := fetch(c, "web.example", "/x"); err != nil || got != "web GET /x" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestAgreementHidden: where the operator says so TLS may hide its name, and
// says the target's outside all the same.
func TestAgreementHidden(t *testing.T) {
	t.Parallel()
	a := newAgreed(t, "encryptedClientHello: Allow, ")
	for host, curves := range map[string][]tls.CurveID{"web": nil, "picky": {tls.CurveP384, tls.CurveP521}} {
		at := a.web
		if host == "picky" { // it asks for a second ClientHello
			at = a.picky
		}
		c := tls.Client(a.opened(t, host+".example:"+at.port(), "allowed by "+host), &tls.Config{
			ServerName: "inner.example", EncryptedClientHelloConfigList: hiding(t, host+".example"), CurvePreferences: curves,
			EncryptedClientHelloRejectionVerify: func(tls.ConnectionState) error { return nil },
		})
		// The host knows nothing of such keys, and says so under its own name.
		if err := c.Handshake(); err == nil || !strings.Contains(err.Error(), "ECH") {
			t.Errorf("%s: the handshake ends by %v, want the host's word on ECH", host, err)
		}
	}
	w := a.opened(t, a.target, "behind")
	c := tls.Client(w, &tls.Config{ServerName: "web.example", InsecureSkipVerify: true, EncryptedClientHelloConfigList: hiding(t, "other.example")})
	if err := c.Handshake(); err == nil || strings.Contains(err.Error(), "ECH") {
		t.Errorf("behind another name the handshake ends by %v", err)
	}
}

// ofFirstFlights: what is no TLS and no HTTP gets nowhere, and neither does TLS
// that is followed too soon.
func (a *agreed) ofFirstFlights(t *testing.T) {
	hello := flightOf(t, "web.example")
	for _, tc := range []struct {
		name  string
		bytes []byte
		code  string
	}{
		{"SSH", []byte("SSH-2.0-x\r\n"), ""},
		{"SMTP", []byte("EHLO x\r\n"), ""},
		{"a nested CONNECT", []byte("CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n"), ""},
		{"zeros", make([]byte, 64), ""},
		{"SSL 2", []byte{0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10}, ""},
		{"an alert", []byte{21, 3, 1, 0, 2, 2, 40}, ""},
		{"more than a hello", append(bytes.Clone(hello), 23, 3, 3, 0, 1, 0), "tls_unreadable"},
		{"two hellos", append(bytes.Clone(hello), hello...), "tls_unreadable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := a.opened(t, a.target, tc.name)
			if _, err := w.Write(tc.bytes); err != nil {
				t.Fatal(err)
			}
			if tc.code == "" { // else the guard ends it, if its client stays
				if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			rest, _ := io.ReadAll(w) // a reset is as good an end
			if bytes.Contains(rest, []byte(" 200 ")) || bytes.HasPrefix(rest, []byte{22}) {
				t.Errorf("somebody answered: %q", rest)
			}
			if end := a.ended(t, tc.name); tc.code != "" && end.Code != tc.code {
				t.Errorf("it is recorded as %s, %q, want %q", end.End, end.Code, tc.code)
			}
		})
	}
}

// flightOf is the first flight of Go's client.
func flightOf(t testing.TB, name string) []byte {
	t.Helper()
	here, there := net.Pipe()
	go func() { _ = tls.Client(here, &tls.Config{ServerName: name}).Handshake() }() // nobody answers
	b := make([]byte, 16<<10)
	n, err := there.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	there.Close()
	return b[:n]
}

// ofRequests: each request in a tunnel without TLS names the tunnel's target, on
// a connection that is kept too, and by HTTP/2, where a client may think that one
// connection serves two hosts.
func (a *agreed) ofRequests(t *testing.T) {
	host := "site.example:" + a.site.port()
	w := a.opened(t, host, "kept")
	for _, tc := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"its own host", "GET /1 HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 200, ""},
		{"another host", "GET /2 HTTP/1.1\r\nHost: web.example:" + a.web.port() + "\r\n\r\n", 421, "target_mismatch"},
		{"another host in the first line", "GET http://web.example:" + a.web.port() + "/3 HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 421, "target_mismatch"},
		{"no port", "GET /4 HTTP/1.1\r\nHost: site.example\r\n\r\n", 421, "target_mismatch"},
		{"its own host again", "GET /5 HTTP/1.1\r\nHost: SITE.example:" + a.site.port() + "\r\n\r\n", 200, ""},
	} {
		w.say(t, tc.request)
		got := read(t, w.hear(t, "GET"))
		if got.status != tc.status || got.code() != tc.code {
			t.Errorf("%s: %d %q, want %d %q", tc.name, got.status, got.code(), tc.status, tc.code)
		}
	}
	tr := newHTTP2(t)
	w2 := a.opened(t, host, "by HTTP/2")
	dialled := false
	tr.DialContext = nil
	tr.Dial = func(string, string) (net.Conn, error) { //nolint:staticcheck // the tunnel is there already
		if dialled {
			return nil, io.ErrClosedPipe
		}
		dialled = true
		return w2, nil
	}
	for _, tc := range []struct {
		host   string
		status int
		code   string
	}{{host, 200, ""}, {"web.example:" + a.web.port(), 421, "target_mismatch"}, {host, 200, ""}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/by2", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tc.host
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", tc.host, err)
		}
		read(t, res).want(t, tc.status, tc.code)
	}
	if got := strings.Join(a.site.paths(), " "); got != "/1 /5 /by2 /by2" {
		t.Errorf("the host saw %s", got)
	}
}
