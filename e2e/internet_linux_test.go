package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/internal/testgateway"
)

// internet is every address there is, at some ports: who came to which.
type internet struct {
	mu   sync.Mutex
	seen []visit // guarded by mu
}

// visit is one connection: where to, and what a request in it asked for.
type visit struct {
	to         netip.AddrPort
	host, path string
}

func newInternet(t testing.TB, ports ...uint16) *internet {
	t.Helper()
	w := &internet{}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	for _, p := range ports {
		l, err := net.Listen("tcp", fmt.Sprint(":", p))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		wg.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				wg.Go(func() { w.serve(c) })
			}
		})
	}
	return w
}

// serve answers one line, or one request, with the address that it came to.
func (w *internet) serve(c net.Conn) {
	defer c.Close()
	v := visit{to: c.LocalAddr().(*net.TCPAddr).AddrPort()}
	v.to = netip.AddrPortFrom(v.to.Addr().Unmap(), v.to.Port())
	w.mu.Lock()
	at := len(w.seen)
	w.seen = append(w.seen, v)
	w.mu.Unlock()
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		return
	}
	if line != "hello\r\n" {
		req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(line), r)))
		if err != nil {
			return
		}
		v.host, v.path = req.Host, req.URL.EscapedPath()
		w.mu.Lock()
		w.seen[at] = v
		w.mu.Unlock()
	}
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Address: %s\r\n\r\n", v.to)
}

func (w *internet) visits() []visit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// reached lists where connections came to, without repetition.
func (w *internet) reached() []string {
	var out []string
	for _, v := range w.visits() {
		if s := v.to.Addr().String(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// openGateway lets everybody go anywhere, as far as rules can, and reads no
// tunnel: only names and addresses are in the way.
func openGateway(t testing.TB, z *zone, ports string) *testgateway.Gateway {
	t.Helper()
	return testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners,
		"config.yaml":  config(egress(z.addr.String())),
		"policy.yaml": policy("open",
			`{name: tunnels, from: {agents: [{name: researcher}]}, to: {type: Hosts, hosts: [{names: ["*"], ports: `+ports+`}]}, action: Allow, with: {tls: Opaque}}`,
			`{name: requests, from: {agents: [{name: researcher}]}, to: {type: HTTP, http: [{hosts: ["*"], ports: `+ports+`}]}, action: Allow}`),
	})
}

// through asks by a tunnel who is at the other end.
func through(t testing.TB, g *testgateway.Gateway, target, token string) (at string, a answer) {
	t.Helper()
	w, a := tunnel(t, g, target, token)
	if a.status != http.StatusOK {
		return "", a
	}
	w.say(t, "hello\r\n")
	return w.hear(t, http.MethodGet).Header.Get("X-Address"), a
}

// TestInternet: names that lead astray lead nowhere, whatever their servers
// say, and however often they change their minds.
func TestInternet(t *testing.T) {
	t.Parallel()
	if !ownInternet(t) {
		return
	}
	w, z := newInternet(t, 80, 443), newZone(t)
	g := openGateway(t, z, "[80, 443]")
	token := g.Token()
	names(z)
	for _, tc := range []struct{ name, at, code string }{
		{"good.example", "198.200.0.1:443", ""},
		{"six.example", "[2606:4700::1]:443", ""},
		{"alias.example", "198.200.0.1:443", ""},
		{"chain.example", "198.200.0.1:443", ""},
		{"private.example", "", "address_denied"},
		{"alias-private.example", "", "address_denied"},
		{"alias-local.example", "", "address_denied"},
		{"mixed.example", "", "address_denied"},
		{"mixed-six.example", "", "address_denied"},
		{"mapped.example", "", "address_denied"},
		{"nat64.example", "", "address_denied"},
		{"loop.example", "", "name_unresolved"},
		{"endless.example", "", "name_unresolved"},
		{"liar.example", "", "name_unresolved"},
		{"beside.example", "198.200.0.1:443", ""},
		{"nothing.example", "", "name_unresolved"},
		{"broken.example", "", "name_unresolved"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, a := through(t, g, tc.name+":443", token)
			if a.code() != tc.code || at != tc.at {
				t.Errorf("answer %d %q, at %q, want %q, %q", a.status, a.code(), at, tc.code, tc.at)
			}
		})
	}
	t.Run("rebinding", func(t *testing.T) { rebinding(t, g, z, token) })
	if got := fmt.Sprint(w.reached()); got != "[198.200.0.1 198.200.0.7 2606:4700::1]" {
		t.Errorf("connections came to %s", got)
	}
}

// rebinding has a name that is public and private in turn, and lives for no
// time at all: what was judged is what is dialled.
func rebinding(t *testing.T, g *testgateway.Gateway, z *zone, token string) {
	var asked atomic.Int64
	z.on("rebind.example", func(m *dns.Msg, q dns.Question) {
		addr := "198.200.0.7"
		if q.Qtype == dns.TypeA && asked.Add(1)%2 == 0 {
			addr = "10.0.0.5"
		}
		m.Answer = addresses(q.Qtype, q.Name, 0, addr)
	})
	opened := 0
	for i := range 40 {
		target := "rebind.example:443"
		at, a := through(t, g, target, token)
		switch {
		case at == "198.200.0.7:443":
			opened++
		case a.code() != "address_denied":
			t.Errorf("try %d: %d %q, at %q", i, a.status, a.code(), at)
		}
	}
	if opened == 0 {
		t.Error("the name was never open, so that nothing was tried")
	}
}

// names are what servers of names say.
func names(z *zone) {
	alias := func(from, to string) dns.RR {
		return &dns.CNAME{Hdr: dns.RR_Header{Name: dns.Fqdn(from), Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}, Target: dns.Fqdn(to)}
	}
	say := func(name string, rrs func(family uint16) []dns.RR) {
		z.on(name, func(m *dns.Msg, q dns.Question) { m.Answer = rrs(q.Qtype) })
	}
	z.at("good.example", "198.200.0.1")
	z.at("six.example", "2606:4700::1")
	z.at("private.example", "10.0.0.5")
	z.at("mixed.example", "198.200.0.1", "10.0.0.5")
	z.at("mixed-six.example", "198.200.0.1", "fd00::5")
	z.at("mapped.example", "::ffff:10.0.0.5")
	z.at("nat64.example", "64:ff9b::a00:5")
	z.at("nothing.example")
	say("alias.example", func(f uint16) []dns.RR {
		return append([]dns.RR{alias("alias.example", "good.example")}, addresses(f, "good.example", 60, "198.200.0.1")...)
	})
	say("alias-private.example", func(f uint16) []dns.RR {
		return append([]dns.RR{alias("alias-private.example", "x.example")}, addresses(f, "x.example", 60, "10.0.0.5")...)
	})
	say("alias-local.example", func(uint16) []dns.RR { return []dns.RR{alias("alias-local.example", "private.example")} })
	say("loop.example", func(uint16) []dns.RR {
		return []dns.RR{alias("loop.example", "pool.example"), alias("pool.example", "loop.example")}
	})
	for i := range 4 {
		from, to := fmt.Sprintf("c%d.example", i), fmt.Sprintf("c%d.example", i+1)
		say(from, func(uint16) []dns.RR { return []dns.RR{alias(from, to)} })
	}
	say("chain.example", func(uint16) []dns.RR { return []dns.RR{alias("chain.example", "c1.example")} })
	say("c4.example", func(f uint16) []dns.RR { return addresses(f, "c4.example", 60, "198.200.0.1") })
	for i := range 60 {
		from, to := fmt.Sprintf("e%d.example", i), fmt.Sprintf("e%d.example", i+1)
		say(from, func(uint16) []dns.RR { return []dns.RR{alias(from, to)} })
	}
	say("endless.example", func(uint16) []dns.RR { return []dns.RR{alias("endless.example", "e0.example")} })
	// A server that answers for another name is not believed, and neither is
	// what it adds.
	say("liar.example", func(f uint16) []dns.RR { return addresses(f, "other.example", 60, "10.0.0.5") })
	z.on("beside.example", func(m *dns.Msg, q dns.Question) {
		m.Answer = append(addresses(q.Qtype, "beside.example", 60, "198.200.0.1"), addresses(q.Qtype, "good.example", 60, "10.0.0.5")...)
		m.Extra = addresses(q.Qtype, "beside.example", 60, "10.0.0.5")
	})
	z.on("broken.example", func(m *dns.Msg, _ dns.Question) { m.Rcode = dns.RcodeServerFailure })
}
