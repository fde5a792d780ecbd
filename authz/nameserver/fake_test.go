package nameserver_test

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/nameserver"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world resolves, lists and keeps the record.
type world struct {
	mu       sync.Mutex
	asked    []string        // guarded by mu
	recorded []audit.Record  // guarded by mu
	now      time.Time       // guarded by mu
	orders   []contain.Order // guarded by mu
	// asking is called while a name is looked up; nil: nothing is.
	asking func()               // guarded by mu
	states [][]nameserver.State // guarded by mu
}

func (w *world) note(name string) {
	w.mu.Lock()
	w.asked = append(w.asked, name)
	asking := w.asking
	w.mu.Unlock()
	if asking != nil {
		asking()
	}
}

// order has orders stand in the place of those before.
func (w *world) order(orders ...contain.Order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders = orders
}

// Cut is an order on who or on everybody, but for the places that it leaves
// open.
func (w *world) Cut(h *contain.Hop, now time.Time) (contain.Order, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.orders {
		open := slices.ContainsFunc(o.Except, func(p contain.Place) bool {
			return len(h.Backends) == 0 && p.Host != "" && p.Host == h.Host || slices.Equal(h.Backends, []string{p.Backend})
		})
		if !open && now.Before(o.Until) && (o.Kind == contain.KindEveryone || o.Value == h.Peer) {
			return o, true
		}
	}
	return contain.Order{}, false
}

// report takes what became of sockets.
func (w *world) report(s []nameserver.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states = append(w.states, s)
}

// reported are all reports, in order.
func (w *world) reported() [][]nameserver.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.states)
}

// Lookup knows names by their first label.
func (w *world) Lookup(_ context.Context, name string) (resolve.Answer, error) {
	w.note(name)
	out := resolve.Answer{TTL: 30 * time.Second, Mode: "guard"}
	switch first, _, _ := strings.Cut(name, "."); first {
	case "gone":
		return out, &resolve.Failure{Kind: resolve.NoName}
	case "empty":
		return out, &resolve.Failure{Kind: resolve.NoAddress}
	case "broken":
		return out, &resolve.Failure{Kind: resolve.ServerFailure}
	case "closed":
		return out, &egress.Refusal{Reason: egress.ReasonClass, Class: egress.ClassPrivate}
	case "six":
		out.Addrs = []netip.Addr{netip.MustParseAddr("2606:4700::1")}
	case "many":
		for i := range 32 {
			out.Addrs = append(out.Addrs, netip.AddrFrom4([4]byte{198, 200, 1, byte(i)}))
		}
	default:
		out.Addrs = []netip.Addr{netip.MustParseAddr("198.200.0.1"), netip.MustParseAddr("2606:4700::1")}
	}
	return out, nil
}

// LookupServices knows them too.
func (w *world) LookupServices(ctx context.Context, name string) (resolve.Services, error) {
	a, err := w.Lookup(ctx, name)
	if err != nil {
		return resolve.Services{}, err
	}
	if strings.HasPrefix(name, "plain.") {
		return resolve.Services{}, &resolve.Failure{Kind: resolve.NoAddress}
	}
	return resolve.Services{TTL: a.TTL, List: []resolve.Service{{Priority: 1, ALPN: []string{"h2"}, NoDefaultALPN: true, Hints: a.Addrs}}}, nil
}

// Lists lists what is below two domains: one name for name, one by a glob.
func (w *world) Lists(name string, caller netip.Addr) (policy.Listing, bool) {
	switch {
	case strings.HasSuffix(name, ".listed.example"):
		return policy.Listing{}, true
	case strings.HasSuffix(name, ".glob.example"):
		return policy.Listing{Glob: "**.glob.example"}, true
	case name == "near.example":
		return policy.Listing{}, caller == netip.MustParseAddr("10.0.0.2")
	}
	return policy.Listing{}, false
}

// Append keeps a record.
func (w *world) Append(r audit.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recorded = append(w.recorded, r)
	return nil
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) seen() (asked []string, recorded []audit.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append(asked, w.asked...), append(recorded, w.recorded...)
}

// bench is a Pool, and a view of one socket.
type bench struct {
	*nameserver.Pool
	*world
	view *nameserver.View
}

func newBench(t testing.TB) *bench {
	t.Helper()
	w := &world{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	p, err := nameserver.New(nameserver.Config{
		Recorder: w, Contained: w, Report: w.report, Now: w.clock, Rand: rand.Reader, Retry: 5 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{Pool: p, world: w, view: &nameserver.View{
		Gateway: "agents/egress", Revision: "r1", Names: w, Resolver: w,
		Backends: map[string][]string{"tools.listed.example": {"XBackend/agents/tools", "XBackend/agents/more"}},
		DNS: &feedv1.DNS{
			Clients:          []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/32")},
			QueriesPerSecond: 50, NamesPerHour: 3,
		},
	}}
}

// wire is where an answer goes.
type wire struct {
	from net.Addr
	tcp  bool
	said *dns.Msg
}

func (w *wire) LocalAddr() net.Addr {
	if w.tcp {
		return &net.TCPAddr{}
	}
	return &net.UDPAddr{}
}
func (w *wire) RemoteAddr() net.Addr        { return w.from }
func (w *wire) WriteMsg(m *dns.Msg) error   { w.said = m; return nil }
func (w *wire) Write(b []byte) (int, error) { return len(b), nil }
func (w *wire) Close() error                { return nil }
func (w *wire) TsigStatus() error           { return nil }
func (w *wire) TsigTimersOnly(bool)         {}
func (w *wire) Hijack()                     {}
func from(addr string) net.Addr             { return &net.UDPAddr{IP: net.ParseIP(addr), Port: 4000} }

func query(name string, kind uint16) *dns.Msg { return new(dns.Msg).SetQuestion(dns.Fqdn(name), kind) }

// ask asks as a client; nil: there is no answer.
func (b *bench) ask(client, name string, kind uint16) *dns.Msg {
	w := &wire{from: from(client)}
	b.Serve(b.view, w, query(name, kind))
	return w.said
}

// told is an answer in one line.
func told(m *dns.Msg) string {
	if m == nil {
		return "nothing"
	}
	out := dns.RcodeToString[m.Rcode]
	for _, rr := range m.Answer {
		fields := strings.SplitN(rr.String(), "\t", 5)
		out += " " + fields[4]
	}
	return out
}
