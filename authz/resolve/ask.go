package resolve

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"github.com/miekg/dns"
)

// rounds is how often each server is asked.
const rounds = 2

// ask puts one question to the servers until one answers, beginning with the
// one that answered last. A server that fails or refuses is no answer.
func (s *source) ask(ctx context.Context, name string, family uint16) (*dns.Msg, Kind) {
	list := s.servers.list()
	kind := ServerFailure
	for range rounds {
		first := s.servers.preferred()
		for i := range list {
			at := (first + i) % len(list)
			m, err := s.exchange(ctx, list[at], name, family)
			if ctx.Err() != nil {
				return nil, Timeout
			}
			if err == nil && answers(m) {
				s.servers.prefer(at)
				return m, ""
			}
			kind = kindOf(err)
		}
	}
	return nil, kind
}

// answers reports whether m says something about the name. One that neither
// follows names for us nor knows this one only points elsewhere.
func answers(m *dns.Msg) bool {
	switch m.Rcode {
	case dns.RcodeNameError:
		return true
	case dns.RcodeSuccess:
		return len(m.Answer) > 0 || m.RecursionAvailable || m.Authoritative
	}
	return false
}

func kindOf(err error) Kind {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return Timeout
	}
	return ServerFailure
}

// exchange asks one server, by UDP, or by TCP where that does not do.
func (s *source) exchange(ctx context.Context, server netip.AddrPort, name string, family uint16) (*dns.Msg, error) {
	q := question{name: name, family: family, edns: true}
	m, err := s.exchangeBy(ctx, server, q)
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) {
		q.edns = false // RFC 6891 section 7: it is from before EDNS
		m, err = s.exchangeBy(ctx, server, q)
	}
	return m, err
}

func (s *source) exchangeBy(ctx context.Context, server netip.AddrPort, q question) (*dns.Msg, error) {
	m, err := s.once(ctx, "udp", server, q)
	if errors.Is(err, errUseTCP) {
		m, err = s.once(ctx, "tcp", server, q)
	}
	return m, err
}
