package nameserver

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/resolve"
)

// decide says how a query of a client ends.
func (p *Pool) decide(ctx context.Context, v *View, from netip.Addr, name string, q dns.Question) verdict {
	if q.Qclass != dns.ClassINET {
		name = ""
	}
	j := Judge(v.Names, name, from, q.Qtype)
	if j.Outcome == NoName {
		return verdict{outcome: NoName, rcode: dns.RcodeNameError}
	}
	if out, cut := p.cutOff(v, from, name); cut {
		return out
	}
	if j.Code != "" {
		return refused(j.Outcome, j.Code)
	}
	if out, over := p.tooMany(v, from, name, j.Listing.Glob); over {
		return out
	}
	out := look(ctx, v.Resolver, name, q)
	// Servers take their time: an order may have come meanwhile.
	if late, cut := p.cutOff(v, from, name); cut {
		return late
	}
	return out
}

// tooMany counts a name that is listed by a glob, and reports whether it is one
// too many.
func (p *Pool) tooMany(v *View, from netip.Addr, name, glob string) (verdict, bool) {
	if glob == "" {
		return verdict{}, false
	}
	within, fresh := p.callers.try(from, glob, name, v.DNS.NamesPerHour)
	if fresh {
		p.metrics.tried(open(glob, name))
	}
	if within {
		return verdict{}, false
	}
	out := refused(TooManyNames, denial.TooManyNames)
	out.text = "more than " + count(v.DNS.NamesPerHour) + " names under " + glob + " in an hour"
	return out, true
}

// look answers by what a name leads to.
func look(ctx context.Context, r Resolver, name string, q dns.Question) verdict {
	if q.Qtype == dns.TypeHTTPS {
		return services(ctx, r, name, q)
	}
	return addresses(ctx, r, name, q)
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
