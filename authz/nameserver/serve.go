package nameserver

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// udpSize is what fits one packet everywhere (RFC 9715).
const udpSize = 1232

// accept lets pass plain queries. Anything else gets a bare header back, or
// nothing: an answer is never longer than what it answers.
func accept(h dns.Header) dns.MsgAcceptAction {
	const response, opcode = 1 << 15, 0xF << 11
	switch {
	case h.Bits&response != 0, h.Bits&opcode != 0:
		// An answer to it could go to somebody who has asked nothing.
		return dns.MsgIgnore
	case h.Qdcount != 1 || h.Ancount != 0 || h.Nscount != 0 || h.Arcount > 1:
		return dns.MsgIgnore
	}
	return dns.MsgAccept
}

// serve answers one query, or says nothing.
func (p *Pool) serve(ctx context.Context, s *socket, w dns.ResponseWriter, q *dns.Msg) {
	v, from := s.view.Load(), addrOf(w.RemoteAddr())
	if v == nil || !v.answers(from.Addr()) {
		p.metrics.count(Stranger)
		return
	}
	if len(q.Question) != 1 || q.Question[0].Qtype == dns.TypeNone || q.Question[0].Qclass == 0 {
		return // a question that is promised and cut short is accepted too
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		p.metrics.count(Overloaded)
		return
	}
	done, ok := p.callers.begin(from.Addr(), v.DNS.QueriesPerSecond)
	if !ok {
		p.limited(v, from, q.Question[0])
		return
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Total)
	defer cancel()
	name, _ := egress.ParseName(q.Question[0].Name)
	// What a later version of EDNS means is not known (RFC 6891 section 6.1.3).
	out := verdict{outcome: BadQuery, rcode: dns.RcodeBadVers}
	if opt := q.IsEdns0(); opt == nil || opt.Version() == 0 {
		out = p.decide(ctx, v, from.Addr(), name, q.Question[0])
	}
	p.metrics.count(out.outcome)
	p.record(v, from, name, q.Question[0], out)
	_ = w.WriteMsg(p.message(w, q, out)) // who does not wait for an answer gets none
}

// addrOf is where a query comes from.
func addrOf(a net.Addr) netip.AddrPort {
	var at netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		at = a.AddrPort()
	case *net.TCPAddr:
		at = a.AddrPort()
	}
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}

// message is the answer to q. What does not fit a packet is left out, and the
// client told to ask by TCP.
func (p *Pool) message(w dns.ResponseWriter, q *dns.Msg, v verdict) *dns.Msg {
	m := (&dns.Msg{}).SetReply(q)
	m.RecursionAvailable, m.Rcode, m.Answer = true, v.rcode, v.answer
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = min(max(int(opt.UDPSize()), dns.MinMsgSize), udpSize)
		own := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
		own.SetUDPSize(udpSize)
		if v.code != "" {
			own.Option = append(own.Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeBlocked, ExtraText: v.code})
		}
		m.Extra = append(m.Extra, own)
	}
	if _, tcp := w.LocalAddr().(*net.TCPAddr); tcp {
		size = dns.MaxMsgSize
	}
	m.Truncate(size)
	return m
}

func count(n int) string { return strconv.Itoa(n) }
