package resolve_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/resolve"
)

// blackHole takes packets and never answers.
func blackHole(t testing.TB) netip.AddrPort {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return pc.LocalAddr().(*net.UDPAddr).AddrPort()
}

// nobodyThere is a port that nothing listens on.
func nobodyThere(t testing.TB) netip.AddrPort {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	return pc.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestAliases(t *testing.T) {
	t.Parallel()
	long := []string{}
	for i := range 9 {
		long = append(long, "n"+string(rune('0'+i))+".example. 60 IN CNAME n"+string(rune('1'+i))+".example.")
	}
	for _, c := range []struct {
		name string
		zone map[string]behaviour
		want string
		// asked are the names that the upstream saw.
		asked []string
	}{
		{"followed by the server", map[string]behaviour{
			"a.example": says("a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME c.example.", "c.example. 60 IN A 198.200.0.1", "c.example. 60 IN AAAA 2606:4700::1"),
		}, "guard 198.200.0.1 2606:4700::1", []string{"a.example"}},
		{"in any order", map[string]behaviour{
			"a.example": says("c.example. 60 IN A 198.200.0.1", "B.example. 60 IN CNAME C.example.", "A.EXAMPLE. 60 IN CNAME b.example."),
		}, "guard 198.200.0.1", []string{"a.example"}},
		{"followed by us", map[string]behaviour{
			"a.example": lone("a.example. 60 IN CNAME b.example."), "b.example": lone("b.example. 60 IN CNAME c.example."), "c.example": has("198.200.0.1"),
		}, "guard 198.200.0.1", []string{"a.example", "b.example", "c.example"}},
		{"to nothing", map[string]behaviour{"a.example": lone("a.example. 60 IN CNAME b.example.")}, "no_such_name", []string{"a.example", "b.example"}},
		{"to no address", map[string]behaviour{"a.example": says("a.example. 60 IN CNAME b.example.")}, "no_address", []string{"a.example"}},
		{"to a cluster's name", map[string]behaviour{"a.example": lone("a.example. 60 IN CNAME kubernetes.default.svc.cluster.local.")}, "private_name", []string{"a.example"}},
		{"through a private name to a public address", map[string]behaviour{
			"a.example": says("a.example. 60 IN CNAME db.internal.", "db.internal. 60 IN CNAME c.example.", "c.example. 60 IN A 198.200.0.1"),
		}, "private_name", []string{"a.example"}},
		{"to a name of the configuration", map[string]behaviour{"a.example": lone("a.example. 60 IN CNAME web.example.")}, "private_name", []string{"a.example"}},
		{"to a single label", map[string]behaviour{"a.example": lone("a.example. 60 IN CNAME metadata.")}, "private_name", []string{"a.example"}},
		{"private in one family alone", map[string]behaviour{
			"a.example A": has("198.200.0.1"), "a.example AAAA": says("a.example. 60 IN CNAME db.internal."),
		}, "private_name", []string{"a.example"}},
		{"to itself", map[string]behaviour{"a.example": says("a.example. 60 IN CNAME a.example.")}, "malformed_answer", []string{"a.example"}},
		{"in a circle", map[string]behaviour{
			"a.example": lone("a.example. 60 IN CNAME b.example."), "b.example": lone("b.example. 60 IN CNAME a.example."),
		}, "malformed_answer", []string{"a.example", "b.example"}},
		{"two at one name", map[string]behaviour{
			"a.example": says("a.example. 60 IN CNAME b.example.", "a.example. 60 IN CNAME c.example.", "b.example. 60 IN A 198.200.0.1"),
		}, "malformed_answer", []string{"a.example"}},
		{"the same twice", map[string]behaviour{
			"a.example": says("a.example. 60 IN CNAME b.example.", "a.example. 60 IN CNAME b.example.", "b.example. 60 IN A 198.200.0.1"),
		}, "guard 198.200.0.1", []string{"a.example"}},
		{"beside an address", map[string]behaviour{
			"a.example A": says("a.example. 60 IN CNAME b.example.", "a.example. 60 IN A 198.200.0.1", "b.example. 60 IN A 198.200.0.2"),
		}, "malformed_answer", []string{"a.example"}},
		{"to an address", map[string]behaviour{"a.example": says("a.example. 60 IN CNAME 10.0.0.1.")}, "malformed_answer", []string{"a.example"}},
		{"to no host name", map[string]behaviour{"a.example": says(`a.example. 60 IN CNAME b\.c.example.`)}, "malformed_answer", []string{"a.example"}},
		{"eight", map[string]behaviour{"a.example": says(append(slices.Clone(long[:7]), "a.example. 60 IN CNAME n0.example.", "n7.example. 60 IN A 198.200.0.1")...)}, "guard 198.200.0.1", []string{"a.example"}},
		{"nine", map[string]behaviour{"a.example": says(append(slices.Clone(long[:8]), "a.example. 60 IN CNAME n0.example.", "n8.example. 60 IN A 198.200.0.1")...)}, "malformed_answer", []string{"a.example"}},
		{"poison beside", map[string]behaviour{
			"a.example": says("a.example. 60 IN A 198.200.0.1", "b.example. 60 IN A 10.0.0.1", "b.example. 60 IN CNAME c.internal.", "a.example.evil.example. 60 IN A 127.0.0.1"),
		}, "guard 198.200.0.1", []string{"a.example"}},
		{"poison alone", map[string]behaviour{"a.example": lone("b.example. 60 IN A 198.200.0.1")}, "no_address", []string{"a.example"}},
		{"another class", map[string]behaviour{"a.example": lone("a.example. 60 CH A 198.200.0.1")}, "no_address", []string{"a.example"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *resolve.Config) { c.Hosts = hostsOf("web.example", "127.0.0.1") })
			for k, v := range c.zone {
				b.up.set(k, v)
			}
			if got := b.look(t, "a.example"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			var names []string
			for _, q := range b.up.queries() {
				names = append(names, strings.Fields(q)[0])
			}
			if diff := cmp.Diff(c.asked, slices.Compact(names)); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// lone answers with records and nothing that says whether there is more.
func lone(records ...string) behaviour {
	return func(q *dns.Msg, _ string) []*dns.Msg {
		m := reply(q, records...)
		m.Ns = nil
		return []*dns.Msg{m}
	}
}

// A family's records in the answer to the other one's question do not count.
func TestRecordsOfTheOtherFamily(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.up.set("a.example", func(q *dns.Msg, _ string) []*dns.Msg {
		m := reply(q)
		for _, text := range []string{`a.example. 60 IN TXT "10.0.0.1"`, "a.example. 60 IN A 198.200.0.1", "a.example. 60 IN AAAA ::1"} {
			if rr, _ := dns.NewRR(text); q.Question[0].Qtype == dns.TypeA {
				m.Answer = append(m.Answer, rr)
			}
		}
		return []*dns.Msg{m}
	})
	if got := b.look(t, "a.example"); got != "guard 198.200.0.1" {
		t.Errorf("%s", got)
	}
}

// Which family answers first makes no difference.
func TestJoin(t *testing.T) {
	t.Parallel()
	four := resolve.Half{Addrs: []netip.Addr{netip.MustParseAddr("198.200.0.1")}, TTL: time.Minute}
	six := resolve.Half{Addrs: []netip.Addr{netip.MustParseAddr("2606:4700::1")}, Aliases: []string{"b.example"}, TTL: 20 * time.Second}
	fails := func(k resolve.Kind, ttl time.Duration) resolve.Half { return resolve.Half{Failed: k, TTL: ttl} }
	whole := resolve.Half{Addrs: []netip.Addr{four.Addrs[0], six.Addrs[0]}, Aliases: six.Aliases, TTL: 20 * time.Second}
	for _, c := range []struct {
		name       string
		a, b, want resolve.Half
	}{
		{"two families", four, six, whole},
		{"the same aliases", six, six, six},
		{"one family alone", four, fails(resolve.NoAddress, time.Second), four},
		{"one fails", four, fails(resolve.Timeout, time.Second), resolve.Half{Addrs: four.Addrs, TTL: 5 * time.Second}},
		{"one does not exist", four, fails(resolve.NoName, time.Second), resolve.Half{Addrs: four.Addrs, TTL: 5 * time.Second}},
		{"one is malformed", four, fails(resolve.Malformed, time.Second), fails(resolve.Malformed, time.Second)},
		{"one has too many", four, fails(resolve.TooMany, time.Second), fails(resolve.TooMany, time.Second)},
		{
			"an alias to nothing", four,
			resolve.Half{Failed: resolve.NoAddress, Aliases: []string{"db.internal"}, TTL: time.Second},
			resolve.Half{Addrs: four.Addrs, Aliases: []string{"db.internal"}, TTL: time.Minute},
		},
		{"neither", fails(resolve.NoAddress, 2*time.Second), fails(resolve.NoName, 2*time.Second), fails(resolve.NoName, 2*time.Second)},
		{"neither, and one not known", fails(resolve.NoName, 2*time.Second), fails(resolve.Timeout, time.Second), fails(resolve.Timeout, time.Second)},
	} {
		for _, got := range []resolve.Half{resolve.Join(c.a, c.b), resolve.Join(c.b, c.a)} {
			if diff := cmp.Diff(c.want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
	}
}

func TestTooManyRecords(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.up.set("a.example", func(q *dns.Msg, transport string) []*dns.Msg {
		m := reply(q, ofName(q, 60, []string{"198.200.0.1"})...)
		rr, _ := dns.NewRR("b.example. 60 IN A 198.200.0.1")
		for range 300 {
			m.Answer = append(m.Answer, rr)
		}
		if transport == "udp" {
			m.Answer, m.Truncated = nil, true
		}
		return []*dns.Msg{m}
	})
	if got := b.look(t, "a.example"); got != "too_many_addresses" {
		t.Errorf("%s", got)
	}
}

// change answers with a good answer that was tampered with.
func change(f func(m *dns.Msg)) behaviour {
	return func(q *dns.Msg, _ string) []*dns.Msg {
		m := reply(q, ofName(q, 60, []string{"198.200.6.6"})...)
		f(m)
		return []*dns.Msg{m}
	}
}

// byTransport is one behaviour by UDP and another by TCP.
func byTransport(udp, tcp behaviour) behaviour {
	return func(q *dns.Msg, transport string) []*dns.Msg {
		if transport == "udp" {
			return udp(q, transport)
		}
		return tcp(q, transport)
	}
}

// both sends one answer after the other.
func both(list ...behaviour) behaviour {
	return func(q *dns.Msg, transport string) []*dns.Msg {
		var out []*dns.Msg
		for _, b := range list {
			out = append(out, b(q, transport)...)
		}
		return out
	}
}

func repeat(b behaviour, n int) behaviour { return both(slices.Repeat([]behaviour{b}, n)...) }

func TestForgedAndBrokenAnswers(t *testing.T) {
	t.Parallel()
	right := has("198.200.0.1")
	wrongID := change(func(m *dns.Msg) { m.Id++ })
	for _, c := range []struct {
		name string
		b    behaviour
		want string
		tcp  bool
	}{
		{"wrong id, then the right one", both(wrongID, right), "guard 198.200.0.1", false},
		{"other name, then the right one", both(change(func(m *dns.Msg) { m.Question[0].Name = "evil.example." }), right), "guard 198.200.0.1", false},
		{"other type, then the right one", both(change(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT }), right), "guard 198.200.0.1", false},
		{"no question, then the right one", both(change(func(m *dns.Msg) { m.Question = nil }), right), "guard 198.200.0.1", false},
		{"a query, then the right one", both(change(func(m *dns.Msg) { m.Response = false }), right), "guard 198.200.0.1", false},
		{"another opcode, then the right one", both(change(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), right), "guard 198.200.0.1", false},
		{"wrong ids alone", wrongID, "timeout", false},
		{"a flood of wrong ids", byTransport(repeat(wrongID, 20), right), "guard 198.200.0.1", true},
		{"truncated", byTransport(change(func(m *dns.Msg) { m.Truncated = true }), right), "guard 198.200.0.1", true},
		{"truncated by TCP too", change(func(m *dns.Msg) { m.Truncated = true }), "server_failure", true},
		{"name in another case", byTransport(change(func(m *dns.Msg) { m.Question[0].Name = swapCase(m.Question[0].Name) }), right), "guard 198.200.0.1", true},
		{"name in another case by TCP", byTransport(change(func(m *dns.Msg) { m.Question[0].Name = swapCase(m.Question[0].Name) }),
			change(func(m *dns.Msg) { m.Question[0].Name = "a.example." })), "guard 198.200.6.6", true},
		{"wrong id by TCP", byTransport(change(func(m *dns.Msg) { m.Truncated = true }), wrongID), "server_failure", true},
		{"silence by TCP", byTransport(change(func(m *dns.Msg) { m.Truncated = true }), silence), "timeout", true},
		{"silence", silence, "timeout", false},
		{"lame", change(func(m *dns.Msg) { m.Answer, m.Ns, m.RecursionAvailable = nil, nil, false }), "server_failure", false},
		{"from before EDNS", func(q *dns.Msg, transport string) []*dns.Msg {
			if q.IsEdns0() != nil {
				return code(dns.RcodeFormatError)(q, transport)
			}
			return right(q, transport)
		}, "guard 198.200.0.1", false},
		{"not implemented", code(dns.RcodeNotImplemented), "server_failure", false},
		{"refused", code(dns.RcodeRefused), "server_failure", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *resolve.Config) { c.Total = 2 * time.Second })
			b.up.set("a.example", c.b)
			if got := b.look(t, "a.example"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			tcp := slices.ContainsFunc(b.up.queries(), func(q string) bool { return strings.HasSuffix(q, " tcp") })
			if tcp != c.tcp {
				t.Errorf("asked %q", b.up.queries())
			}
		})
	}
}

func swapCase(s string) string {
	if lower := strings.ToLower(s); lower != s {
		return lower
	}
	return strings.ToUpper(s)
}

// Packets too short for a header are nobody's answer.
func TestShortPackets(t *testing.T) {
	t.Parallel()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			q := &dns.Msg{}
			if q.Unpack(buf[:n]) != nil {
				continue
			}
			raw, _ := has("198.200.0.1")(q, "udp")[0].Pack()
			for _, p := range [][]byte{{}, {1, 2, 3}, raw[:13], append(bytes.Clone(raw[:2]), make([]byte, 40)...), raw} {
				_, _ = pc.WriteTo(p, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = pc.Close()
		<-ended
	})
	b := newBench(t, func(c *resolve.Config) { c.Servers = []netip.AddrPort{pc.LocalAddr().(*net.UDPAddr).AddrPort()} })
	if got := b.look(t, "a.example"); got != "guard 198.200.0.1" {
		t.Errorf("%s", got)
	}
}

func TestServersInTurn(t *testing.T) {
	t.Parallel()
	failing, silent := newUpstream(t), newUpstream(t)
	for _, name := range []string{"a.example", "b.example"} {
		failing.set(name, code(dns.RcodeServerFailure))
		silent.set(name, silence)
	}
	gone := &upstream{at: nobodyThere(t)}
	for name, first := range map[string]*upstream{"nobody there": gone, "silent": silent, "failing": failing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.Apply(resolve.Settings{Servers: []netip.AddrPort{first.at, b.up.at}})
			b.up.set("a.example", has("198.200.0.1"))
			b.up.set("b.example", has("198.200.0.2"))
			if got := b.look(t, "a.example"); got != "guard 198.200.0.1" {
				t.Fatalf("%s", got)
			}
			// The one that answered is asked first from now on.
			first.forget()
			if got := b.look(t, "b.example"); got != "guard 198.200.0.2" || len(first.queries()) > 0 {
				t.Errorf("%s, the dead server was asked %q", got, first.queries())
			}
		})
	}
}

// A server that says no is believed: it is not asked elsewhere.
func TestNoIsAnAnswer(t *testing.T) {
	t.Parallel()
	b, second := newBench(t, nil), newUpstream(t)
	second.set("a.example", has("198.200.0.1"))
	b.Apply(resolve.Settings{Servers: []netip.AddrPort{b.up.at, second.at}})
	if got := b.look(t, "a.example"); got != "no_such_name" || len(second.queries()) > 0 {
		t.Errorf("%s, the second server was asked %q", got, second.queries())
	}
}

func TestTotalBoundsAll(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *resolve.Config) {
		c.Servers, c.Total = []netip.AddrPort{blackHole(t), blackHole(t)}, 300*time.Millisecond
	})
	begin := time.Now()
	if got := b.look(t, "a.example"); got != "timeout" || time.Since(begin) > 2*time.Second {
		t.Errorf("%s after %s", got, time.Since(begin))
	}
}

// Names are asked as they are and in random case, ids are random, the size is
// said.
func TestQueries(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	seen := make(chan *dns.Msg, 64)
	b.up.set("abcdefghijklmnop.example", func(q *dns.Msg, transport string) []*dns.Msg {
		seen <- q
		return code(dns.RcodeServerFailure)(q, transport)
	})
	b.look(t, "abcdefghijklmnop.example")
	ids, cases := map[uint16]bool{}, map[string]bool{}
	for range 4 {
		q := <-seen
		ids[q.Id], cases[q.Question[0].Name] = true, true
		if o := q.IsEdns0(); o == nil || o.UDPSize() != 1232 || !q.RecursionDesired || len(q.Question) != 1 {
			t.Errorf("query is %v", q)
		}
	}
	if len(ids) < 3 || len(cases) < 3 {
		t.Errorf("ids %v, names %v: not random", ids, cases)
	}
}

func TestPlainCase(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *resolve.Config) { c.PlainCase = true })
	seen := make(chan string, 8)
	b.up.set("abcdefghijklmnop.example", func(q *dns.Msg, _ string) []*dns.Msg {
		seen <- q.Question[0].Name
		return has("198.200.0.1")(q, "")
	})
	b.look(t, "abcdefghijklmnop.example")
	if name := <-seen; name != "abcdefghijklmnop.example." {
		t.Errorf("asked for %s", name)
	}
}

// Without randomness nothing is asked.
func TestNoRandomness(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *resolve.Config) { c.Random = errorReader{} })
	b.up.set("a.example", has("198.200.0.1"))
	if got := b.look(t, "a.example"); got != "server_failure" || len(b.up.queries()) > 0 {
		t.Errorf("%s, asked %q", got, b.up.queries())
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
