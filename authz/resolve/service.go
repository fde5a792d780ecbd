package resolve

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// maxServices bounds the HTTPS records of a name that are told, and maxALPN the
// protocols of one.
const (
	maxServices = 8
	maxALPN     = 8
)

// Service is what an HTTPS record says of the name's own hosts (RFC 9460): what
// a client may know. Keys to hide the name by (ech) are never in it, and
// neither are protocols that do not pass here, other hosts and other ports.
type Service struct {
	Priority uint16
	ALPN     []string
	// NoDefaultALPN: nothing but ALPN is spoken.
	NoDefaultALPN bool
	// Hints are addresses, all of them open.
	Hints []netip.Addr
}

// Services are a name's HTTPS records.
type Services struct {
	// List is sorted by priority, at least one, at most 8. It is shared: read
	// only.
	List []Service
	TTL  time.Duration
}

// LookupServices finds the HTTPS records of a name, as Lookup does its
// addresses. A name of the configuration has none.
func (r *Resolver) LookupServices(ctx context.Context, name string) (Services, error) {
	name, err := egress.ParseName(name)
	if err != nil {
		return Services{}, err
	}
	v := r.view.Load()
	switch _, ours := v.policy.hosts[name]; {
	case ours:
		return Services{}, &Failure{Kind: NoAddress}
	case egress.ClassifyName(name) != egress.NamePublic:
		return Services{}, &egress.Refusal{Reason: egress.ReasonName}
	}
	e := v.source.services.get(name, r.cfg.Now())
	if e == nil {
		if e, err = v.source.fetchServices(ctx, name); err != nil {
			return Services{}, err
		}
	}
	return r.view.Load().policy.judgeServices(e, r.cfg.Now())
}

// fetchServices asks the servers, once for all who ask at one time.
func (s *source) fetchServices(ctx context.Context, name string) (*entry, error) {
	return wait(ctx, s.r.flights.join(flightKey{source: s, name: name, services: true}, func(ctx context.Context) *entry {
		if e := s.services.get(name, s.r.cfg.Now()); e != nil {
			return e
		}
		ctx, cancel := context.WithTimeout(ctx, s.r.cfg.Total)
		defer cancel()
		f := s.walk(ctx, name, dns.TypeHTTPS)
		e := &entry{aliases: f.aliases, failed: f.failed}
		e.services, e.addrs = services(f.services, name, f.aliases)
		switch {
		case e.failed != "":
		case len(e.addrs) > maxAddrs:
			e.failed = TooMany
		case len(e.services) == 0:
			e.failed = NoAddress
		}
		if _, err := s.r.view.Load().policy.judgeServices(e, time.Time{}); err != nil && e.failed == "" {
			f.ttl = min(f.ttl, refusedTTL)
		}
		e.expires = s.r.cfg.Now().Add(f.ttl)
		s.services.put(name, e)
		return e
	}))
}

// judgeServices says what e is worth now. One hint that is closed refuses all,
// as one address does.
func (p *policy) judgeServices(e *entry, now time.Time) (Services, error) {
	switch {
	case slices.ContainsFunc(e.aliases, p.closed):
		return Services{}, e.refused(&egress.Refusal{Reason: egress.ReasonName})
	case e.failed != "":
		return Services{}, &Failure{Kind: e.failed}
	}
	if len(e.addrs) > 0 {
		if v := p.space.OpenAll(e.addrs, 0); !v.Open() {
			return Services{}, e.refused(&egress.Refusal{Reason: v.Reason, Class: v.Class})
		}
	}
	return Services{List: e.services, TTL: max(e.expires.Sub(now), 0)}, nil
}

// services are those of the records that are of the name itself, and all hints
// in any record.
func services(list []*dns.HTTPS, name string, aliases []string) (out []Service, hints []netip.Addr) {
	for _, rr := range list {
		s, fits := service(rr, append([]string{name}, aliases...))
		hints = append(hints, s.Hints...)
		if fits && len(out) < maxServices {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b Service) int { return cmp.Compare(a.Priority, b.Priority) })
	slices.SortFunc(hints, netip.Addr.Compare)
	return out, slices.Compact(hints)
}

// service reads one record. It does not fit where what is left of it would
// mean another thing than it said.
func service(rr *dns.HTTPS, own []string) (s Service, fits bool) {
	target, err := egress.ParseName(rr.Target)
	fits = rr.Priority > 0 && (rr.Target == "." || err == nil && slices.Contains(own, target))
	s.Priority = rr.Priority
	for _, kv := range rr.Value {
		if err := s.param(kv); err != nil {
			fits = false
		}
	}
	return s, fits && (len(s.ALPN) > 0 || !s.NoDefaultALPN)
}

var errParam = errors.New("this parameter cannot be left out, nor be kept")

func (s *Service) param(kv dns.SVCBKeyValue) error {
	switch kv := kv.(type) {
	case *dns.SVCBAlpn:
		for _, p := range kv.Alpn {
			if spoken(p) && len(s.ALPN) < maxALPN {
				s.ALPN = append(s.ALPN, p)
			}
		}
	case *dns.SVCBNoDefaultAlpn:
		s.NoDefaultALPN = true
	case *dns.SVCBIPv4Hint:
		s.hint(kv.Hint, 4)
	case *dns.SVCBIPv6Hint:
		s.hint(kv.Hint, 16)
	case *dns.SVCBPort:
		return errParam
	case *dns.SVCBMandatory:
		for _, k := range kv.Code {
			if k != dns.SVCB_ALPN && k != dns.SVCB_NO_DEFAULT_ALPN && k != dns.SVCB_IPV4HINT && k != dns.SVCB_IPV6HINT {
				return errParam
			}
		}
	}
	return nil
}

// spoken reports whether a protocol passes here: HTTP/3 runs over UDP, which
// does not.
func spoken(protocol string) bool {
	return protocol != "" && len(protocol) <= 32 && protocol != "h3" && !strings.HasPrefix(protocol, "h3-")
}

func (s *Service) hint(list []net.IP, size int) {
	for _, ip := range list {
		b := ip
		if size == 4 {
			b = ip.To4()
		}
		a, _ := netip.AddrFromSlice(b)
		// What is no address is judged as one that never opens.
		s.Hints = append(s.Hints, a)
	}
}
