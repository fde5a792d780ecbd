package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/hopgate/hopgate/internal/testcorpus"
)

// came is what became of a row: the last answer's status, 0 for none; where it
// says that it came from, and where to it sends its reader.
type came struct {
	status       int
	at, location string
	alternative  string
}

func cameOf(res *http.Response) came {
	return came{res.StatusCode, res.Header.Get("X-Address"), res.Header.Get("Location"), res.Header.Get("Alt-Svc")}
}

// through reports whether something answered that is not the gateway.
func (c came) through() bool { return c.at != "" }

// agent is a raw client of one row: it writes bytes as they are.
type agentOf struct {
	t     testing.TB
	row   *testcorpus.Row
	port  int
	token string
	trust *tls.Config
	tls   string // how its tunnels are used
	// source is where its connections come from, where nothing else says who it
	// is.
	source netip.Addr
	exit   *exit
}

// go sends the row, and tells what became of it.
func (a *agentOf) send() came {
	s := &a.row.Setup
	switch {
	case redirected(a.row):
		return a.captured(a.exit)
	case a.row.Client == testcorpus.DNS:
		return a.queries(a.exit)
	case strings.HasPrefix(s.Transport, "socks"):
		return a.socks()
	case surfaced(a.row):
		return a.call()
	case withKey(a.row):
		row := *a.row
		row.Target, row.Host = "http://"+a.row.Target+a.row.Path, a.row.Target
		b := *a
		b.row = &row
		return b.exchange(b.request(row.Method(), row.Target, b.auth()))
	case a.row.Client == testcorpus.Absolute && len(s.Pipelined) > 0:
		return a.pipeline()
	case a.row.Client == testcorpus.Absolute:
		return a.exchange(a.absolute())
	default:
		return a.tunnel()
	}
}

// visit goes to as many other names as the row says that were seen before it.
func (a *agentOf) visit() {
	if !distinct.MatchString(a.row.Setup.Limit) {
		return
	}
	for i := range a.row.Setup.Seen {
		b := *a
		b.row = &testcorpus.Row{Target: fmt.Sprintf("before-%d.example:443", i)}
		if !b.opens() {
			a.t.Errorf("%s: name %d of %d is refused", a.row.ID, i+1, a.row.Setup.Seen)
		}
	}
}

func (a *agentOf) dial() *line { return dial(a.t, a.port) }

// auth is the line that says who it is.
func (a *agentOf) auth() string { return proxyAuth(a.token) }

// exchange writes a request, and reads the answer.
func (a *agentOf) exchange(request string) came {
	c := a.dial()
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return came{}
	}
	method, _, _ := strings.Cut(request, " ")
	return hearFrom(c.r, method)
}

// hearFrom reads an answer, as far as there is one.
func hearFrom(r *bufio.Reader, method string) came {
	res, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return came{}
	}
	if res.StatusCode == http.StatusContinue {
		return hearFrom(r, method)
	}
	_, _ = io.Copy(io.Discard, res.Body) // it may end as it likes
	return cameOf(res)
}

// absolute is the request to a proxy.
func (a *agentOf) absolute() string {
	s := &a.row.Setup
	if s.RawRequest != "" {
		first, rest, _ := strings.Cut(s.RawRequest, "\r\n")
		return first + "\r\n" + a.auth() + rest
	}
	return a.request(cmp.Or(s.Method, "GET"), a.row.Target, a.auth())
}

// request is one in HTTP/1, with the headers that the row has.
func (a *agentOf) request(method, target, auth string) string {
	s := &a.row.Setup
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n%s", method, target, cmp.Or(s.Version, "HTTP/1.1"), auth)
	if s.Raw != "" {
		if raw, err := strconv.Unquote(`"` + s.Raw + `"`); err == nil {
			b.WriteString(raw + "\r\n")
		}
	} else if !s.OmitHost && !a.namesHost() && (a.row.Host != "" || s.Version == "") {
		fmt.Fprintf(&b, "Host: %s\r\n", a.row.Host)
	}
	for _, h := range s.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if s.Upgrade != "" {
		fmt.Fprintf(&b, "Connection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", s.Upgrade)
	}
	if s.ContentType != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", s.ContentType)
	}
	body := a.body()
	if body != "" || method == "POST" || method == "PUT" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

// namesHost reports whether the row's own headers have a Host.
func (a *agentOf) namesHost() bool {
	for _, h := range a.row.Setup.Headers {
		if strings.EqualFold(h[0], "host") {
			return true
		}
	}
	return false
}

// of are bodies that are told of, and not written out.
var of = regexp.MustCompile(`^\((gzip of (.*)|(\d+) MiB(?: \+ 1)?)\)$`)

func (a *agentOf) body() string {
	m := of.FindStringSubmatch(a.row.Setup.Body)
	switch {
	case a.row.Setup.BytesUp > 0:
		return strings.Repeat("a", int(a.row.Setup.BytesUp))
	case m == nil:
		return a.row.Setup.Body
	case m[3] != "":
		n, err := strconv.Atoi(m[3])
		if err != nil {
			a.t.Fatal(err)
		}
		return `{"model":"m-small","x":"` + strings.Repeat("a", n<<20) + `"}`
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, m[2]); err != nil {
		a.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		a.t.Fatal(err)
	}
	return b.String()
}

// pipeline writes all requests at once; the last one's answer counts, unless
// the row says which.
func (a *agentOf) pipeline() came {
	c := a.dial()
	defer c.Close()
	for _, target := range a.row.Setup.Pipelined {
		host := strings.TrimPrefix(target, "http://")
		host, _, _ = strings.Cut(host, "/")
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", target, host, a.auth()); err != nil {
			return came{}
		}
	}
	judged := len(a.row.Setup.Pipelined)
	if n, ok := a.row.Setup.Judge.(float64); ok {
		judged = int(n)
	}
	var last came
	for range judged {
		last = hearFrom(c.r, "GET")
	}
	return last
}

// call is a request to a surface, which is reached by the gateway's own TLS and
// not by a tunnel.
func (a *agentOf) call() came {
	path := a.row.Path
	if path == "/v1/chat" {
		path = "/v1/chat/completions" // what OpenAI calls it
	}
	row := *a.row
	row.Setup.ContentType, row.Host = cmp.Or(row.Setup.ContentType, "application/json"), a.row.Target
	if strings.HasPrefix(a.row.Host, "tools.") {
		row.Setup.Headers = append([][2]string{{"Accept", "application/json, text/event-stream"}, {"MCP-Protocol-Version", "2025-06-18"}}, row.Setup.Headers...)
	}
	b := *a
	b.row = &row
	return a.exchange(b.request("POST", "http://"+a.row.Target+path, a.auth()))
}

// socks asks a proxy as one asks another kind of proxy (RFC 1928).
func (a *agentOf) socks() came {
	host, port, err := net.SplitHostPort(a.row.Target)
	n, err2 := strconv.ParseUint(port, 10, 16)
	if err != nil || err2 != nil {
		a.t.Fatalf("%s: target %q", a.row.ID, a.row.Target)
	}
	ask := append([]byte{5, 1, 0, 5, 1, 0, 3, byte(len(host))}, host...)
	return a.exchange(string(binary.BigEndian.AppendUint16(ask, uint16(n))))
}

// tunnel opens one, and goes on inside it.
func (a *agentOf) tunnel() came {
	c := a.dial()
	defer c.Close()
	ask := "CONNECT " + a.row.Target + " HTTP/1.1\r\nHost: allowed.example:443\r\n" + a.auth() + "\r\n"
	if a.row.Setup.EarlyData {
		ask += "hello\r\n"
	}
	if _, err := io.WriteString(c, ask); err != nil {
		return came{}
	}
	res, err := http.ReadResponse(c.r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return came{}
	}
	if underscored := strings.Contains(a.row.Target, "_"); res.StatusCode == http.StatusBadRequest && underscored && a.tls == tlsOpaque {
		return a.byHTTP2() // in HTTP/1 Envoy takes no such host, in HTTP/2 it does
	}
	if res.StatusCode != http.StatusOK {
		return hearBody(res)
	}
	switch {
	case a.row.Setup.FirstBytes != nil:
		return a.first(c, a.row.Target)
	case a.tls == tlsOpaque && a.row.Setup.EarlyData:
		return hearFrom(c.r, "GET")
	case a.tls == tlsOpaque:
		return say(c, "hello\r\n")
	default:
		return a.secure(c)
	}
}

// byHTTP2 opens the row's tunnel by HTTP/2, and says a word in it.
func (a *agentOf) byHTTP2() came {
	c := a.dial()
	defer c.Close()
	conn, err := (&http2.Transport{AllowHTTP: true}).NewClientConn(c) //nolint:staticcheck // the connection is there already
	if err != nil {
		a.t.Errorf("%s: %v", a.row.ID, err)
		return came{}
	}
	defer conn.Close()
	in, word := io.Pipe()
	defer word.Close()
	name, value, _ := strings.Cut(strings.TrimSpace(a.auth()), ": ")
	res, err := conn.RoundTrip((&http.Request{
		Method: http.MethodConnect, URL: &url.URL{Host: a.row.Target}, Host: a.row.Target, Header: http.Header{name: {value}}, Body: in,
	}).WithContext(a.t.Context()))
	if err != nil {
		return came{}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return came{status: res.StatusCode}
	}
	if _, err := io.WriteString(word, "hello\r\n"); err != nil {
		return came{}
	}
	return hearFrom(bufio.NewReader(res.Body), "GET")
}

func hearBody(res *http.Response) came {
	_, _ = io.Copy(io.Discard, res.Body) // it may end as it likes
	return cameOf(res)
}

func say(c *line, text string) came {
	if _, err := io.WriteString(c, text); err != nil {
		return came{}
	}
	return hearFrom(c.r, "GET")
}

// first sends these bytes and no more, and waits for what comes of it.
func (a *agentOf) first(c *line, host string) came {
	if text := *a.row.Setup.FirstBytes; text != "" {
		return say(c, text+"\r\nHost: "+host+"\r\n\r\n")
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		return came{}
	}
	return hearFrom(c.r, "GET")
}

// secure speaks TLS inside a tunnel, to the gateway or through it.
func (a *agentOf) secure(c *line) came {
	host, _, err := net.SplitHostPort(a.row.Target)
	if err != nil {
		return came{}
	}
	conf := a.config(cmp.Or(a.row.SNI, host))
	if a.tls == tlsInspect {
		conf.InsecureSkipVerify, conf.RootCAs = false, a.trust.RootCAs
	}
	if a.wantsHTTP2() {
		conf.NextProtos = []string{"h2"}
	}
	s, early, ok := a.shake(c, conf)
	if !ok {
		return early
	}
	if a.wantsHTTP2() {
		return a.frames(s)
	}
	if _, err := io.WriteString(s, a.inner()); err != nil {
		return came{}
	}
	return hearFrom(bufio.NewReader(s), a.row.Method())
}

// inner is the request inside a tunnel.
func (a *agentOf) inner() string {
	b := *a
	if a.row.Host == "" {
		row := *a.row
		row.Host, b.row = a.row.Target, &row
	}
	return b.request(b.row.Method(), cmp.Or(strings.TrimPrefix(b.row.Path, "(tunnel)"), "/"), "")
}

func (a *agentOf) wantsHTTP2() bool {
	for _, h := range a.row.Setup.Headers {
		if strings.HasPrefix(h[0], ":") {
			return true
		}
	}
	return a.row.Setup.H2 || a.row.Setup.PseudoAuthority+a.row.Setup.PseudoScheme != ""
}

// frames is the request by HTTP/2, with pseudo-headers as they are.
func (a *agentOf) frames(c net.Conn) came {
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return came{}
	}
	f := http2.NewFramer(c, c)
	f.AllowIllegalWrites = true
	if err := f.WriteSettings(); err != nil {
		return came{}
	}
	// The server says first whether it takes an extended CONNECT; no reader
	// of a refusal waits for that.
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.block(), EndHeaders: true, EndStream: true}); err != nil {
		return came{}
	}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return came{}
		}
		switch m := frame.(type) {
		case *http2.MetaHeadersFrame:
			return cameOfFields(m.Fields)
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return came{}
		}
	}
}

func cameOfFields(fields []hpack.HeaderField) came {
	var out came
	for _, h := range fields {
		switch h.Name {
		case ":status":
			if n, err := strconv.Atoi(h.Value); err == nil {
				out.status = n
			}
		case "x-address":
			out.at = h.Value
		}
	}
	return out
}

// block is the encoded list of headers.
func (a *agentOf) block() []byte {
	s := &a.row.Setup
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	write := func(name, value string) {
		if err := e.WriteField(hpack.HeaderField{Name: name, Value: value}); err != nil {
			a.t.Fatal(err)
		}
	}
	method := a.row.Method()
	for _, h := range s.Headers {
		if h[0] == ":protocol" {
			method = http.MethodConnect
		}
	}
	write(":method", method)
	write(":scheme", cmp.Or(s.PseudoScheme, "https"))
	write(":authority", a.row.Authority())
	write(":path", cmp.Or(s.PseudoPath, a.row.Path))
	for _, h := range s.Headers {
		write(strings.ToLower(h[0]), h[1])
	}
	if s.ContentType != "" {
		write("content-type", s.ContentType)
	}
	return b.Bytes()
}

// follow goes where an answer led: by a tunnel, or by a request to the proxy.
func (a *agentOf) follow(to string) (came, error) {
	base := &url.URL{Scheme: "https", Host: a.row.Host, Path: a.row.Path}
	u, err := base.Parse(to)
	if err != nil {
		return came{}, err
	}
	to = u.String()
	row := testcorpus.Row{ID: a.row.ID, Target: to, Host: u.Host, Client: testcorpus.Absolute}
	if u.Scheme == "https" {
		row.Client, row.Target, row.SNI, row.Path = testcorpus.Connect, u.Host, u.Hostname(), cmp.Or(u.Path, "/")
		if u.Port() == "" {
			row.Target += ":443"
		}
	}
	b := *a
	b.row = &row
	return b.send(), nil
}
