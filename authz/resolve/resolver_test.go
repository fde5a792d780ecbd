package resolve_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// bench is a Resolver before an upstream.
type bench struct {
	*resolve.Resolver
	up     *upstream
	clock  *clock
	record *record
}

func newBench(t testing.TB, change func(*resolve.Config)) *bench {
	t.Helper()
	b := &bench{up: newUpstream(t), clock: newClock(), record: &record{}}
	c := resolve.Config{
		Settings: resolve.Settings{Servers: []netip.AddrPort{b.up.at}},
		Observer: b.record, Now: b.clock.now, Try: 250 * time.Millisecond,
	}
	if change != nil {
		change(&c)
	}
	r, err := resolve.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	b.Resolver = r
	return b
}

func inside(ranges ...string) *egress.Space {
	c := egress.SpaceConfig{}
	for _, r := range ranges {
		c.Inside = append(c.Inside, netip.MustParsePrefix(r))
	}
	s, _ := egress.NewSpace(c)
	return s
}

func hostsOf(name string, addrs ...string) []feedv1.Host {
	h := feedv1.Host{Name: name, Ports: []uint16{443}, Clusters: []string{"c"}}
	for _, a := range addrs {
		h.Addresses = append(h.Addresses, netip.MustParseAddr(a))
	}
	return []feedv1.Host{h}
}

// told is an answer or an error in one line.
func told(a resolve.Answer, err error) string {
	var refusal *egress.Refusal
	var failure *resolve.Failure
	switch {
	case errors.As(err, &refusal):
		if refusal.Class != "" {
			return string(refusal.Reason) + " " + string(refusal.Class)
		}
		return string(refusal.Reason)
	case errors.As(err, &failure):
		return string(failure.Kind)
	case err != nil:
		return "unfit error: " + err.Error()
	}
	out := a.Mode
	for _, addr := range a.Addrs {
		out += " " + addr.String()
	}
	return out
}

func (b *bench) look(t testing.TB, name string) string {
	t.Helper()
	return told(b.Lookup(t.Context(), name))
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		zone map[string]behaviour
		ask  string
		want string
	}{
		{"both families, sorted", map[string]behaviour{"a.example": has("198.200.0.9", "198.200.0.2", "2606:4700::1")}, "a.example", "guard 198.200.0.2 198.200.0.9 2606:4700::1"},
		{"IPv4 alone", map[string]behaviour{"a.example": has("198.200.0.1")}, "a.example", "guard 198.200.0.1"},
		{"IPv6 alone", map[string]behaviour{"a.example": has("2606:4700::1")}, "a.example", "guard 2606:4700::1"},
		{"the same twice", map[string]behaviour{"a.example": has("198.200.0.1", "198.200.0.1")}, "a.example", "guard 198.200.0.1"},
		{"any spelling", map[string]behaviour{"a.example": has("198.200.0.1")}, "A.Example.", "guard 198.200.0.1"},
		{"no such name", nil, "a.example", "no_such_name"},
		{"no address", map[string]behaviour{"a.example": says()}, "a.example", "no_address"},
		{"one family does not exist", map[string]behaviour{"a.example A": has("198.200.0.1")}, "a.example", "guard 198.200.0.1"},
		{"inside", map[string]behaviour{"a.example": has("10.20.0.1", "10.20.0.2")}, "a.example", "inside 10.20.0.1 10.20.0.2"},
		{"private, not declared", map[string]behaviour{"a.example": has("10.21.0.1")}, "a.example", "address_class private"},
		{"public and private", map[string]behaviour{"a.example": has("198.200.0.1", "10.21.0.1")}, "a.example", "address_class private"},
		{"dead public and private", map[string]behaviour{"a.example": has("198.200.9.9", "10.0.0.5")}, "a.example", "address_class private"},
		{"private and public", map[string]behaviour{"a.example": has("10.21.0.1", "198.200.0.1")}, "a.example", "address_class private"},
		{"public and inside", map[string]behaviour{"a.example": has("198.200.0.1", "10.20.0.1")}, "a.example", "mixed_answer public"},
		{"public IPv4, loopback IPv6", map[string]behaviour{"a.example": has("198.200.0.1", "::1")}, "a.example", "address_class loopback"},
		{"mapped", map[string]behaviour{"a.example": has("2606:4700::1", "::ffff:198.200.0.1")}, "a.example", "address_class translated"},
		{"isatap", map[string]behaviour{"a.example": has("2600:1f00::5efe:a00:1")}, "a.example", "address_class private"},
		{"as many as there may be", map[string]behaviour{"a.example": has(many(32)...)}, "a.example", "guard " + joined(many(32))},
		{"too many", map[string]behaviour{"a.example": has(many(33)...)}, "a.example", "too_many_addresses"},
		{"a host", nil, "web.internal", "hosts 10.0.0.7 127.0.0.1"},
		{"below a host", nil, "a.web.internal", "private_name"},
		{"private name", nil, "db.svc.cluster.local", "private_name"},
		{"single label", nil, "db", "private_name"},
		{"no name", nil, "10.0.0.1", "address_notation"},
		{"no name either", nil, "a..example", "bad_host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *resolve.Config) {
				c.Space, c.Hosts = inside("10.20.0.0/16"), hostsOf("web.internal", "127.0.0.1", "10.0.0.7")
			})
			for k, v := range c.zone {
				b.up.set(k, v)
			}
			if got := b.look(t, c.ask); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if got := b.look(t, c.ask); got != c.want {
				t.Errorf("again: %s, want %s", got, c.want)
			}
			if n := len(b.up.queries()); n > 2 || c.zone == nil && c.want != "no_such_name" && n > 0 {
				t.Errorf("asked %q", b.up.queries())
			}
		})
	}
}

func many(n int) []string {
	var out []string
	for i := range n {
		out = append(out, netip.AddrFrom4([4]byte{198, 200, 1, byte(i)}).String())
	}
	return out
}

func joined(list []string) string {
	out := list[0]
	for _, s := range list[1:] {
		out += " " + s
	}
	return out
}

// A refusal tells the record what it found, and its text nothing.
func TestRefusedTellsTheRecord(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.up.set("a.example", says("a.example. 60 IN CNAME b.example.", "b.example. 60 IN A 10.0.0.5", "b.example. 60 IN AAAA 2606:4700::1"))
	_, err := b.Lookup(t.Context(), "a.example")
	var r *resolve.Refused
	if !errors.As(err, &r) {
		t.Fatalf("error is %T", err)
	}
	want := &resolve.Refused{Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("2606:4700::1")}, Aliases: []string{"b.example"}}
	if !slices.Equal(r.Addrs, want.Addrs) || !slices.Equal(r.Aliases, want.Aliases) {
		t.Errorf("%+v, want %+v", r, want)
	}
	if got := r.Error(); got != "reach destination: address_class: private" {
		t.Errorf("text is %q", got)
	}
}

func TestTTL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ttl  int
		want time.Duration
	}{{0, 5 * time.Second}, {1, 5 * time.Second}, {5, 5 * time.Second}, {60, time.Minute}, {300, 5 * time.Minute}, {86400, 5 * time.Minute}, {1 << 31, 5 * time.Second}} {
		b := newBench(t, nil)
		b.up.set("a.example", hasFor(c.ttl, "198.200.0.1"))
		a, err := b.Lookup(t.Context(), "a.example")
		if err != nil || a.TTL != c.want {
			t.Errorf("%d: %s, %v, want %s", c.ttl, a.TTL, err, c.want)
		}
		b.clock.pass(c.want - time.Second)
		if a, err = b.Lookup(t.Context(), "a.example"); err != nil || a.TTL != time.Second || len(b.up.queries()) != 2 {
			t.Errorf("%d, a second before its end: %s, %v, asked %q", c.ttl, a.TTL, err, b.up.queries())
		}
		b.clock.pass(time.Second)
		if a, err = b.Lookup(t.Context(), "a.example"); err != nil || a.TTL != c.want || len(b.up.queries()) != 4 {
			t.Errorf("%d, at its end: %s, %v, asked %q", c.ttl, a.TTL, err, b.up.queries())
		}
	}
}

// The shortest life along the chain counts.
func TestTTLAlongAliases(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.up.set("a.example", says("a.example. 200 IN CNAME b.example.", "b.example. 20 IN CNAME c.example.", "c.example. 100 IN A 198.200.0.1", "c.example. 90 IN A 198.200.0.2"))
	if a, err := b.Lookup(t.Context(), "a.example"); err != nil || a.TTL != 20*time.Second {
		t.Errorf("%s, %v", a.TTL, err)
	}
}

func TestRebinding(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.up.set("rebind.example", inTurn(hasFor(0, "198.200.0.1"), hasFor(0, "127.0.0.1"), hasFor(0, "198.200.0.2")))
	for _, step := range []struct {
		pass time.Duration
		want string
	}{
		{0, "guard 198.200.0.1"},
		{4 * time.Second, "guard 198.200.0.1"}, // what was checked is what is dialled
		{time.Second, "address_class loopback"},
		{4 * time.Second, "address_class loopback"},
		{time.Second, "guard 198.200.0.2"},
	} {
		b.clock.pass(step.pass)
		if got := b.look(t, "rebind.example"); got != step.want {
			t.Errorf("%s, want %s", got, step.want)
		}
	}
}

func TestFailuresHeal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		first behaviour
		want  string
		after time.Duration
	}{
		{"no such name", code(dns.RcodeNameError), "no_such_name", 2 * time.Second},
		{"no address", says(), "no_address", 2 * time.Second},
		{"server failure", code(dns.RcodeServerFailure), "server_failure", time.Second},
		{"refused", hasFor(86400, "10.0.0.1"), "address_class private", 30 * time.Second},
		{"malformed", says("a.example. 60 IN CNAME a.example."), "malformed_answer", time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.up.set("a.example", c.first)
			if got := b.look(t, "a.example"); got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
			b.up.set("a.example", has("198.200.0.1"))
			b.clock.pass(c.after - time.Millisecond)
			if got := b.look(t, "a.example"); got != c.want {
				t.Errorf("too soon: %s, want %s", got, c.want)
			}
			b.clock.pass(time.Millisecond)
			if got := b.look(t, "a.example"); got != "guard 198.200.0.1" {
				t.Errorf("healed: %s", got)
			}
		})
	}
}

// One family that fails does not take the other one with it, and is asked for
// again soon.
func TestHalfAnAnswer(t *testing.T) {
	t.Parallel()
	for name, b6 := range map[string]behaviour{"fails": code(dns.RcodeServerFailure), "is silent": silence} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.up.set("a.example A", has("198.200.0.1"))
			b.up.set("a.example AAAA", b6)
			a, err := b.Lookup(t.Context(), "a.example")
			if told(a, err) != "guard 198.200.0.1" || a.TTL != 5*time.Second {
				t.Errorf("%s for %s", told(a, err), a.TTL)
			}
		})
	}
	b := newBench(t, nil)
	b.up.set("a.example A", has("198.200.0.1"))
	b.up.set("a.example AAAA", says("a.example. 60 IN CNAME a.example."))
	if got := b.look(t, "a.example"); got != "malformed_answer" {
		t.Errorf("one family is forged: %s", got)
	}
}

func TestOneFlightForAll(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *resolve.Config) { c.Try = 10 * time.Second })
	gate := make(chan struct{})
	b.up.set("a.example", func(q *dns.Msg, _ string) []*dns.Msg {
		<-gate
		return []*dns.Msg{reply(q, ofName(q, 60, []string{"198.200.0.1"})...)}
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := b.look(t, "a.example"); got != "guard 198.200.0.1" {
				t.Errorf("%s", got)
			}
		})
	}
	close(gate)
	wg.Wait()
	if diff := cmp.Diff([]string{"a.example A udp", "a.example AAAA udp"}, b.up.queries()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// Who leaves does not end the flight: the next one finds its answer.
func TestLeavingAFlight(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *resolve.Config) { c.Try = 10 * time.Second })
	gate := make(chan struct{})
	b.up.set("a.example", func(q *dns.Msg, _ string) []*dns.Msg {
		<-gate
		return []*dns.Msg{reply(q, ofName(q, 60, []string{"198.200.0.1"})...)}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := told(b.Lookup(ctx, "a.example")); got != "timeout" {
		t.Errorf("%s, want timeout", got)
	}
	close(gate)
	if got := b.look(t, "a.example"); got != "guard 198.200.0.1" {
		t.Errorf("%s", got)
	}
	if n := len(b.up.queries()); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestTooManyFlights(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *resolve.Config) {
		// Nobody is there: flights wait until they are stopped.
		c.Servers, c.Try, c.Total = []netip.AddrPort{blackHole(t)}, time.Minute, time.Minute
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	busy := 0
	for i := range resolve.MaxFlights + 10 {
		if told(b.Lookup(ctx, "n"+many(256)[i%256]+"-"+string(rune('a'+i/256))+".example")) == "busy" {
			busy++
		}
	}
	if busy != 10 {
		t.Errorf("%d were refused, want 10", busy)
	}
	b.Close()
	if got := b.look(t, "late.example"); got != "busy" {
		t.Errorf("after Close: %s", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *resolve.Config) { c.Names = 2 })
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		b.up.set(name, has("198.200.0.1"))
		b.look(t, name)
	}
	if n := b.Cached(); n != 2 {
		t.Errorf("%d names are cached", n)
	}
	b.up.forget()
	b.look(t, "c.example")
	b.look(t, "a.example")
	if diff := cmp.Diff([]string{"a.example A udp", "a.example AAAA udp"}, b.up.queries()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// What is cached is judged again when the settings change; nobody is asked.
func TestApply(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.up.set("a.example", has("10.20.0.1"))
	b.up.set("b.example", has("198.200.0.1"))
	b.up.set("c.example", says("c.example. 60 IN CNAME b.example.", "b.example. 60 IN A 198.200.0.1"))
	servers := []netip.AddrPort{b.up.at}
	steps := []struct {
		name    string
		s       resolve.Settings
		a, b, c string
	}{
		{"public alone", resolve.Settings{Servers: servers}, "address_class private", "guard 198.200.0.1", "guard 198.200.0.1"},
		{"a range opens", resolve.Settings{Servers: servers, Space: inside("10.20.0.0/16")}, "inside 10.20.0.1", "guard 198.200.0.1", "guard 198.200.0.1"},
		{"a name is ours", resolve.Settings{Servers: servers, Hosts: hostsOf("b.example", "127.0.0.1")}, "address_class private", "hosts 127.0.0.1", "private_name"},
		{"a name is ours and closed", resolve.Settings{Servers: servers, Hosts: append(hostsOf("B.Example"), append(hostsOf("b.example", "127.0.0.1"), hostsOf("10.0.0.1")...)...)}, "address_class private", "no_address invalid", "private_name"},
		{"as it was", resolve.Settings{Servers: servers}, "address_class private", "guard 198.200.0.1", "guard 198.200.0.1"},
	}
	for i, step := range steps {
		b.Apply(step.s)
		for name, want := range map[string]string{"a.example": step.a, "b.example": step.b, "c.example": step.c} {
			if got := b.look(t, name); got != want {
				t.Errorf("%s: %s is %s, want %s", step.name, name, got, want)
			}
		}
		if n := len(b.up.queries()); i > 0 && n > 0 {
			t.Errorf("%s: asked %q", step.name, b.up.queries())
		}
		b.up.forget()
	}
}

// Other servers may know other things: nothing that is cached counts.
func TestApplyServers(t *testing.T) {
	t.Parallel()
	b, other := newBench(t, nil), newUpstream(t)
	b.up.set("a.example", has("198.200.0.1"))
	other.set("a.example", has("198.200.0.2"))
	if got := b.look(t, "a.example"); got != "guard 198.200.0.1" {
		t.Fatal(got)
	}
	b.Apply(resolve.Settings{Servers: []netip.AddrPort{other.at}})
	if got := b.look(t, "a.example"); got != "guard 198.200.0.2" {
		t.Errorf("%s, want the other server's", got)
	}
}

// An answer that arrives after the settings changed is judged by the new ones.
func TestApplyDuringAFlight(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *resolve.Config) { c.Space, c.Try = inside("10.20.0.0/16"), 10*time.Second })
	arrived, gate := make(chan struct{}, 2), make(chan struct{})
	b.up.set("a.example", func(q *dns.Msg, _ string) []*dns.Msg {
		arrived <- struct{}{}
		<-gate
		return []*dns.Msg{reply(q, ofName(q, 60, []string{"10.20.0.1"})...)}
	})
	got := make(chan string)
	go func() { got <- b.look(t, "a.example") }()
	<-arrived
	b.Apply(resolve.Settings{Servers: []netip.AddrPort{b.up.at}})
	close(gate)
	if s := <-got; s != "address_class private" {
		t.Errorf("%s: an address that has closed meanwhile", s)
	}
}

func TestObserver(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.up.set("a.example", has("198.200.0.1"))
	b.up.set("b.example", has("10.0.0.1"))
	b.up.set("d.example", says("d.example. 60 IN CNAME e.internal."))
	for _, name := range []string{"a.example", "a.example", "b.example", "c.example", "d.example", "db.internal"} {
		b.look(t, name)
	}
	resolved, _ := b.record.told()
	if diff := cmp.Diff([]string{"ok", "address_class", "no_such_name", "private_name"}, resolved); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFailureSpeaks(t *testing.T) {
	t.Parallel()
	if got := (&resolve.Failure{Kind: resolve.NoName}).Error(); got != "resolve name: no_such_name" {
		t.Errorf("%q", got)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []resolve.Config{{Try: -1}, {Total: -1}, {Names: -1}} {
		if _, err := resolve.New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	r, err := resolve.New(resolve.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
}

func TestCachedLookupAllocatesNothing(t *testing.T) {
	b := newBench(t, nil)
	b.up.set("a.example", hasFor(300, "198.200.0.1", "2606:4700::1"))
	b.look(t, "a.example")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := b.Lookup(context.Background(), "a.example"); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
