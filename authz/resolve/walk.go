package resolve

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

const (
	// maxAliases bounds a chain of aliases.
	maxAliases = 8
	// maxRecords bounds the records of an answer that are looked at.
	maxRecords = 256
)

// walk finds a name's records of one kind, along its aliases: addresses of one
// family, or HTTPS records.
func (s *source) walk(ctx context.Context, name string, family uint16) finding {
	w := walker{family: family, names: []string{name}, ttl: maxTTL}
	for {
		m, kind := s.ask(ctx, w.at(), family)
		if kind != "" {
			return w.fail(kind, failedTTL)
		}
		more, kind := w.follow(m)
		switch {
		case kind != "":
			return w.fail(kind, failedTTL)
		case len(w.addrs) > 0 || len(w.services) > 0:
			return finding{addrs: w.addrs, services: w.services, aliases: w.names[1:], ttl: max(w.ttl, minTTL)}
		case s.r.view.Load().policy.closed(w.at()) && len(w.names) > 1:
			// Refused, whatever it has: it is not even asked for.
			return w.fail(NoAddress, noneTTL)
		case m.Rcode == dns.RcodeNameError:
			return w.fail(NoName, noneTTL)
		case !more:
			return w.fail(NoAddress, noneTTL)
		}
	}
}

// walker is how far a walk came.
type walker struct {
	family uint16
	// names are the one asked for and its aliases, the last one at the end.
	names []string
	addrs []netip.Addr
	// services are HTTPS records, where those are asked for.
	services []*dns.HTTPS
	ttl      time.Duration
}

func (w *walker) at() string { return w.names[len(w.names)-1] }

func (w *walker) fail(kind Kind, ttl time.Duration) finding {
	return finding{failed: kind, aliases: w.names[1:], ttl: ttl}
}

// follow reads one answer. It says whether the name where it stops must be
// asked for: a server that does not follow aliases leaves that to us, and says
// nothing (RFC 2308 section 2.2) about the name that it stops at.
func (w *walker) follow(m *dns.Msg) (more bool, kind Kind) {
	r, kind := read(m, w.family)
	if kind != "" {
		return false, kind
	}
	begin := len(w.names)
	for {
		next, ok := r.aliases[w.at()]
		if !ok {
			break
		}
		if r.has(w.at()) || slices.Contains(w.names, next) || len(w.names) > maxAliases {
			return false, Malformed
		}
		w.ttl = min(w.ttl, r.ttls[w.at()])
		w.names = append(w.names, next)
	}
	w.addrs, w.services = r.addrs[w.at()], r.services[w.at()]
	if r.has(w.at()) {
		w.ttl = min(w.ttl, r.ttls[w.at()])
	}
	return len(w.names) > begin && !r.authority, ""
}

// records are those of an answer that count, by canonical owner. Others may be
// in it, about names that were not asked for: nobody looks at them.
type records struct {
	aliases  map[string]string
	addrs    map[string][]netip.Addr
	services map[string][]*dns.HTTPS
	ttls     map[string]time.Duration
	// authority: the answer says that there is nothing more (SOA).
	authority bool
}

func read(m *dns.Msg, family uint16) (*records, Kind) {
	if len(m.Answer) > maxRecords {
		return nil, TooMany
	}
	r := &records{
		aliases: map[string]string{}, addrs: map[string][]netip.Addr{}, services: map[string][]*dns.HTTPS{},
		ttls: map[string]time.Duration{},
	}
	for _, rr := range m.Answer {
		if kind := r.add(rr, family); kind != "" {
			return nil, kind
		}
	}
	r.authority = slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA })
	return r, ""
}

// has reports whether there is what was asked for, of this owner.
func (r *records) has(owner string) bool {
	return len(r.addrs[owner]) > 0 || len(r.services[owner]) > 0
}

func (r *records) add(rr dns.RR, family uint16) Kind {
	h := rr.Header()
	owner, err := egress.ParseName(h.Name)
	if err != nil || h.Class != dns.ClassINET {
		return ""
	}
	switch rr := rr.(type) {
	case *dns.CNAME:
		target, err := egress.ParseName(rr.Target)
		if other, twice := r.aliases[owner]; err != nil || twice && other != target {
			return Malformed
		}
		r.aliases[owner] = target
	case *dns.A:
		if a, ok := netip.AddrFromSlice(rr.A.To4()); ok && family == dns.TypeA {
			r.addrs[owner] = append(r.addrs[owner], a)
		}
	case *dns.AAAA:
		if a, ok := netip.AddrFromSlice(rr.AAAA); ok && a.Is6() && family == dns.TypeAAAA {
			r.addrs[owner] = append(r.addrs[owner], a)
		}
	case *dns.HTTPS:
		if family == dns.TypeHTTPS {
			r.services[owner] = append(r.services[owner], rr)
		}
	default:
		return ""
	}
	ttl := time.Duration(h.Ttl) * time.Second
	if h.Ttl > 1<<31-1 { // RFC 2181 section 8
		ttl = 0
	}
	if old, ok := r.ttls[owner]; !ok || ttl < old {
		r.ttls[owner] = ttl
	}
	return ""
}
