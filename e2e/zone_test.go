package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/internal/testenv"
)

// zone is a DNS server that stands for the Internet's.
type zone struct {
	addr netip.AddrPort

	mu    sync.Mutex
	names map[string]func(*dns.Msg, dns.Question) // guarded by mu
	rest  func(*dns.Msg, dns.Question)            // guarded by mu; of names that nobody gave; nil: there are none
}

func newZone(t testing.TB) *zone {
	t.Helper()
	z := &zone{names: map[string]func(*dns.Msg, dns.Question){}}
	// A port that the system gives to nobody: a client may have the TCP port of
	// any UDP port that it gives.
	at := fmt.Sprintf("127.0.0.1:%d", testenv.Port(t))
	udp, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	z.addr = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: z}, {Listener: tcp, Handler: z}} {
		begun, ended := make(chan struct{}), make(chan error, 1)
		s.NotifyStartedFunc = func() { close(begun) }
		go func() { ended <- s.ActivateAndServe() }()
		<-begun
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
			<-ended
		})
	}
	return z
}

// ServeDNS answers a question (dns.Handler).
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	name := dns.CanonicalName(q.Question[0].Name)
	z.mu.Lock()
	f := z.names[name]
	if f == nil {
		f = z.rest
	}
	z.mu.Unlock()
	if f == nil {
		m.Rcode = dns.RcodeNameError
	} else {
		f(m, q.Question[0])
	}
	_ = w.WriteMsg(m) // who asked may have gone
}

// on has a name answered by f.
func (z *zone) on(name string, f func(*dns.Msg, dns.Question)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.names[dns.Fqdn(name)] = f
}

// at gives a name these addresses.
func (z *zone) at(name string, addrs ...string) {
	z.on(name, func(m *dns.Msg, q dns.Question) {
		m.Answer = append(m.Answer, addresses(q.Qtype, q.Name, 60, addrs...)...)
	})
}

// otherwise gives every name an address that has no other.
func (z *zone) otherwise(addr string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.rest = func(m *dns.Msg, q dns.Question) { m.Answer = append(m.Answer, addresses(q.Qtype, q.Name, 60, addr)...) }
}

// addresses are the records of one family.
func addresses(family uint16, owner string, ttl uint32, addrs ...string) []dns.RR {
	var out []dns.RR
	for _, s := range addrs {
		a := netip.MustParseAddr(s)
		h := dns.RR_Header{Name: dns.Fqdn(owner), Rrtype: family, Class: dns.ClassINET, Ttl: ttl}
		switch {
		case family == dns.TypeA && a.Is4():
			out = append(out, &dns.A{Hdr: h, A: a.AsSlice()})
		case family == dns.TypeAAAA && a.Is6():
			out = append(out, &dns.AAAA{Hdr: h, AAAA: a.AsSlice()})
		}
	}
	return out
}
