package resolve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// accept lets pass plain queries. Anything else gets a bare header back, or
// nothing: an answer is never longer than what it answers.
func accept(h dns.Header) dns.MsgAcceptAction {
	const response, opcode = 1 << 15, 0xF << 11
	switch {
	case h.Bits&response != 0:
		return dns.MsgIgnore
	case h.Bits&opcode != 0:
		return dns.MsgRejectNotImplemented
	case h.Qdcount != 1 || h.Ancount != 0 || h.Nscount != 0 || h.Arcount > 1:
		return dns.MsgReject
	}
	return dns.MsgAccept
}

// serve answers one query, or drops it when there are too many.
func (s *Server) serve(ctx context.Context, w dns.ResponseWriter, q *dns.Msg) {
	if len(q.Question) != 1 || q.Question[0].Qtype == dns.TypeNone || q.Question[0].Qclass == 0 {
		return // a question that is promised and cut short is accepted too
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		s.cfg.Observer.Served("", Dropped)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Total)
	defer cancel()
	name, _ := egress.ParseName(q.Question[0].Name)
	m, outcome := s.answer(ctx, name, q)
	if !outcome.cheap() && !s.refusals.take() {
		outcome = Dropped
	}
	s.cfg.Observer.Served(name, outcome)
	if outcome == Dropped {
		return
	}
	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(udpSize, false)
	}
	m.Truncate(replySize(w, q))
	_ = w.WriteMsg(m) // who does not wait for an answer gets none
}

// cheap reports whether as many queries as come may end so: what was approved
// is Envoy's, all else is somebody's who tries.
func (o Outcome) cheap() bool { return o != NotApproved && o != BadType }

// replySize is what the asker can take.
func replySize(w dns.ResponseWriter, q *dns.Msg) int {
	if _, tcp := w.LocalAddr().(*net.TCPAddr); tcp {
		return dns.MaxMsgSize
	}
	if opt := q.IsEdns0(); opt != nil {
		return min(max(int(opt.UDPSize()), dns.MinMsgSize), udpSize)
	}
	return dns.MinMsgSize
}

// answer makes the answer to q, which asks for name (canonical; empty: none).
func (s *Server) answer(ctx context.Context, name string, q *dns.Msg) (*dns.Msg, Outcome) {
	m := (&dns.Msg{}).SetReply(q)
	m.RecursionAvailable = true
	m.Rcode = dns.RcodeRefused
	ask := q.Question[0]
	z := s.zone(name)
	switch {
	case name == "" || z == nil:
		return m, NotApproved
	case ask.Qclass != dns.ClassINET:
		return m, BadType
	}
	switch ask.Qtype {
	case dns.TypeHTTPS:
		// No parameters, and so no ECH, which would hide the name from us.
		m.Rcode = dns.RcodeSuccess
		return m, Answered
	case dns.TypeA, dns.TypeAAAA:
		return m, z.fill(ctx, name, m)
	}
	return m, BadType
}

// fill puts the addresses of name into m.
func (z *Zone) fill(ctx context.Context, name string, m *dns.Msg) Outcome {
	a, err := z.asks.Lookup(ctx, name)
	var failure *Failure
	switch {
	case err == nil:
		m.Rcode = dns.RcodeSuccess
		m.Answer = recordsFor(m.Question[0], a)
		return Answered
	case !errors.As(err, &failure):
		return Closed
	case failure.Kind == NoName:
		m.Rcode = dns.RcodeNameError
	case failure.Kind == NoAddress:
		m.Rcode = dns.RcodeSuccess
	default:
		m.Rcode = dns.RcodeServerFailure
	}
	return Failed
}

// servedTTL is as long as Envoy is to know a name: it forgets a host that nobody
// uses only when the host's answer ends, and many hosts make each new one dear.
const servedTTL = 10 * time.Second

func recordsFor(q dns.Question, a Answer) []dns.RR {
	var out []dns.RR
	ttl := uint32(min(max(a.TTL, time.Second), servedTTL) / time.Second)
	for _, addr := range a.Addrs {
		if addr.Is4() == (q.Qtype == dns.TypeA) {
			out = append(out, record(q, addr, ttl))
		}
	}
	return out
}

func record(q dns.Question, a netip.Addr, ttl uint32) dns.RR {
	h := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: ttl}
	if q.Qtype == dns.TypeA {
		return &dns.A{Hdr: h, A: a.AsSlice()}
	}
	return &dns.AAAA{Hdr: h, AAAA: a.AsSlice()}
}
