package resolve_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
)

// services looks HTTPS records up, in one line.
func (b *bench) services(t testing.TB, name string) string {
	t.Helper()
	s, err := b.LookupServices(t.Context(), name)
	if err != nil {
		return told(resolve.Answer{}, err)
	}
	out := ""
	for _, one := range s.List {
		out += fmt.Sprintf("%d %v %t %v;", one.Priority, one.ALPN, one.NoDefaultALPN, one.Hints)
	}
	return out
}

// TestServices: what is told of HTTPS records is safe to know, and means what
// it said.
func TestServices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		zone map[string]behaviour
		ask  string
		want string
	}{
		{"plain", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 . alpn="h2"`)}, "a.example", "1 [h2] false [];"},
		{"keys to hide by are left out", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 . alpn="h2" ech="AEX+DQBB"`)}, "a.example", "1 [h2] false [];"},
		{"HTTP/3 is left out", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 . alpn="h3,h3-29,h2"`)}, "a.example", "1 [h2] false [];"},
		{"HTTP/3 alone", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 . alpn="h3" no-default-alpn`)}, "a.example", "no_address"},
		{"hints", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 . ipv4hint="198.200.0.1" ipv6hint="2606:4700::1"`)}, "a.example", "1 [] false [198.200.0.1 2606:4700::1];"},
		{"a closed hint", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 . ipv4hint="198.200.0.1,10.0.0.5"`)}, "a.example", "address_class private"},
		{"a closed hint in another record", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 .`, `a.example. 60 IN HTTPS 2 b.example. ipv6hint="::1"`)}, "a.example", "address_class loopback"},
		{"sorted", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 2 . alpn="h2"`, `a.example. 60 IN HTTPS 1 a.example. alpn="http/1.1"`)}, "a.example", "1 [http/1.1] false [];2 [h2] false [];"},
		{"another host", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 b.example. alpn="h2"`)}, "a.example", "no_address"},
		{"an alias", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 0 b.example.`)}, "a.example", "no_address"},
		{"another port", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 . port=8443`)}, "a.example", "no_address"},
		{"what must be known and is not", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 . mandatory="ech" ech="AEX+DQBB"`)}, "a.example", "no_address"},
		{"what must be known and is", map[string]behaviour{"a.example": says(`a.example. 60 IN HTTPS 1 . mandatory="alpn" alpn="h2"`)}, "a.example", "1 [h2] false [];"},
		{"along an alias", map[string]behaviour{"a.example": says("a.example. 60 IN CNAME b.example.", `b.example. 60 IN HTTPS 1 . alpn="h2"`)}, "a.example", "1 [h2] false [];"},
		{"along a private alias", map[string]behaviour{"a.example": says("a.example. 60 IN CNAME b.internal.", `b.internal. 60 IN HTTPS 1 . alpn="h2"`)}, "a.example", "private_name"},
		{"of another name", map[string]behaviour{"a.example": says(`b.example. 60 IN HTTPS 1 . alpn="h2"`)}, "a.example", "no_address"},
		{"none", map[string]behaviour{"a.example": says()}, "a.example", "no_address"},
		{"no name", nil, "a.example", "no_such_name"},
		{"a host", nil, "web.internal", "no_address"},
		{"a private name", nil, "db.svc.cluster.local", "private_name"},
		{"no host name", nil, "a..example", "bad_host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *resolve.Config) { c.Hosts = hostsOf("web.internal", "127.0.0.1") })
			for k, v := range c.zone {
				b.up.set(k, v)
			}
			for range 2 {
				if got := b.services(t, c.ask); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			}
			if n := len(b.up.queries()); n > 1 {
				t.Errorf("asked %q", b.up.queries())
			}
		})
	}
}

// TestServicesAreJudgedAgain: what is cached is judged by what holds now, and
// what failed heals.
func TestServicesAreJudgedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *resolve.Config) { c.Space = inside("10.20.0.0/16") })
	b.up.set("a.example", says(`a.example. 60 IN HTTPS 1 . ipv4hint="10.20.0.1"`))
	if got := b.services(t, "a.example"); got != "1 [] false [10.20.0.1];" {
		t.Fatal(got)
	}
	b.Apply(resolve.Settings{Space: &egress.Space{}, Servers: []netip.AddrPort{b.up.at}})
	var r *resolve.Refused
	if _, err := b.LookupServices(t.Context(), "a.example"); !errors.As(err, &r) || len(r.Addrs) != 1 {
		t.Errorf("after the range is closed: %v", err)
	}
	b.up.set("b.example", code(dns.RcodeServerFailure))
	if got := b.services(t, "b.example"); got != "server_failure" {
		t.Errorf("it fails: %s", got)
	}
	b.up.set("b.example", says(`b.example. 60 IN HTTPS 1 . alpn="h2"`))
	b.clock.pass(time.Second)
	if got := b.services(t, "b.example"); got != "1 [h2] false [];" {
		t.Errorf("it heals: %s", got)
	}
}
