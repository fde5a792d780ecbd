package resolve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// udpSize is what fits one packet everywhere (RFC 9715).
	udpSize = 1232
	// readSize is what is read of a packet, of servers that send larger ones.
	readSize = 4096
	// maxStrays is how many packets that are no answer a socket gets before it
	// is taken to be under attack.
	maxStrays = 16
)

// errUseTCP: the answer does not fit a packet, or somebody forges answers.
var errUseTCP = errors.New("resolve name: use tcp")

// question is what one message asks.
type question struct {
	name   string // canonical
	family uint16
	edns   bool
}

// message writes the question with a random id and, unless plain, in random
// case.
func (q question) message(random io.Reader, plain bool) (*dns.Msg, error) {
	name := []byte(q.name + ".")
	dice := make([]byte, 2+(len(name)+7)/8)
	if _, err := io.ReadFull(random, dice); err != nil {
		return nil, fmt.Errorf("make query: %w", err)
	}
	for i, c := range name {
		if !plain && 'a' <= c && c <= 'z' && dice[2+i/8]>>(i%8)&1 == 1 {
			name[i] = c - 'a' + 'A'
		}
	}
	m := &dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: binary.BigEndian.Uint16(dice), RecursionDesired: true},
		Question: []dns.Question{{Name: string(name), Qtype: q.family, Qclass: dns.ClassINET}},
	}
	if q.edns {
		m.SetEdns0(udpSize, false)
	}
	return m, nil
}

// once sends one message and waits for its answer. Each has a socket of its
// own, and so a port that the kernel chooses.
func (s *source) once(ctx context.Context, network string, server netip.AddrPort, q question) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, s.r.cfg.Try)
	defer cancel()
	m, err := q.message(s.r.cfg.Random, s.r.cfg.PlainCase)
	if err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, server.String())
	if err != nil {
		return nil, fmt.Errorf("dial resolver: %w", err)
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("dial resolver: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	conn := &dns.Conn{Conn: c, UDPSize: readSize}
	if err := conn.WriteMsg(m); err != nil {
		return nil, fmt.Errorf("ask resolver: %w", err)
	}
	if network == "tcp" {
		return receiveTCP(conn, m)
	}
	return receiveUDP(conn, m)
}

// receiveUDP waits for the answer to m among whatever comes: anybody who
// guesses the port can send.
func receiveUDP(conn *dns.Conn, m *dns.Msg) (*dns.Msg, error) {
	for range maxStrays {
		raw, err := conn.ReadMsgHeader(nil)
		if err != nil && !errors.Is(err, dns.ErrShortRead) {
			return nil, fmt.Errorf("hear resolver: %w", err)
		}
		in := &dns.Msg{}
		if err != nil || in.Unpack(raw) != nil || !isAnswer(m, in) {
			continue
		}
		if in.Truncated || in.Question[0].Name != m.Question[0].Name {
			return nil, errUseTCP
		}
		return in, nil
	}
	return nil, errUseTCP
}

// receiveTCP reads one answer. Some servers do not repeat the case of names;
// here nobody off the path can forge one.
func receiveTCP(conn *dns.Conn, m *dns.Msg) (*dns.Msg, error) {
	in, err := conn.ReadMsg()
	if err != nil {
		return nil, fmt.Errorf("hear resolver: %w", err)
	}
	if !isAnswer(m, in) || in.Truncated {
		return nil, errors.New("hear resolver: not the answer to the question")
	}
	return in, nil
}

// isAnswer reports whether in answers out (RFC 5452 section 9.1), in whatever
// case.
func isAnswer(out, in *dns.Msg) bool {
	if !in.Response || in.Id != out.Id || in.Opcode != dns.OpcodeQuery || len(in.Question) != 1 {
		return false
	}
	a, b := in.Question[0], out.Question[0]
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}
