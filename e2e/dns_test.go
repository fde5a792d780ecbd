package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/gateway/translate"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// asking is a gateway that workloads of this machine may ask for names, and the
// servers behind it.
type asking struct {
	*testgateway.Gateway
	zone *zone
	at   netip.AddrPort
}

func newAsking(t testing.TB) *asking {
	t.Helper()
	a := makeAsking(t)
	a.Launch()
	testenv.Wait(t, "the gateway to be ready", a.Ready)
	if got := a.Guard().Names().Addresses(); len(got) != 1 {
		t.Fatalf("ready, and names are answered at %v", got)
	}
	return a
}

// makeAsking is newAsking without starting anything.
func makeAsking(t testing.TB) *asking {
	t.Helper()
	a := &asking{zone: newZone(t), at: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(testenv.Port(t)))}
	a.Gateway = testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners,
		"config.yaml":  a.config("127.0.0.0/8"),
		"policy.yaml":  a.policy("web.example", "*.glob.example", "closed.example", "mixed.example", "gone.example", "*.svc.example"),
	})
	return a
}

func (a *asking) config(client string) string {
	return config(strings.Replace(egress(a.zone.addr.String()), "egress: {",
		fmt.Sprintf("egress: {dns: {listen: %q, clients: [%s], namesPerHour: 4, queriesPerSecond: 10000}, ", a.at, client), 1))
}

func (a *asking) policy(names ...string) string {
	return policy("names", `{name: names, from: {agents: [{name: researcher}]}, to: {type: Hosts, hosts: [{names: ["`+strings.Join(names, `", "`)+`"]}]}, action: Allow}`)
}

// ask asks by UDP, in one line: the code and the data of the records.
func (a *asking) ask(t testing.TB, name string, kind uint16) string {
	t.Helper()
	m, _, err := (&dns.Client{Timeout: patience}).Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), kind), a.at.String())
	if err != nil {
		t.Fatalf("ask for %s: %v", name, err)
	}
	out := dns.RcodeToString[m.Rcode]
	for _, rr := range m.Answer {
		out += " " + strings.SplitN(rr.String(), "\t", 5)[4]
	}
	return out
}

// watched counts the questions for names that are not there.
func (z *zone) watched(names ...string) func() int {
	var n atomic.Int64
	for _, name := range names {
		z.on(name, func(m *dns.Msg, _ dns.Question) {
			n.Add(1)
			m.Rcode = dns.RcodeNameError
		})
	}
	return func() int { return int(n.Load()) }
}

// TestDNS: workloads are answered what policy lists, by the same resolver as
// Envoy, and nothing else leaves.
func TestDNS(t *testing.T) {
	t.Parallel()
	a := newAsking(t)
	t.Run("names", a.names)
	t.Run("services", a.services)
	t.Run("clients", a.clients)
	t.Run("orders", a.orders)
}

// orders: a client that is cut off is answered no name from when the order is
// acknowledged, and again when it is lifted.
func (a *asking) orders(t *testing.T) {
	a.zone.at("web.example", "198.200.0.1")
	const yes, no = "NOERROR 198.200.0.1", "REFUSED"
	client, err := admin.NewClient(a.State)
	if err != nil {
		t.Fatal(err)
	}
	for code, order := range map[string]admin.Ask{
		"revoked":     {Verb: contain.VerbRevoke, Kind: contain.KindPeer, Value: "127.0.0.1"},
		"quarantined": {Verb: contain.VerbQuarantine, Kind: contain.KindPeer, Value: "::ffff:127.0.0.1"},
	} {
		done, err := client.Order(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.ask(t, "web.example", dns.TypeA); got != no {
			t.Errorf("%s: %s", code, got)
		}
		r := a.Recorded(t, "the refusal", func(r audit.Record) bool { return r.Surface == "DNS" && r.Code == code })
		if r.Host != "web.example" || r.Hop == (audit.HopID{}) || !strings.Contains(r.Reason, done.Order.ID) {
			t.Errorf("%s: recorded %+v", code, r)
		}
		if _, err := client.Lift(t.Context(), done.Order.ID); err != nil {
			t.Fatal(err)
		}
		if got := a.ask(t, "web.example", dns.TypeA); got != yes {
			t.Errorf("lifted: %s", got)
		}
	}
	for _, target := range []string{"{type: Peer, value: 127.0.0.1}", "{type: Agent}"} { // the second one covers everybody
		a.Write("quarantine.yaml", quarantined(target))
		testenv.Wait(t, "the client to be cut off by "+target, func() bool { return a.ask(t, "web.example", dns.TypeA) == no })
		if err := os.Remove(filepath.Join(a.Files, "quarantine.yaml")); err != nil {
			t.Fatal(err)
		}
		testenv.Wait(t, "the client to be answered again", func() bool { return a.ask(t, "web.example", dns.TypeA) == yes })
	}
}

func (a *asking) names(t *testing.T) {
	a.zone.at("web.example", "198.200.0.1", "2606:4700::1")
	a.zone.at("closed.example", "10.0.0.5")
	a.zone.at("mixed.example", "198.200.0.1", "10.0.0.5")
	outside := a.zone.watched("evil.example", "secret.evil.example", "glob.example", "a.b.glob.example")
	for _, tc := range []struct {
		name string
		kind uint16
		want string
		code string
	}{
		{"web.example", dns.TypeA, "NOERROR 198.200.0.1", ""},
		{"wEb.eXample", dns.TypeAAAA, "NOERROR 2606:4700::1", ""},
		{"web.example", dns.TypeTXT, "REFUSED", "query_refused"},
		{"web.example", dns.TypeANY, "REFUSED", ""},
		{"evil.example", dns.TypeA, "REFUSED", "name_not_listed"},
		{"secret.evil.example", dns.TypeA, "REFUSED", "name_not_listed"},
		{"glob.example", dns.TypeA, "REFUSED", "name_not_listed"},
		{"a.b.glob.example", dns.TypeA, "REFUSED", "name_not_listed"},
		{"closed.example", dns.TypeA, "REFUSED", "address_denied"},
		{"mixed.example", dns.TypeA, "REFUSED", "address_denied"},
		{"gone.example", dns.TypeA, "NXDOMAIN", ""},
		{"web.example.agents.svc.cluster.local", dns.TypeA, "NXDOMAIN", ""},
	} {
		if got := a.ask(t, tc.name, tc.kind); got != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.name, dns.TypeToString[tc.kind], got, tc.want)
		}
		if tc.code == "" {
			continue
		}
		r := a.Recorded(t, "the refusal of "+tc.name, func(r audit.Record) bool {
			return r.Surface == "DNS" && r.Host == tc.name && r.Method == dns.TypeToString[tc.kind]
		})
		if r.Code != tc.code || !r.Source.Addr().IsLoopback() {
			t.Errorf("%s is recorded as %q from %s", tc.name, r.Code, r.Source)
		}
	}
	if n := outside(); n != 0 {
		t.Errorf("%d queries for names that are not listed left the gateway", n)
	}
}

// services: HTTPS records come without keys to hide by, and are refused where a
// hint leads inside.
func (a *asking) services(t *testing.T) {
	say := func(name string, kv ...dns.SVCBKeyValue) {
		a.zone.on(name, func(m *dns.Msg, q dns.Question) {
			if q.Qtype == dns.TypeHTTPS {
				m.Answer = []dns.RR{&dns.HTTPS{SVCB: dns.SVCB{
					Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: q.Qclass, Ttl: 60}, Priority: 1, Target: ".", Value: kv,
				}}}
			}
		})
	}
	alpn := &dns.SVCBAlpn{Alpn: []string{"h3", "h2"}}
	say("web.svc.example", alpn, &dns.SVCBIPv4Hint{Hint: []net.IP{net.IPv4(198, 200, 0, 1)}}, &dns.SVCBECHConfig{ECH: []byte("keys")})
	say("closed.svc.example", alpn, &dns.SVCBIPv4Hint{Hint: []net.IP{net.IPv4(198, 200, 0, 1), net.IPv4(10, 0, 0, 5)}})
	say("port.svc.example", alpn, &dns.SVCBPort{Port: 8443})
	for name, want := range map[string]string{
		"web.svc.example": `NOERROR 1 . alpn="h2" ipv4hint="198.200.0.1"`, "closed.svc.example": "REFUSED", "port.svc.example": "NOERROR",
	} {
		if got := a.ask(t, name, dns.TypeHTTPS); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestDNSFollowsPolicy: what policy and configuration say is what is answered,
// as soon as they say it.
func TestDNSFollowsPolicy(t *testing.T) {
	t.Parallel()
	a := makeAsking(t)
	a.untaken(t)
	a.zone.otherwise("198.200.0.1")
	const yes, no = "NOERROR 198.200.0.1", "REFUSED"
	for i, want := range []string{yes, yes, yes, yes, no} {
		if got := a.ask(t, fmt.Sprintf("n%d.glob.example", i), dns.TypeA); got != want {
			t.Errorf("name %d by a glob: %s, want %s", i, got, want)
		}
	}
	a.Recorded(t, "that names are tried", func(r audit.Record) bool { return r.Code == "too_many_names" })
	a.Write("policy.yaml", a.policy("new.example"))
	testenv.Wait(t, "the new name", func() bool { return a.ask(t, "new.example", dns.TypeA) == yes })
	if got := a.ask(t, "web.example", dns.TypeA); got != no {
		t.Errorf("the old name: %s", got)
	}
	a.Write("config.yaml", a.config("10.0.0.0/8"))
	testenv.Wait(t, "strangers to be ignored", func() bool {
		_, _, err := (&dns.Client{Net: "tcp"}).Exchange(new(dns.Msg).SetQuestion("new.example.", dns.TypeA), a.at.String())
		return err != nil
	})
	a.Write("config.yaml", config(egress(a.zone.addr.String())))
	testenv.Wait(t, "the port to be given up", func() bool { return len(a.Guard().Names().Addresses()) == 0 })
}

// untaken starts the gateway while its port for names is in use: that is told at
// the Gateway, all else is served, and names are answered when it is free.
func (a *asking) untaken(t *testing.T) {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a.at))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a.Launch()
	testenv.Wait(t, "the gateway to be ready", a.Ready)
	told(t, a.Gateway, "Gateway/default/egress: : hopgate.dev/NamesAnswered: PortUnavailable: ", a.at.String()+" is in use")
	if got := a.Unanswered(); len(got) != 1 || got[0] != a.at {
		t.Errorf("names are not answered at %v", got)
	}
	l.Close()
	testenv.Wait(t, "the Gateway to be good again", func() bool {
		statuses, _ := a.Controller().Statuses()
		return len(a.Unanswered()) == 0 && !slices.ContainsFunc(statuses, func(s translate.Status) bool { return s.Gateway != nil && len(s.Faults()) > 0 })
	})
}

// clients are resolvers that people have.
func (a *asking) clients(t *testing.T) {
	a.zone.at("go.svc.example", "198.200.0.1")
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, a.at.String())
	}}
	if got, err := r.LookupHost(t.Context(), "go.svc.example"); err != nil || fmt.Sprint(got) != "[198.200.0.1]" {
		t.Errorf("Go finds %v, %v", got, err)
	}
	var no *net.DNSError
	if got, err := r.LookupHost(t.Context(), "evil.example."); !errors.As(err, &no) {
		t.Errorf("Go finds %v, %v", got, err)
	}
	dig, err := exec.LookPath("dig")
	if err != nil {
		t.Log("dig is not on this machine: it is not tried")
		return
	}
	for name, want := range map[string]string{"go.svc.example": "198.200.0.1", "evil.example": "name_not_listed"} {
		out, err := exec.CommandContext(t.Context(), dig, "+time=10", "@"+a.at.Addr().String(), "-p", fmt.Sprint(a.at.Port()), name, "A").CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("dig %s says %v\n%s", name, err, out)
		}
	}
}
