package resolve

import (
	"context"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// SystemServers reads a resolv.conf.
func SystemServers(file string) []netip.AddrPort { return systemServers(file) }

// SystemList is the list of servers of a source that has none of its own.
func SystemList(file string, now func() time.Time) func() []netip.AddrPort {
	s := &servers{file: file, now: now}
	return s.list
}

// Cached is how many names a Resolver holds.
func (r *Resolver) Cached() int {
	c := r.view.Load().source.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names.Len()
}

// Follow reads one answer to the question for name.
func Follow(name string, family uint16, m *dns.Msg) (names []string, addrs []netip.Addr, kind Kind) {
	w := walker{family: family, names: []string{name}, ttl: maxTTL}
	_, kind = w.follow(m)
	return w.names, w.addrs, kind
}

// Half is what was found in one family.
type Half struct {
	Addrs   []netip.Addr
	Aliases []string
	TTL     time.Duration
	Failed  Kind
}

// Join makes one finding of two.
func Join(a, b Half) Half {
	f := join(finding{addrs: a.Addrs, aliases: a.Aliases, ttl: a.TTL, failed: a.Failed}, finding{addrs: b.Addrs, aliases: b.Aliases, ttl: b.TTL, failed: b.Failed})
	return Half{f.addrs, f.aliases, f.ttl, f.failed}
}

// Serve answers one query as a transport would.
func (s *Server) Serve(w dns.ResponseWriter, q *dns.Msg) { s.serve(context.Background(), w, q) }

// Accept is what transports accept.
func Accept(h dns.Header) dns.MsgAcceptAction { return accept(h) }

// MaxFlights bounds the names that are resolved at one time.
const MaxFlights = maxFlights

// Approved bounds the approvals of a server to n.
func (s *Server) BoundApprovals(n int) { s.approved = newApprovals(n) }
