package nameserver_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/nameserver"
	"github.com/hopgate/hopgate/internal/testenv"
)

// names are n of them that are listed.
func names(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("n%d.listed.example", i))
	}
	return out
}

// run serves the view of b at a free port until the test ends.
func (b *bench) run(t *testing.T) netip.AddrPort {
	t.Helper()
	b.view.DNS.Listen = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(testenv.Port(t)))
	b.start(t)
	b.Apply([]*nameserver.View{b.view})
	testenv.Wait(t, "the socket to be open", func() bool { return len(b.Addresses()) == 1 })
	return b.view.DNS.Listen
}

// start runs the Pool until the test ends.
func (b *bench) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestUnreadable: what cannot be read is answered so, at the rate of its client,
// by UDP and TCP. The clock stands still, so that the rate is what can be used
// at once.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.view.DNS.QueriesPerSecond = 2
			at := b.run(t)
			c, err := dns.Dial(network, at.String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			raw, err := query("web.listed.example", dns.TypeA).Pack()
			if err != nil {
				t.Fatal(err)
			}
			raw = raw[:len(raw)-7] // within the name
			for i := range 8 {     // four seconds' worth
				if m := tell(t, c, raw); m.Rcode != dns.RcodeFormatError {
					t.Errorf("%d: %v", i, m)
				}
			}
			if _, err := c.Write(raw); err != nil {
				t.Fatal(err)
			}
			testenv.Wait(t, "one too many to be counted", func() bool {
				outcomes, _ := counted(t, b)
				return outcomes["unreadable"] == 8 && outcomes["limited"] == 1
			})
			_, recorded := b.seen()
			if len(recorded) != 1 || recorded[0].Code != "query_rate" || recorded[0].Method != "" {
				t.Errorf("recorded %+v", recorded)
			}
			b.pass(time.Second)
			if m := tell(t, c, raw); m.Rcode != dns.RcodeFormatError {
				t.Errorf("after a second: %v", m)
			}
		})
	}
}

// tell says something to a server, and waits for the answer.
func tell(t *testing.T, c *dns.Conn, raw []byte) *dns.Msg {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(raw); err != nil {
		t.Fatal(err)
	}
	m, err := c.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLaterEDNS: of a later version of EDNS the client is told which one is
// known, whatever it asks, by a real socket.
func TestLaterEDNS(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	at := b.run(t)
	for _, tc := range []struct {
		name    string
		version uint8
		want    int
	}{
		{"web.listed.example", 0, dns.RcodeSuccess},
		{"web.listed.example", 1, dns.RcodeBadVers},
		{"evil.example", 255, dns.RcodeBadVers},
		{"evil.example", 0, dns.RcodeRefused},
	} {
		q := query(tc.name, dns.TypeA).SetEdns0(1232, false)
		q.IsEdns0().SetVersion(tc.version)
		m, _, err := (&dns.Client{Timeout: time.Minute}).Exchange(q, at.String())
		if err != nil {
			t.Fatal(err)
		}
		opt := m.IsEdns0()
		if m.Rcode != tc.want || opt == nil || opt.Version() != 0 || tc.want == dns.RcodeBadVers && len(m.Answer) > 0 {
			t.Errorf("%s by version %d: %v", tc.name, tc.version, m)
		}
	}
	if asked, recorded := b.seen(); len(asked) != 1 || len(recorded) != 1 {
		t.Errorf("asked of the resolver %q, recorded %+v", asked, recorded)
	}
}

// TestStates: whether a socket is open, and why not, is told when it changes.
func TestStates(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(testenv.Port(t)))
	b.view.DNS.Listen = at
	taken, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if b.Ready() {
		t.Error("ready before anything is known")
	}
	b.Apply([]*nameserver.View{b.view})
	if b.Ready() || len(b.States()) != 0 {
		t.Errorf("before a socket was tried: ready %t, %+v", b.Ready(), b.States())
	}
	b.start(t)
	last := func() nameserver.State {
		all := b.reported()
		if len(all) == 0 || len(all[len(all)-1]) != 1 {
			return nameserver.State{}
		}
		return all[len(all)-1][0]
	}
	testenv.Wait(t, "the port to be told as taken", func() bool { return last().Reason == nameserver.ReasonPortUnavailable })
	if s := last(); s.Gateway != "agents/egress" || s.Listen != at || s.Problem == "" || !b.Ready() {
		t.Errorf("ready %t, told %+v", b.Ready(), s)
	}
	taken.Close()
	testenv.Wait(t, "the socket to be told as open", func() bool { return last() == nameserver.State{Gateway: "agents/egress", Listen: at} })
	gone := *b.view
	elsewhere := *b.view.DNS
	elsewhere.Listen = netip.MustParseAddrPort("198.51.100.1:53")
	gone.DNS = &elsewhere
	b.Apply([]*nameserver.View{&gone})
	testenv.Wait(t, "the address to be told as not there", func() bool { return last().Reason == nameserver.ReasonAddressNotUsable })
	if !b.Ready() {
		t.Error("not ready any more")
	}
	b.Apply(nil)
	testenv.Wait(t, "nothing to be told", func() bool { all := b.reported(); return len(all[len(all)-1]) == 0 })
	if n := len(b.reported()); n > 6 {
		t.Errorf("told %d times: %+v", n, b.reported())
	}
}
