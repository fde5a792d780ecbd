package e2e

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/internal/testcorpus"
)

// redirected reports whether a row is traffic that its agent did not send to a
// gateway.
func redirected(r *testcorpus.Row) bool {
	return r.Client == testcorpus.TLS || r.Client == testcorpus.HTTP
}

// from is a connection from the agent's own address: redirected traffic has no
// other word of who it is.
func (a *agentOf) from(port int) (*line, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.source, 0))}
	c, err := d.DialContext(a.t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	return &line{c, bufio.NewReader(c)}, nil
}

// captured sends what was redirected.
func (a *agentOf) captured(x *exit) came {
	if a.row.Client == testcorpus.HTTP {
		return a.capturedHTTP(x)
	}
	c, err := a.from(x.captureTLS)
	if err != nil {
		a.t.Errorf("%s: %v", a.row.ID, err)
		return came{}
	}
	defer c.Close()
	if a.row.Setup.FirstBytes != nil {
		return a.first(c, a.row.Host)
	}
	if name := a.row.SNI; name != standIn(name) || len(a.row.Setup.SNIList) > 0 {
		return a.oddHello(c)
	}
	return a.hello(c)
}

func (a *agentOf) capturedHTTP(x *exit) came {
	c, err := a.from(x.captureHTTP)
	if err != nil {
		a.t.Errorf("%s: %v", a.row.ID, err)
		return came{}
	}
	defer c.Close()
	if _, err := io.WriteString(c, a.request(a.row.Method(), a.row.Path, "")); err != nil {
		return came{}
	}
	return hearFrom(c.r, a.row.Method())
}

// hello speaks TLS as the row has it, and fetches a page.
func (a *agentOf) hello(c *line) came {
	t, early, ok := a.shake(c, a.config(a.row.SNI))
	if !ok {
		return early
	}
	if _, err := io.WriteString(t, "GET / HTTP/1.1\r\nHost: "+a.row.SNI+"\r\n\r\n"); err != nil {
		return came{}
	}
	return hearFrom(bufio.NewReader(t), "GET")
}

// standIn is a name that Go's TLS sends as it is, as long as another one.
func standIn(name string) string {
	odd := strings.HasSuffix(name, ".") || strings.ContainsAny(name, "\x00, _") || name == ""
	if _, err := netip.ParseAddr(name); err != nil && !odd {
		return name
	}
	return strings.Repeat("a", len(name))
}

// oddHello sends a first flight that no library sends, and tells whether
// anything answers it.
func (a *agentOf) oddHello(c *line) came {
	names := a.row.Setup.SNIList
	if len(names) == 0 {
		names = []string{a.row.SNI}
	}
	list := []byte(names[0])
	for _, n := range names[1:] { // name_type, length, name (RFC 6066 section 3)
		list = append(binary.BigEndian.AppendUint16(append(list, 0), uint16(len(n))), n...)
	}
	b, err := firstFlight(a.t.Context(), strings.Repeat("a", len(list)))
	if err != nil {
		a.t.Errorf("%s: %v", a.row.ID, err)
		return came{}
	}
	at := strings.Index(string(b), strings.Repeat("a", len(list)))
	if at < 2 {
		a.t.Errorf("%s: the name is not in the first flight", a.row.ID)
		return came{}
	}
	copy(b[at:], list)
	binary.BigEndian.PutUint16(b[at-2:], uint16(len(names[0])))
	if _, err := c.Write(b); err != nil {
		return came{}
	}
	// Whatever is behind it answers with a handshake (22); the gateway closes,
	// or sends an alert (21).
	if first, err := c.r.Peek(1); err != nil || first[0] != 22 {
		return came{}
	}
	return came{status: 200, at: "somewhere"}
}

// firstFlight is what a TLS client sends first for a name.
func firstFlight(ctx context.Context, name string) ([]byte, error) {
	near, far := net.Pipe()
	defer far.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = tls.Client(near, &tls.Config{ServerName: name, InsecureSkipVerify: true}).HandshakeContext(ctx) // nobody answers
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(far, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(far, body); err != nil {
		return nil, err
	}
	near.Close()
	<-ended
	return slices.Concat(head, body), nil
}

// queries asks the gateway for a name. Through is an answer that says
// something.
func (a *agentOf) queries(x *exit) came {
	name, kind, _ := strings.Cut(a.row.Target, " ")
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), dns.StringToType[kind])
	c := &dns.Client{Net: cmp.Or(a.row.Setup.Transport, "tcp"), Timeout: patience}
	res, _, err := c.ExchangeContext(a.t.Context(), m, net.JoinHostPort("127.0.0.1", strconv.Itoa(x.names)))
	if err != nil || res.Rcode != dns.RcodeSuccess || len(res.Answer) == 0 {
		return came{}
	}
	return came{status: 200, at: "the gateway"}
}
