package nameserver_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/nameserver"
	"github.com/hopgate/hopgate/internal/testenv"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		what, client, name string
		kind               uint16
		want               string
		// code is that of the record; empty: there is none.
		code string
	}{
		{"IPv4", "10.0.0.1", "web.listed.example", dns.TypeA, "NOERROR 198.200.0.1", ""},
		{"IPv6", "10.0.0.1", "web.listed.example", dns.TypeAAAA, "NOERROR 2606:4700::1", ""},
		{"any case", "10.0.0.1", "WEB.Listed.EXAMPLE", dns.TypeA, "NOERROR 198.200.0.1", ""},
		{"none of that family", "10.0.0.1", "six.listed.example", dns.TypeA, "NOERROR", ""},
		{"HTTPS", "10.0.0.1", "web.listed.example", dns.TypeHTTPS, `NOERROR 1 . alpn="h2" no-default-alpn="" ipv4hint="198.200.0.1" ipv6hint="2606:4700::1"`, ""},
		{"no HTTPS", "10.0.0.1", "plain.listed.example", dns.TypeHTTPS, "NOERROR", ""},
		{"by a glob", "10.0.0.1", "a.glob.example", dns.TypeA, "NOERROR 198.200.0.1", ""},
		{"a client by IPv6", "fd00::1", "web.listed.example", dns.TypeA, "NOERROR 198.200.0.1", ""},
		{"a client by IPv4 in IPv6", "::ffff:10.0.0.1", "web.listed.example", dns.TypeA, "NOERROR 198.200.0.1", ""},
		{"for another client", "10.0.0.1", "near.example", dns.TypeA, "REFUSED", "name_not_listed"},
		{"for this client", "10.0.0.2", "near.example", dns.TypeA, "NOERROR 198.200.0.1", ""},
		{"not listed", "10.0.0.1", "evil.example", dns.TypeA, "REFUSED", "name_not_listed"},
		{"the domain itself", "10.0.0.1", "listed.example", dns.TypeA, "REFUSED", "name_not_listed"},
		{"a private name", "10.0.0.1", "web.listed.example.svc.cluster.local", dns.TypeA, "NXDOMAIN", ""},
		{"one label", "10.0.0.1", "web", dns.TypeA, "NXDOMAIN", ""},
		{"no such name", "10.0.0.1", "gone.listed.example", dns.TypeA, "NXDOMAIN", ""},
		{"no address", "10.0.0.1", "empty.listed.example", dns.TypeA, "NOERROR", ""},
		{"no server", "10.0.0.1", "broken.listed.example", dns.TypeA, "SERVFAIL", ""},
		{"a closed address", "10.0.0.1", "closed.listed.example", dns.TypeA, "REFUSED", "address_denied"},
		{"a closed address by HTTPS", "10.0.0.1", "closed.listed.example", dns.TypeHTTPS, "REFUSED", "address_denied"},
		{"TXT", "10.0.0.1", "web.listed.example", dns.TypeTXT, "REFUSED", "query_refused"},
		{"ANY", "10.0.0.1", "web.listed.example", dns.TypeANY, "REFUSED", "query_refused"},
		{"NULL", "10.0.0.1", "web.listed.example", dns.TypeNULL, "REFUSED", "query_refused"},
		{"SVCB", "10.0.0.1", "web.listed.example", dns.TypeSVCB, "REFUSED", "query_refused"},
		{"an unknown type", "10.0.0.1", "web.listed.example", 65280, "REFUSED", "query_refused"},
		{"no host name", "10.0.0.1", "a..b", dns.TypeA, "REFUSED", "query_refused"},
		{"an address", "10.0.0.1", "10.0.0.5", dns.TypeA, "REFUSED", "query_refused"},
		{"a reverse name", "10.0.0.1", "5.0.0.10.in-addr.arpa", dns.TypePTR, "NXDOMAIN", ""},
		{"a stranger", "192.0.2.1", "web.listed.example", dns.TypeA, "nothing", ""},
		{"nobody", "", "web.listed.example", dns.TypeA, "nothing", ""},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if got := told(b.ask(tc.client, tc.name, tc.kind)); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			asked, recorded := b.seen()
			if open := strings.HasPrefix(tc.want, "NOERROR"); open != (len(asked) > 0) && tc.code != "address_denied" && !strings.Contains(tc.name, ".listed.") {
				t.Errorf("asked of the resolver: %q", asked)
			}
			var codes []string
			for _, r := range recorded {
				codes = append(codes, r.Code)
			}
			if strings.Join(codes, " ") != tc.code {
				t.Errorf("recorded %q, want %q", codes, tc.code)
			}
		})
	}
}

// TestNothingElseIsAsked: what is refused is asked of nobody.
func TestNothingElseIsAsked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"evil.example", "secret.evil.example", "listed.example", "web.internal", "near.example"} {
		for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeTXT, dns.TypeANY} {
			b.ask("10.0.0.1", name, kind)
		}
	}
	b.ask("10.0.0.1", "web.listed.example", dns.TypeTXT)
	b.ask("192.0.2.1", "web.listed.example", dns.TypeA)
	q := query("web.listed.example", dns.TypeA)
	q.Question[0].Qclass = dns.ClassCHAOS
	b.Serve(b.view, &wire{from: from("10.0.0.1")}, q)
	if asked, _ := b.seen(); len(asked) > 0 {
		t.Errorf("asked of the resolver: %q", asked)
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for range 3 {
		b.ask("10.0.0.1", "evil.example", dns.TypeAAAA)
	}
	b.ask("10.0.0.2", "evil.example", dns.TypeA)
	_, got := b.seen()
	want := audit.Record{
		Kind: audit.KindDeny, Verdict: audit.VerdictDeny, Code: "name_not_listed", Retry: "never",
		Gateway: "agents/egress", Revision: "r1", Source: netip.MustParseAddrPort("10.0.0.1:4000"), Surface: "DNS", Method: "AAAA", Host: "evil.example",
	}
	if len(got) != 2 {
		t.Fatalf("%d records", len(got))
	}
	if diff := cmp.Diff(want, got[0], cmpopts.IgnoreFields(audit.Record{}, "Reason", "Hop"), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" || got[0].Reason == "" || got[0].Hop == got[1].Hop || got[0].Hop == (audit.HopID{}) {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	b.pass(10 * time.Minute)
	b.ask("10.0.0.1", "evil.example", dns.TypeAAAA)
	if _, got := b.seen(); len(got) != 3 {
		t.Errorf("%d records after a while", len(got))
	}
}

// TestRecordsAreBounded: who makes names up does not fill the record.
func TestRecordsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.view.DNS.QueriesPerSecond = 10_000
	for i := range 500 {
		b.ask("10.0.0.1", fmt.Sprintf("n%d.evil.example", i), dns.TypeA)
	}
	if _, got := b.seen(); len(got) != 20 {
		t.Errorf("%d records", len(got))
	}
	b.ask("10.0.0.2", "evil.example", dns.TypeA)
	if _, got := b.seen(); len(got) != 21 {
		t.Errorf("another client has %d records", len(got)-20)
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.view.DNS.QueriesPerSecond = 5
	count := func(client string, n int) (answered int) {
		for range n {
			if b.ask(client, "web.listed.example", dns.TypeA) != nil {
				answered++
			}
		}
		return answered
	}
	if n := count("10.0.0.1", 100); n != 20 {
		t.Errorf("%d answers at once, want four seconds' worth", n)
	}
	if n := count("10.0.0.2", 10); n != 10 {
		t.Errorf("another client has %d answers", n)
	}
	b.pass(time.Second)
	if n := count("10.0.0.1", 100); n != 5 {
		t.Errorf("%d answers after a second", n)
	}
	if n := count("fd00::1", 100) + count("fd00::2", 100); n != 20 {
		t.Errorf("%d answers to one network of IPv6", n)
	}
	_, recorded := b.seen()
	if len(recorded) != 2 || recorded[0].Code != "query_rate" {
		t.Errorf("recorded %+v", recorded)
	}
}

// TestNamesAreBounded: by a glob, a client tries so many names in an hour, and
// those that it has tried stay open.
func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ask := func(client, name string) string { return told(b.ask(client, name, dns.TypeA)) }
	const yes, no = "NOERROR 198.200.0.1", "REFUSED"
	for i, want := range []string{yes, yes, yes, no, no} {
		if got := ask("10.0.0.1", fmt.Sprintf("n%d.glob.example", i)); got != want {
			t.Errorf("name %d: %s, want %s", i, got, want)
		}
	}
	for name, want := range map[string]string{"n1.glob.example": yes, "N1.GLOB.example": yes, "n9.listed.example": yes} {
		if got := ask("10.0.0.1", name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := ask("10.0.0.2", "n7.glob.example"); got != yes {
		t.Errorf("another client: %s", got)
	}
	if got := ask("10.0.0.3", strings.Repeat("a", 60)+".b.glob.example"); got != yes {
		t.Errorf("one long name: %s", got)
	}
	for i, want := range []string{yes, no} { // the long one counts as two
		if got := ask("10.0.0.3", fmt.Sprintf("m%d.glob.example", i)); got != want {
			t.Errorf("name %d beside a long one: %s, want %s", i, got, want)
		}
	}
	b.pass(time.Hour)
	if got := ask("10.0.0.1", "n9.glob.example"); got != yes {
		t.Errorf("after an hour: %s", got)
	}
	asked, recorded := b.seen()
	if slices.Contains(asked, "n3.glob.example") || slices.Contains(asked, "n4.glob.example") {
		t.Error("a name beyond the number was asked of servers")
	}
	if len(recorded) != 3 || recorded[0].Code != "too_many_names" || !strings.Contains(recorded[0].Reason, "**.glob.example") {
		t.Errorf("recorded %+v", recorded)
	}
}

// TestClientsAreBounded: neither clients nor globs nor names grow for ever.
func TestClientsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 5000 {
		b.Try(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), "*.example", "a.example", 3)
	}
	if clients, counted := b.Callers(); clients != 4096 || counted != 4096 {
		t.Errorf("%d clients, %d names", clients, counted)
	}
	one := netip.MustParseAddr("10.2.0.1")
	open := 0
	for i := range 1000 {
		if b.Try(one, fmt.Sprintf("*.g%d.example", i), fmt.Sprintf("a.g%d.example", i), 3) {
			open++
		}
	}
	if open != 64+3 {
		t.Errorf("%d names under many globs", open)
	}
	b.pass(time.Hour)
	b.Try(one, "*.g1.example", "b.g1.example", 3)
	if clients, counted := b.Callers(); clients != 4096 || counted > 4096+70 {
		t.Errorf("%d clients, %d names", clients, counted)
	}
}

// TestSizes: an answer fits what its client takes, and says so where it does
// not; by UDP it is never much longer than the question.
func TestSizes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		size     uint16
		tcp, cut bool
		records  int
	}{
		{"without EDNS", 0, false, true, 0},
		{"EDNS", 1232, false, false, 32},
		{"more than we send", 65535, false, false, 32},
		{"less than there is", 1, false, true, 0},
		{"TCP", 0, true, false, 32},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			q := query("many.listed.example", dns.TypeA)
			if tc.size > 0 {
				q.SetEdns0(tc.size, true)
			}
			w := &wire{from: from("10.0.0.1"), tcp: tc.tcp}
			b.Serve(b.view, w, q)
			if w.said.Truncated != tc.cut || !tc.cut && len(w.said.Answer) != tc.records || !tc.tcp && w.said.Len() > 1232 {
				t.Errorf("%d records in %d bytes, cut %t", len(w.said.Answer), w.said.Len(), w.said.Truncated)
			}
		})
	}
}

// TestWhy: a client that takes extended errors is told the code.
func TestWhy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	q := query("evil.example", dns.TypeA)
	q.SetEdns0(1232, false)
	w := &wire{from: from("10.0.0.1")}
	b.Serve(b.view, w, q)
	i := slices.IndexFunc(w.said.IsEdns0().Option, func(o dns.EDNS0) bool { return o.Option() == dns.EDNS0EDE })
	if i < 0 {
		t.Fatalf("answered %v", w.said)
	}
	if e := w.said.IsEdns0().Option[i].(*dns.EDNS0_EDE); e.InfoCode != dns.ExtendedErrorCodeBlocked || e.ExtraText != "name_not_listed" {
		t.Errorf("told %v", e)
	}
}

// TestAccept: what is no plain query gets no answer at all.
func TestAccept(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		h    dns.Header
		want dns.MsgAcceptAction
	}{
		{"a query", dns.Header{Qdcount: 1}, dns.MsgAccept},
		{"with EDNS", dns.Header{Qdcount: 1, Arcount: 1}, dns.MsgAccept},
		{"an answer", dns.Header{Bits: 1 << 15, Qdcount: 1}, dns.MsgIgnore},
		{"an update", dns.Header{Bits: 5 << 11, Qdcount: 1}, dns.MsgIgnore},
		{"a notice", dns.Header{Bits: 4 << 11, Qdcount: 1}, dns.MsgIgnore},
		{"two questions", dns.Header{Qdcount: 2}, dns.MsgIgnore},
		{"none", dns.Header{}, dns.MsgIgnore},
		{"records", dns.Header{Qdcount: 1, Ancount: 1}, dns.MsgIgnore},
	} {
		if got := nameserver.Accept(tc.h); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestOpenAndEntropy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ glob, name, want string }{
		{"*.a.example", "b.a.example", "b"}, {"**.a.example", "c.b.a.example", "c.b"}, {"x.*.a.*.y", "x.1.a.2.y", "1.a.2"}, {"*", "a.b", "a.b"}, {"www.*", "www.c", "c"},
	} {
		if got := nameserver.Open(tc.glob, tc.name); got != tc.want {
			t.Errorf("%s of %s: %q", tc.glob, tc.name, got)
		}
	}
	for s, want := range map[string]float64{"": 0, "aaaa": 0, "abab": 1, "abcdefgh": 3} {
		if got := nameserver.Entropy(s); math.Abs(got-want) > 1e-9 {
			t.Errorf("%q has %f bits", s, got)
		}
	}
}

// TestSockets: real sockets, by UDP and TCP, open as they are wanted, and close
// to clients at once.
func TestSockets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(testenv.Port(t)))
	b.view.DNS.Listen = at
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	taken, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	second := *b.view
	second.Gateway = "agents/second"
	b.Apply([]*nameserver.View{b.view, &second})
	taken.Close()
	testenv.Wait(t, "the socket to be opened once it is free", func() bool { return len(b.Addresses()) == 1 })
	for _, network := range []string{"udp", "tcp"} {
		c := &dns.Client{Net: network}
		m, _, err := c.Exchange(query("web.listed.example", dns.TypeA), at.String())
		if err != nil || told(m) != "NOERROR 198.200.0.1" {
			t.Errorf("%s: %s, %v", network, told(m), err)
		}
	}
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, at.String())
	}}
	if got, err := r.LookupHost(t.Context(), "web.listed.example."); err != nil || len(got) != 2 {
		t.Errorf("Go's resolver finds %q, %v", got, err)
	}
	var no *net.DNSError
	if got, err := r.LookupHost(t.Context(), "evil.example."); !errors.As(err, &no) {
		t.Errorf("Go's resolver finds %q, %v", got, err)
	}
	other := *b.view
	closed := *b.view.DNS
	other.DNS, closed.Clients = &closed, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	b.Apply([]*nameserver.View{&other})
	if _, _, err := (&dns.Client{Net: "tcp"}).Exchange(query("web.listed.example", dns.TypeA), at.String()); err == nil {
		t.Error("who is no client any more is answered by TCP")
	}
	passedOver(t, b, at)
	b.Apply([]*nameserver.View{b.view})
	if m, _, err := (&dns.Client{}).Exchange(query("web.listed.example", dns.TypeA), at.String()); err != nil || told(m) != "NOERROR 198.200.0.1" {
		t.Errorf("who is a client again: %s, %v", told(m), err)
	}
	b.Apply(nil)
	testenv.Wait(t, "the socket to be closed", func() bool { return len(b.Addresses()) == 0 })
	free, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatalf("the socket is not given up: %v", err)
	}
	free.Close()
}

// passedOver: who is no client gets nothing back by UDP, not even to what cannot
// be parsed. The socket is asked until it has counted all as a stranger's.
func passedOver(t *testing.T, b *bench, at netip.AddrPort) {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	broken := append([]byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 0xc0, 12, 0, 1, 0, 1) // a name that is within itself
	plain, err := query("web.listed.example", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	before := strangers(t, b)
	for _, q := range [][]byte{broken, plain} {
		if _, err := c.Write(q); err != nil {
			t.Fatal(err)
		}
	}
	testenv.Wait(t, "both packets to be passed over", func() bool { return strangers(t, b) == before+2 })
}
