package nameserver

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
)

// decide says how a query of a client ends.
func (p *Pool) decide(ctx context.Context, v *View, from netip.Addr, name string, q dns.Question) verdict {
	if name == "" || q.Qclass != dns.ClassINET {
		return refused(BadQuery, denial.QueryRefused)
	}
	listing, ok := v.Names.Lists(name, from)
	switch {
	case !ok && egress.ClassifyName(name) != egress.NamePublic:
		// Search lists of clusters make such names of every other. They must end,
		// or some clients would never ask for the name itself; and they are too
		// many to be recorded.
		return verdict{outcome: NoName, rcode: dns.RcodeNameError}
	case !ok:
		return refused(NotListed, denial.NameNotListed)
	}
	if q.Qtype != dns.TypeA && q.Qtype != dns.TypeAAAA && q.Qtype != dns.TypeHTTPS {
		return refused(BadQuery, denial.QueryRefused)
	}
	if listing.Glob != "" {
		within, fresh := p.callers.try(from, listing.Glob, name, v.DNS.NamesPerHour)
		if fresh {
			p.metrics.tried(open(listing.Glob, name))
		}
		if !within {
			out := refused(TooManyNames, denial.TooManyNames)
			out.text = "more than " + count(v.DNS.NamesPerHour) + " names under " + listing.Glob + " in an hour"
			return out
		}
	}
	if q.Qtype == dns.TypeHTTPS {
		return services(ctx, v.Resolver, name, q)
	}
	return addresses(ctx, v.Resolver, name, q)
}

// addresses answers by the addresses of one family. Those that a policy opens
// inside and in the configuration are answered as well: they are where the
// name leads.
func addresses(ctx context.Context, r Resolver, name string, q dns.Question) verdict {
	a, err := r.Lookup(ctx, name)
	if err != nil {
		return failed(err)
	}
	v := verdict{outcome: Empty}
	for _, addr := range a.Addrs {
		if addr.Is4() != (q.Qtype == dns.TypeA) {
			continue
		}
		h := header(q, a.TTL)
		if addr.Is4() {
			v.answer = append(v.answer, &dns.A{Hdr: h, A: addr.AsSlice()})
		} else {
			v.answer = append(v.answer, &dns.AAAA{Hdr: h, AAAA: addr.AsSlice()})
		}
		v.outcome = Answered
	}
	return v
}

// maxTTL is for how long at most a client may go by an answer: what is listed
// may change.
const maxTTL = time.Minute

func header(q dns.Question, ttl time.Duration) dns.RR_Header {
	return dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: uint32(max(min(ttl, maxTTL)/time.Second, 1))}
}

// services answers by what is left of HTTPS records. There are no keys in them
// to hide the name by (ech): a name that is hidden from us passes nowhere.
func services(ctx context.Context, r Resolver, name string, q dns.Question) verdict {
	list, err := r.LookupServices(ctx, name)
	if err != nil {
		return failed(err)
	}
	v := verdict{outcome: Empty}
	for _, s := range list.List {
		v.answer = append(v.answer, &dns.HTTPS{SVCB: dns.SVCB{Hdr: header(q, list.TTL), Priority: s.Priority, Target: ".", Value: params(s)}})
		v.outcome = Answered
	}
	return v
}

func params(s resolve.Service) (out []dns.SVCBKeyValue) {
	if len(s.ALPN) > 0 {
		out = append(out, &dns.SVCBAlpn{Alpn: s.ALPN})
	}
	if s.NoDefaultALPN {
		out = append(out, &dns.SVCBNoDefaultAlpn{})
	}
	var four, six []net.IP
	for _, a := range s.Hints {
		if a.Is4() {
			four = append(four, a.AsSlice())
		} else {
			six = append(six, a.AsSlice())
		}
	}
	if four != nil {
		out = append(out, &dns.SVCBIPv4Hint{Hint: four})
	}
	if six != nil {
		out = append(out, &dns.SVCBIPv6Hint{Hint: six})
	}
	return out
}
