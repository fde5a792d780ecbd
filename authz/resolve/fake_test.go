package resolve_test

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/resolve"
)

// upstream is a DNS server on loopback: the edge of the world.
type upstream struct {
	at netip.AddrPort

	mu    sync.Mutex
	zone  map[string]behaviour // by NAME TYPE, or NAME
	asked []string             // NAME TYPE TRANSPORT, in order
}

// behaviour answers one query; nil: not at all.
type behaviour func(q *dns.Msg, transport string) []*dns.Msg

// newUpstream begins without names: NXDOMAIN for all.
func newUpstream(t testing.TB) *upstream {
	t.Helper()
	u := &upstream{zone: map[string]behaviour{}}
	pc, l := listenBoth(t)
	u.at = pc.LocalAddr().(*net.UDPAddr).AddrPort()
	for _, s := range []*dns.Server{{PacketConn: pc}, {Listener: l}} {
		s.Handler = dns.HandlerFunc(u.serve)
		started, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			_ = s.ActivateAndServe()
		}()
		<-started
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-ended
		})
	}
	return u
}

func listenBoth(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if l, err := net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			return pc, l
		}
		_ = pc.Close()
	}
	t.Fatal("no port is free for both transports")
	return nil, nil
}

func (u *upstream) serve(w dns.ResponseWriter, q *dns.Msg) {
	name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
	kind := dns.TypeToString[q.Question[0].Qtype]
	transport := w.LocalAddr().Network()
	u.mu.Lock()
	u.asked = append(u.asked, name+" "+kind+" "+transport)
	b := u.zone[name+" "+kind]
	if b == nil {
		b = u.zone[name]
	}
	u.mu.Unlock()
	if b == nil {
		b = code(dns.RcodeNameError)
	}
	for _, m := range b(q, transport) {
		_ = w.WriteMsg(m)
	}
}

// set says how a name is answered: NAME, or NAME TYPE.
func (u *upstream) set(key string, b behaviour) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.zone[key] = b
}

// queries are those so far, sorted.
func (u *upstream) queries() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := slices.Clone(u.asked)
	slices.Sort(out)
	return out
}

func (u *upstream) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = nil
}

// reply is an answer with records of a zone file; those that are not of the
// asked type and no aliases are left out.
func reply(q *dns.Msg, records ...string) *dns.Msg {
	m := (&dns.Msg{}).SetReply(q)
	m.RecursionAvailable = true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		if t := rr.Header().Rrtype; t == q.Question[0].Qtype || t == dns.TypeCNAME {
			m.Answer = append(m.Answer, rr)
		}
	}
	if len(m.Answer) == 0 || m.Answer[len(m.Answer)-1].Header().Rrtype == dns.TypeCNAME {
		soa, _ := dns.NewRR("example. 60 IN SOA ns.example. root.example. 1 2 3 4 5")
		m.Ns = append(m.Ns, soa)
	}
	return m
}

// says answers with records.
func says(records ...string) behaviour {
	return func(q *dns.Msg, _ string) []*dns.Msg { return []*dns.Msg{reply(q, records...)} }
}

// has answers with addresses of the name itself.
func has(addrs ...string) behaviour {
	return func(q *dns.Msg, _ string) []*dns.Msg { return []*dns.Msg{reply(q, ofName(q, 60, addrs)...)} }
}

// hasFor answers with addresses and their life in seconds.
func hasFor(ttl int, addrs ...string) behaviour {
	return func(q *dns.Msg, _ string) []*dns.Msg { return []*dns.Msg{reply(q, ofName(q, ttl, addrs)...)} }
}

func ofName(q *dns.Msg, ttl int, addrs []string) []string {
	var out []string
	for _, a := range addrs {
		kind := "A"
		if strings.Contains(a, ":") {
			kind = "AAAA"
		}
		out = append(out, q.Question[0].Name+" "+strconv.Itoa(ttl)+" IN "+kind+" "+a)
	}
	return out
}

func code(rcode int) behaviour {
	return func(q *dns.Msg, _ string) []*dns.Msg {
		m := reply(q)
		m.Rcode = rcode
		return []*dns.Msg{m}
	}
}

// silence never answers.
func silence(*dns.Msg, string) []*dns.Msg { return nil }

// inTurn answers as the next of list, the last one for ever. The two families
// are counted apart.
func inTurn(list ...behaviour) behaviour {
	var mu sync.Mutex
	n := map[uint16]int{}
	return func(q *dns.Msg, transport string) []*dns.Msg {
		mu.Lock()
		i := min(n[q.Question[0].Qtype], len(list)-1)
		n[q.Question[0].Qtype]++
		mu.Unlock()
		return list[i](q, transport)
	}
}

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// record is an Observer that keeps what it is told.
type record struct {
	mu       sync.Mutex
	resolved []string
	served   []string
}

func (r *record) Resolved(outcome string, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resolved = append(r.resolved, outcome)
}

func (r *record) Served(name string, o resolve.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.served = append(r.served, name+" "+string(o))
}

func (r *record) told() (resolved, served []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.resolved), slices.Clone(r.served)
}
