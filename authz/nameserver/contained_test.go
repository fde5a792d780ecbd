package nameserver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/contain"
)

// ordered is an order on a peer, or on everybody, that lasts an hour.
func (b *bench) ordered(verb contain.Verb, peer string, except ...contain.Place) contain.Order {
	o := contain.Order{ID: "o1", Verb: verb, Kind: contain.KindPeer, Value: peer, Except: except, Until: b.clock().Add(time.Hour), Reason: "odd"}
	if peer == "" {
		o.Kind = contain.KindEveryone
	}
	return o
}

// TestCutOff: who is cut off is answered no names, but those of places that stay
// open.
func TestCutOff(t *testing.T) {
	t.Parallel()
	const yes, no = "NOERROR 198.200.0.1", "REFUSED"
	host, backend := contain.Place{Host: "web.listed.example"}, contain.Place{Backend: "XBackend/agents/more"}
	for _, tc := range []struct {
		what   string
		verb   contain.Verb
		peer   string
		except []contain.Place
		client string
		name   string
		want   string
		code   string
	}{
		{"revoked", contain.VerbRevoke, "10.0.0.1", nil, "10.0.0.1", "web.listed.example", no, "revoked"},
		{"quarantined", contain.VerbQuarantine, "10.0.0.1", nil, "10.0.0.1", "web.listed.example", no, "quarantined"},
		{"by IPv6", contain.VerbRevoke, "fd00::1", nil, "fd00::1", "web.listed.example", no, "revoked"},
		{"IPv4 in IPv6", contain.VerbRevoke, "10.0.0.1", nil, "::ffff:10.0.0.1", "web.listed.example", no, "revoked"},
		{"everybody", contain.VerbQuarantine, "", nil, "10.0.0.7", "web.listed.example", no, "quarantined"},
		{"another one", contain.VerbRevoke, "10.0.0.1", nil, "10.0.0.2", "web.listed.example", yes, ""},
		{"a name by a glob", contain.VerbRevoke, "10.0.0.1", nil, "10.0.0.1", "a.glob.example", no, "revoked"},
		{"a name that is not listed", contain.VerbRevoke, "10.0.0.1", nil, "10.0.0.1", "evil.example", no, "revoked"},
		{"what is no name", contain.VerbRevoke, "10.0.0.1", nil, "10.0.0.1", "a..b", no, "revoked"},
		{"what search lists make", contain.VerbRevoke, "10.0.0.1", nil, "10.0.0.1", "web.svc.cluster.local", "NXDOMAIN", ""},
		{"a host that stays open", contain.VerbQuarantine, "10.0.0.1", []contain.Place{host}, "10.0.0.1", "web.listed.example", yes, ""},
		{"another host", contain.VerbQuarantine, "10.0.0.1", []contain.Place{host}, "10.0.0.1", "more.listed.example", no, "quarantined"},
		{"a backend that stays open", contain.VerbQuarantine, "10.0.0.1", []contain.Place{backend}, "10.0.0.1", "tools.listed.example", yes, ""},
		{"no name of it", contain.VerbQuarantine, "10.0.0.1", []contain.Place{backend}, "10.0.0.1", "web.listed.example", no, "quarantined"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.order(b.ordered(tc.verb, tc.peer, tc.except...))
			if got := told(b.ask(tc.client, tc.name, dns.TypeA)); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			asked, recorded := b.seen()
			if (tc.want == yes) != (len(asked) > 0) {
				t.Errorf("asked of the resolver: %q", asked)
			}
			var code, reason string
			if len(recorded) > 0 {
				code, reason = recorded[0].Code, recorded[0].Reason
			}
			if code != tc.code || (code != "") != strings.Contains(reason, "order o1 cuts off") || (code != "") != strings.HasSuffix(reason, ": odd") {
				t.Errorf("recorded %q: %q, want %q", code, reason, tc.code)
			}
		})
	}
}

// TestCutOffFollowsOrders: what is over, or lifted, cuts nobody off; and an order
// that comes while servers are asked holds for the answer.
func TestCutOffFollowsOrders(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ask := func() string { return told(b.ask("10.0.0.1", "web.listed.example", dns.TypeA)) }
	const yes, no = "NOERROR 198.200.0.1", "REFUSED"
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"no order", func() {}, yes},
		{"one", func() { b.order(b.ordered(contain.VerbRevoke, "10.0.0.1")) }, no},
		{"lifted", func() { b.order() }, yes},
		{"again", func() { b.order(b.ordered(contain.VerbRevoke, "10.0.0.1")) }, no},
		{"over", func() { b.pass(time.Hour) }, yes},
		{"while servers are asked", func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.asking = func() { b.order(b.ordered(contain.VerbRevoke, "10.0.0.1")) }
		}, no},
	} {
		step.do()
		if got := ask(); got != step.want {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
	}
}

// TestCutOffIsRecordedAtARate: who is cut off and goes on asking fills no record.
func TestCutOffIsRecordedAtARate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.view.DNS.QueriesPerSecond = 10_000
	b.order(b.ordered(contain.VerbQuarantine, "10.0.0.1"))
	for range 50 {
		for _, name := range names(10) {
			b.ask("10.0.0.1", name, dns.TypeA)
		}
	}
	if _, got := b.seen(); len(got) != 10 {
		t.Errorf("%d records of ten names", len(got))
	}
	for _, name := range names(200) {
		b.ask("10.0.0.1", name, dns.TypeA)
	}
	if _, got := b.seen(); len(got) != 20 {
		t.Errorf("%d records at once", len(got))
	}
	if outcomes, _ := counted(t, b); outcomes["cut_off"] != 700 {
		t.Errorf("counted %v", outcomes)
	}
}
