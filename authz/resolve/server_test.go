package resolve_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/resolve"
)

// counter is a Server in front of a Resolver in front of an upstream.
type counter struct {
	*bench
	server *resolve.Server
	zone   *resolve.Zone
	log    *record
}

func newCounter(t testing.TB, change func(*resolve.Config)) *counter {
	t.Helper()
	b := newBench(t, change)
	log := &record{}
	s, err := resolve.NewServer(resolve.ServerConfig{Observer: log, Now: b.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	return &counter{bench: b, server: s, zone: s.Zone(b.Resolver), log: log}
}

func run(t testing.TB, s *resolve.Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// approve is what Check does.
func (c *counter) approve(names ...string) {
	for _, n := range names {
		c.zone.Approve(n, c.clock.now().Add(time.Minute))
	}
}

// ask sends one query and tells its answer in one line.
func (c *counter) ask(t testing.TB, transport, name string, kind uint16) string {
	t.Helper()
	q := (&dns.Msg{}).SetQuestion(name+".", kind)
	return c.send(t, transport, q)
}

func (c *counter) send(t testing.TB, transport string, q *dns.Msg) string {
	t.Helper()
	client := dns.Client{Net: transport, Timeout: 5 * time.Second}
	m, _, err := client.ExchangeContext(t.Context(), q, c.server.Address().String())
	if err != nil {
		return "error: " + err.Error()
	}
	return answerText(m)
}

func answerText(m *dns.Msg) string {
	out := dns.RcodeToString[m.Rcode]
	if m.Truncated {
		out += " truncated"
	}
	for _, rr := range m.Answer {
		f := strings.Fields(rr.String())
		out += " " + f[0] + "/" + f[1] + "/" + f[3] + "/" + f[4]
	}
	if n := len(m.Ns); n > 0 {
		out += " authority"
	}
	return out
}

func TestServer(t *testing.T) {
	t.Parallel()
	c := newCounter(t, func(c *resolve.Config) {
		c.Space, c.Hosts = inside("10.20.0.0/16"), hostsOf("web.example", "127.0.0.1")
	})
	c.up.set("a.example", hasFor(60, "198.200.0.1", "198.200.0.2", "2606:4700::1"))
	c.up.set("in.example", hasFor(60, "10.20.0.1"))
	c.up.set("trap.example", hasFor(60, "10.0.0.5"))
	c.up.set("mixed.example", hasFor(60, "198.200.0.1", "10.20.0.1"))
	c.up.set("empty.example", says())
	c.up.set("broken.example", code(dns.RcodeServerFailure))
	c.approve("", "a.example", "in.example", "trap.example", "mixed.example", "empty.example", "broken.example", "gone.example", "web.example", "db.internal")
	for _, x := range []struct {
		name string
		kind uint16
		want string
	}{
		{"a.example", dns.TypeA, "NOERROR a.example./10/A/198.200.0.1 a.example./10/A/198.200.0.2"},
		{"A.eXample", dns.TypeA, "NOERROR A.eXample./10/A/198.200.0.1 A.eXample./10/A/198.200.0.2"},
		{"a.example", dns.TypeAAAA, "NOERROR a.example./10/AAAA/2606:4700::1"},
		{"a.example", dns.TypeHTTPS, "NOERROR"},
		{"in.example", dns.TypeA, "NOERROR in.example./10/A/10.20.0.1"},
		{"in.example", dns.TypeAAAA, "NOERROR"},
		{"web.example", dns.TypeA, "NOERROR web.example./10/A/127.0.0.1"},
		{"trap.example", dns.TypeA, "REFUSED"},
		{"trap.example", dns.TypeAAAA, "REFUSED"},
		{"mixed.example", dns.TypeA, "REFUSED"},
		{"db.internal", dns.TypeA, "REFUSED"},
		{"empty.example", dns.TypeA, "NOERROR"},
		{"gone.example", dns.TypeA, "NXDOMAIN"},
		{"broken.example", dns.TypeA, "SERVFAIL"},
		{"other.example", dns.TypeA, "REFUSED"},
		{"x.a.example", dns.TypeA, "REFUSED"},
		{"a.example.corp.example", dns.TypeA, "REFUSED"},
		{"a.example", dns.TypeTXT, "REFUSED"},
		{"a.example", dns.TypeANY, "REFUSED"},
		{"a.example", dns.TypeSVCB, "REFUSED"},
		{"a.example", dns.TypeNULL, "REFUSED"},
		{"a.example", dns.TypeCNAME, "REFUSED"},
		{"other.example", dns.TypeHTTPS, "REFUSED"},
		{`a\.example`, dns.TypeA, "REFUSED"},
		{`a\.example`, dns.TypeHTTPS, "REFUSED"},
		{`a\000.example`, dns.TypeA, "REFUSED"},
		{"", dns.TypeA, "REFUSED"},
		{"1.0.0.127.in-addr.arpa", dns.TypePTR, "REFUSED"},
	} {
		for _, transport := range []string{"udp", "tcp"} {
			if got := c.ask(t, transport, x.name, x.kind); got != x.want {
				t.Errorf("%s %s by %s: %s, want %s", x.name, dns.TypeToString[x.kind], transport, got, x.want)
			}
		}
	}
	chaos := (&dns.Msg{}).SetQuestion("a.example.", dns.TypeA)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	if got := c.send(t, "udp", chaos); got != "REFUSED" {
		t.Errorf("another class: %s", got)
	}
	asked := c.up.queries()
	if i := slices.IndexFunc(asked, func(q string) bool {
		return strings.HasPrefix(q, "other") || strings.Contains(q, "corp") || strings.Contains(q, "internal")
	}); i >= 0 {
		t.Errorf("%q was forwarded", asked[i])
	}
}

// A query that is refused gets no more back than it sent, and its name goes to
// nobody.
func TestServerNeverAmplifies(t *testing.T) {
	t.Parallel()
	c := newCounter(t, nil)
	conn, err := net.Dial("udp", c.server.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for name, change := range map[string]func(*dns.Msg){
		"plain": func(*dns.Msg) {}, "EDNS": func(q *dns.Msg) { q.SetEdns0(65535, true) },
		"ANY":          func(q *dns.Msg) { q.Question[0].Qtype = dns.TypeANY },
		"chaos":        func(q *dns.Msg) { q.Question[0].Qclass = dns.ClassCHAOS },
		"notify":       func(q *dns.Msg) { q.Opcode = dns.OpcodeNotify },
		"update":       func(q *dns.Msg) { q.Opcode = dns.OpcodeUpdate },
		"two":          func(q *dns.Msg) { q.Question = append(q.Question, q.Question[0]) },
		"with answers": func(q *dns.Msg) { q.Answer = reply(q, "a.example. 60 IN A 198.200.0.1").Answer },
		"no question":  func(q *dns.Msg) { q.Question = nil },
	} {
		q := (&dns.Msg{}).SetQuestion("a.example.", dns.TypeA)
		change(q)
		raw, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(raw); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(buf)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n > len(raw) {
			t.Errorf("%s: %d bytes for %d", name, n, len(raw))
		}
	}
	if asked := c.up.queries(); len(asked) > 0 {
		t.Errorf("forwarded %q", asked)
	}
}

// What is no query gets no answer, and harms nobody.
func TestServerSurvivesRubbish(t *testing.T) {
	t.Parallel()
	c := newCounter(t, nil)
	c.up.set("a.example", has("198.200.0.1"))
	c.approve("a.example")
	answer, _ := reply((&dns.Msg{}).SetQuestion("a.example.", dns.TypeA)).Pack()
	header := []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0} // promises a question
	for _, transport := range []string{"udp", "tcp"} {
		conn, err := net.Dial(transport, c.server.Address().String())
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range [][]byte{{}, {0}, make([]byte, 11), header, answer, append(slices.Clone(header), 0xC0, 0x0C, 0, 1, 0, 1), append(slices.Clone(header), 1, 'a', 0), append(slices.Clone(header), 1, 'a', 0, 0, 1), make([]byte, 1400)} {
			if transport == "tcp" {
				raw = append([]byte{byte(len(raw) >> 8), byte(len(raw))}, raw...)
			}
			_, _ = conn.Write(raw)
		}
		_ = conn.Close()
		if got := c.ask(t, transport, "a.example", dns.TypeA); got != "NOERROR a.example./10/A/198.200.0.1" {
			t.Errorf("afterwards by %s: %s", transport, got)
		}
	}
}

// An answer that does not fit is cut, and whole by TCP or with EDNS.
func TestServerSizes(t *testing.T) {
	t.Parallel()
	c := newCounter(t, nil)
	var six []string
	for i := range 32 {
		six = append(six, fmt.Sprintf("2606:4700::%x", i+1))
	}
	c.up.set("a.example", byTransport(
		func(q *dns.Msg, _ string) []*dns.Msg {
			m := reply(q)
			m.Ns, m.Truncated = nil, true
			return []*dns.Msg{m}
		},
		has(six...)))
	c.approve("a.example")
	count := func(transport string, size uint16) (int, bool) {
		q := (&dns.Msg{}).SetQuestion("a.example.", dns.TypeAAAA)
		if size > 0 {
			q.SetEdns0(size, false)
		}
		client := dns.Client{Net: transport, Timeout: 5 * time.Second}
		m, _, err := client.Exchange(q, c.server.Address().String())
		if err != nil {
			t.Fatal(err)
		}
		if (m.IsEdns0() != nil) != (size > 0) {
			t.Errorf("size %d: EDNS in the answer is %v", size, m.IsEdns0())
		}
		return len(m.Answer), m.Truncated
	}
	for _, x := range []struct {
		transport string
		size      uint16
		whole     bool
	}{{"udp", 0, false}, {"udp", 100, false}, {"udp", 1232, true}, {"udp", 65535, true}, {"tcp", 0, true}, {"tcp", 512, true}} {
		n, cut := count(x.transport, x.size)
		if (n == 32) != x.whole || cut == x.whole {
			t.Errorf("%s, size %d: %d records, truncated %v", x.transport, x.size, n, cut)
		}
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	c := newCounter(t, nil)
	for _, n := range []string{"a.example", "b.example", "k.example"} {
		c.up.set(n, hasFor(300, "198.200.0.1"))
	}
	is := func(when, name string, approved bool) {
		t.Helper()
		if got := strings.HasPrefix(c.ask(t, "udp", name, dns.TypeA), "NOERROR"); got != approved {
			t.Errorf("%s: %s is approved: %v, want %v", when, name, got, approved)
		}
	}
	now := c.clock.now()
	c.zone.Approve("a.example", now.Add(time.Minute))
	c.zone.Approve("a.example", now.Add(time.Second))
	c.zone.Keep([]string{"K.example.", "10.0.0.1", "bad name"})
	is("at first", "a.example", true)
	is("at first", "b.example", false)
	is("at first", "k.example", true)
	c.clock.pass(59 * time.Second)
	is("before its end", "a.example", true)
	c.clock.pass(time.Second)
	is("at its end", "a.example", false)
	is("a minute later", "k.example", true)
	c.zone.Approve("a.example", c.clock.now().Add(time.Minute))
	is("again", "a.example", true)
	c.zone.Keep([]string{"b.example"})
	is("others are kept", "k.example", false)
	is("others are kept", "b.example", true)
	is("others are kept", "a.example", true)
	c.zone.Close()
	is("closed", "a.example", false)
	is("closed", "b.example", false)
	c.zone.Approve("a.example", c.clock.now().Add(time.Minute))
	c.zone.Keep([]string{"b.example"})
	is("closed for good", "a.example", false)
	is("closed for good", "b.example", false)
}

// Each Gateway's names are answered by its own resolver.
func TestZones(t *testing.T) {
	t.Parallel()
	c, other := newCounter(t, nil), newBench(t, nil)
	c.up.set("a.example", hasFor(300, "198.200.0.1"))
	other.up.set("a.example", hasFor(300, "198.200.0.2"))
	second := c.server.Zone(other.Resolver)
	until := c.clock.now().Add(time.Minute)
	c.zone.Approve("a.example", until)
	if got := c.ask(t, "udp", "a.example", dns.TypeA); !strings.Contains(got, "198.200.0.1") {
		t.Error(got)
	}
	second.Approve("a.example", until)
	if got := c.ask(t, "udp", "a.example", dns.TypeA); !strings.Contains(got, "198.200.0.2") {
		t.Errorf("the later one: %s", got)
	}
	c.zone.Keep([]string{"a.example"})
	second.Close()
	if got := c.ask(t, "udp", "a.example", dns.TypeA); !strings.Contains(got, "198.200.0.1") {
		t.Errorf("what is kept remains: %s", got)
	}
}

func TestApprovalsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s, err := resolve.NewServer(resolve.ServerConfig{Now: b.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	s.BoundApprovals(2)
	run(t, s)
	c := &counter{bench: b, server: s, zone: s.Zone(b.Resolver)}
	for _, n := range []string{"a.example", "b.example", "c.example"} {
		b.up.set(n, has("198.200.0.1"))
		c.approve(n)
	}
	for name, want := range map[string]string{"a.example": "REFUSED", "c.example": "NOERROR"} {
		if got := c.ask(t, "udp", name, dns.TypeA); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// A flood of refused names goes unanswered; Envoy's own are answered as ever.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	c := newCounter(t, nil)
	c.up.set("a.example", has("198.200.0.1"))
	c.approve("a.example")
	for range 300 {
		q := (&dns.Msg{}).SetQuestion("evil.example.", dns.TypeA)
		c.server.Serve(&writer{}, q)
	}
	w := &writer{}
	c.server.Serve(w, (&dns.Msg{}).SetQuestion("a.example.", dns.TypeA))
	if w.last == nil || w.last.Rcode != dns.RcodeSuccess {
		t.Errorf("an approved name gets %v", w.last)
	}
	_, served := c.log.told()
	count := map[string]int{}
	for _, s := range served {
		count[s]++
	}
	want := map[string]int{"evil.example not_approved": 200, "evil.example dropped": 100, "a.example answered": 1}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.clock.pass(100 * time.Millisecond)
	w = &writer{}
	for range 20 {
		c.server.Serve(w, (&dns.Msg{}).SetQuestion("evil.example.", dns.TypeA))
	}
	if w.count != 10 {
		t.Errorf("after a tenth of a second %d are said, want 10", w.count)
	}
	c.clock.pass(-time.Hour)
	w = &writer{}
	c.server.Serve(w, (&dns.Msg{}).SetQuestion("evil.example.", dns.TypeA))
	if w.count != 0 {
		t.Error("a clock that steps back fills the bucket")
	}
}

// writer is a transport by UDP that keeps what it is given.
type writer struct {
	dns.ResponseWriter
	last  *dns.Msg
	count int
}

func (w *writer) LocalAddr() net.Addr { return &net.UDPAddr{} }

func (w *writer) WriteMsg(m *dns.Msg) error {
	w.last = m
	w.count++
	return nil
}

// Lookups that hang are bounded in number and do not outlive the server.
func TestQueriesAreBounded(t *testing.T) {
	t.Parallel()
	s, err := resolve.NewServer(resolve.ServerConfig{Observer: &record{}})
	if err != nil {
		t.Fatal(err)
	}
	waiting := &waiter{arrived: make(chan struct{}, 1024)}
	z := s.Zone(waiting)
	z.Keep([]string{"a.example"})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	conn, err := net.Dial("udp", s.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, _ := (&dns.Msg{}).SetQuestion("a.example.", dns.TypeA).Pack()
	for range 512 {
		if _, err := conn.Write(raw); err != nil {
			t.Fatal(err)
		}
		<-waiting.arrived
	}
	w := &writer{}
	s.Serve(w, (&dns.Msg{}).SetQuestion("a.example.", dns.TypeA))
	if w.count != 0 {
		t.Errorf("the 513th gets %v", w.last)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

// waiter answers when it is no longer waited for.
type waiter struct{ arrived chan struct{} }

func (w *waiter) Lookup(ctx context.Context, _ string) (resolve.Answer, error) {
	w.arrived <- struct{}{}
	<-ctx.Done()
	return resolve.Answer{}, &resolve.Failure{Kind: resolve.Timeout}
}

func TestServerLife(t *testing.T) {
	t.Parallel()
	s, err := resolve.NewServer(resolve.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	at := s.Address()
	if !at.Addr().IsLoopback() || at.Port() == 0 {
		t.Errorf("address is %s", at)
	}
	if _, err := resolve.NewServer(resolve.ServerConfig{Address: at}); err == nil {
		t.Error("a port that is taken is taken again")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ended); err != nil {
		t.Errorf("run: %v", err)
	}
	again, err := resolve.NewServer(resolve.ServerConfig{Address: at})
	if err != nil {
		t.Fatalf("the port is not given up: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := again.Run(t.Context()); err == nil {
		t.Error("a closed server runs")
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := resolve.NewServer(resolve.ServerConfig{Address: at}); err == nil {
		t.Error("a port that is taken by TCP alone is taken")
	}
	for _, bad := range []string{"0.0.0.0:0", "10.0.0.1:53", "[::]:0"} {
		if _, err := resolve.NewServer(resolve.ServerConfig{Address: netip.MustParseAddrPort(bad)}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// A resolver that is not ours understands the answers.
func TestGoResolver(t *testing.T) {
	t.Parallel()
	c := newCounter(t, nil)
	c.up.set("a.example", has("198.200.0.1", "2606:4700::1"))
	c.up.set("trap.example", has("198.200.0.1", "10.0.0.1"))
	c.approve("a.example", "trap.example")
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, c.server.Address().String())
	}}
	got, err := r.LookupHost(t.Context(), "a.example.")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"198.200.0.1", "2606:4700::1"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := r.LookupHost(t.Context(), "trap.example."); err == nil {
		t.Errorf("trap.example has %v", got)
	}
}
