package contain

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// counting is a source of bytes that never repeats.
type counting struct{ n byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}

// rig is a store with a clock that the test moves.
type rig struct {
	*Store
	t    *testing.T
	path string
	now  time.Time
}

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "orders.jsonl"), now: start()}
	r.open()
	return r
}

func (r *rig) open() {
	r.t.Helper()
	s, err := Open(Config{
		Path: r.path, Now: func() time.Time { return r.now }, Rand: &counting{},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Store = s
	r.t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
}

func (r *rig) add(o Order) Order {
	r.t.Helper()
	if o.Since.IsZero() {
		o.Since = r.now
	}
	if o.Until.IsZero() {
		o.Until = r.now.Add(time.Hour)
	}
	if o.Verb == "" {
		o.Verb = VerbQuarantine
	}
	out, err := r.Add(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func claims() *token.Claims {
	return &token.Claims{
		Domain: feedv1.Key{Namespace: "agents", Name: "corp"}, Txn: "t-1", Subject: "alice", Agent: "coder",
		Actors: []string{"coder", "planner"}, Hash: sha256.Sum256([]byte("a token")),
	}
}

const domain = "agents/corp"

func TestCut(t *testing.T) {
	t.Parallel()
	tok := TokenName(claims())
	for _, tt := range []struct {
		name string
		o    Order
		hop  Hop
		want bool
	}{
		{"the agent", Order{Kind: KindAgent, Domain: domain, Value: "coder"}, Hop{Claims: claims()}, true},
		{"whom the agent acts for", Order{Kind: KindAgent, Domain: domain, Value: "planner"}, Hop{Claims: claims()}, true},
		{"another agent", Order{Kind: KindAgent, Domain: domain, Value: "code"}, Hop{Claims: claims()}, false},
		{"the agent's name in another domain", Order{Kind: KindAgent, Domain: "agents/other", Value: "coder"}, Hop{Claims: claims()}, false},
		{"the subject", Order{Kind: KindSubject, Domain: domain, Value: "alice"}, Hop{Claims: claims()}, true},
		{"a subject by an agent's name", Order{Kind: KindSubject, Domain: domain, Value: "coder"}, Hop{Claims: claims()}, false},
		{"the transaction", Order{Kind: KindTxn, Domain: domain, Value: "t-1"}, Hop{Claims: claims()}, true},
		{"the token", Order{Kind: KindToken, Domain: domain, Value: tok}, Hop{Claims: claims()}, true},
		{"the peer", Order{Kind: KindPeer, Value: "spiffe://corp/a"}, Hop{Peer: "spiffe://corp/a"}, true},
		{"the peer of a hop with a token", Order{Kind: KindPeer, Value: "spiffe://corp/a"}, Hop{Claims: claims(), Peer: "spiffe://corp/a"}, true},
		{"another peer", Order{Kind: KindPeer, Value: "spiffe://corp/a"}, Hop{Claims: claims(), Peer: "spiffe://corp/b"}, false},
		{"the peer by its address", Order{Kind: KindPeer, Value: "10.1.2.3"}, Hop{Peer: "10.1.2.3"}, true},
		{"an address in another spelling", Order{Kind: KindPeer, Value: "2001:DB8:0::1"}, Hop{Peer: "2001:db8::1"}, true},
		{"an IPv4 address in IPv6", Order{Kind: KindPeer, Value: "::ffff:10.1.2.3"}, Hop{Peer: "10.1.2.3"}, true},
		{"another address", Order{Kind: KindPeer, Value: "10.1.2.3"}, Hop{Peer: "10.1.2.30"}, false},
		{"an agent named by an address", Order{Kind: KindAgent, Domain: domain, Value: "2001:DB8::1"}, Hop{Claims: claims(), Peer: "2001:db8::1"}, false},
		{"nobody", Order{Kind: KindAgent, Domain: domain, Value: "coder"}, Hop{}, false},
		{"a place that stays open", Order{Kind: KindAgent, Domain: domain, Value: "coder", Except: []Place{{Host: "*.docs.example"}}}, Hop{Claims: claims(), Host: "a.docs.example"}, false},
		{"a place that does not", Order{Kind: KindAgent, Domain: domain, Value: "coder", Except: []Place{{Host: "*.docs.example"}}}, Hop{Claims: claims(), Host: "docs.example"}, true},
		{"a backend that stays open", Order{Kind: KindAgent, Domain: domain, Value: "coder", Except: []Place{{Backend: "Service/agents/log"}}}, Hop{Claims: claims(), Backends: []string{"Service/agents/log"}}, false},
		{"one of two backends", Order{Kind: KindAgent, Domain: domain, Value: "coder", Except: []Place{{Backend: "Service/agents/log"}}}, Hop{Claims: claims(), Backends: []string{"Service/agents/log", "Service/agents/x"}}, true},
		{"a host that a route was asked for", Order{Kind: KindAgent, Domain: domain, Value: "coder", Except: []Place{{Host: "log.example"}}}, Hop{Claims: claims(), Backends: []string{"Service/agents/x"}, Host: "log.example"}, true},
		{"no place at all", Order{Kind: KindAgent, Domain: domain, Value: "coder", Except: []Place{{Host: "*"}}}, Hop{Claims: claims()}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			want := r.add(tt.o)
			got, ok := r.Cut(&tt.hop, r.now)
			if ok != tt.want {
				t.Fatalf("Cut = %v, want %v", ok, tt.want)
			}
			if ok && got.ID != want.ID {
				t.Errorf("it is cut off by %s, want %s", got.ID, want.ID)
			}
			if _, ok := r.Cut(&tt.hop, want.Until); ok {
				t.Error("it is cut off when the order is over")
			}
		})
	}
}

// TestNoRange: an order on a range would hold for nobody, whatever it looks like,
// and cannot be given; one of before keeps nothing from starting.
func TestNoRange(t *testing.T) {
	t.Parallel()
	now := newRig(t).now
	for value, bad := range map[string]bool{"10.1.2.3": false, "2001:DB8::1": false, "spiffe://corp/a": false, "10.1.2.0/24": true, "10.1.2.3/32": true, "2001:db8::/32": true} {
		o := Order{ID: "q", Verb: VerbQuarantine, Kind: KindPeer, Value: value, Since: now, Until: now.Add(time.Hour)}
		if err := o.CheckNew(); (err != nil) != bad || o.Check() != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// TestEveryone is cut off by an object, and by no person.
func TestEveryone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := Order{ID: "Quarantine/q", Verb: VerbQuarantine, Kind: KindEveryone, Until: r.now.Add(time.Hour), Except: []Place{{Host: "docs.example"}}}
	if err := r.SetObjects([]Order{o}); err != nil {
		t.Fatal(err)
	}
	for _, h := range []Hop{{}, {Claims: claims()}, {Peer: "spiffe://corp/a", Host: "a.example"}} {
		if got, ok := r.Cut(&h, r.now); !ok || got.ID != o.ID {
			t.Errorf("%+v is not cut off", h)
		}
	}
	if _, ok := r.Cut(&Hop{Host: "docs.example"}, r.now); ok {
		t.Error("a place that stays open is closed")
	}
	if _, ok := r.Cut(&Hop{}, o.Until); ok {
		t.Error("it is cut off when the order is over")
	}
	if _, err := r.Add(o); err == nil {
		t.Error("a person has cut everyone off")
	}
	for name, change := range map[string]func(*Order){
		"revoked":        func(o *Order) { o.Verb = VerbRevoke },
		"with a value":   func(o *Order) { o.Value = "x" },
		"in a domain":    func(o *Order) { o.Domain = domain },
		"over already":   func(o *Order) { o.Until = o.Since },
		"with odd hosts": func(o *Order) { o.Except = []Place{{}} },
	} {
		bad := o
		change(&bad)
		if bad.Check() == nil {
			t.Errorf("everyone %s is an order", name)
		}
	}
}

func TestTheStrongestOrderIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(Order{Kind: KindAgent, Domain: domain, Value: "coder", Until: r.now.Add(9 * time.Hour)})
	r.add(Order{Kind: KindSubject, Domain: domain, Value: "alice", Until: r.now.Add(10 * time.Hour)})
	hop := Hop{Claims: claims()}
	if o, _ := r.Cut(&hop, r.now); o.Kind != KindSubject {
		t.Errorf("told of %s, want the one that lasts longest", o.Kind)
	}
	r.add(Order{Verb: VerbRevoke, Kind: KindTxn, Domain: domain, Value: "t-1"})
	if o, _ := r.Cut(&hop, r.now); o.Verb != VerbRevoke {
		t.Errorf("told of a %s, want the revocation", o.Verb)
	}
}

func TestOrdersOutliveTheProcess(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	kept := r.add(Order{Kind: KindAgent, Domain: domain, Value: "coder", Reason: "line\nbreak", Except: []Place{{Host: "log.example"}}})
	lifted := r.add(Order{Kind: KindSubject, Domain: domain, Value: "alice"})
	short := r.add(Order{Kind: KindTxn, Domain: domain, Value: "t-1", Until: r.now.Add(time.Minute)})
	if _, ok, err := r.Lift(lifted.ID); !ok || err != nil {
		t.Fatalf("Lift = %v, %v", ok, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(2 * time.Minute)
	r.open()
	if diff := cmp.Diff([]Order{kept}, r.Orders()); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
	raw, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), short.ID) || strings.Contains(string(raw), lifted.ID) {
		t.Errorf("what is over was written again:\n%s", raw)
	}
	if st, err := os.Stat(r.path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestAFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	good := `{"order":{"id":"01","verb":"revoke","kind":"txn","domain":"a/b","value":"t","since":"2026-03-01T12:00:00Z","until":"2026-03-01T13:00:00Z"}}` + "\n"
	for _, tt := range []struct {
		name, text, want string
		orders           int
	}{
		{"whole", good, "", 1},
		{"the last line is half written", good + good[:40], "", 1},
		{"the first line is half written", good[:40] + "\n" + good, ":1:", 0},
		{"not JSON", good + "x\n", ":2:", 0},
		{"a field that is not known", good + `{"order":{"id":"02","sort":"x"}}` + "\n", ":2:", 0},
		{"an order that is not good", good + strings.Replace(good, `"txn"`, `"all"`, 1), ":2:", 0},
		{"neither", good + "{}\n", ":2:", 0},
		{"lifted", good + `{"lift":"01"}` + "\n", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "orders.jsonl")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(Config{Path: path, Now: start, Rand: &counting{}})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), path+tt.want) {
					t.Fatalf("Open = %v, want an error at %s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if n := len(s.Orders()); n != tt.orders {
				t.Errorf("%d orders, want %d", n, tt.orders)
			}
		})
	}
}

func TestAnOrderThatIsNotOnDiskDoesNotStand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	o := Order{Verb: VerbRevoke, Kind: KindTxn, Domain: domain, Value: "t-1", Since: r.now, Until: r.now.Add(time.Hour)}
	for range 2 { // the second finds the file given up
		if _, err := r.Add(o); err == nil {
			t.Fatal("an order was acknowledged that is nowhere")
		}
	}
	if n := len(r.Orders()); n != 0 {
		t.Errorf("%d orders stand", n)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := Order{Verb: VerbQuarantine, Kind: KindAgent, Domain: domain, Value: "coder", Since: r.now, Until: r.now.Add(time.Hour)}
	for _, tt := range []struct {
		name   string
		change func(*Order)
	}{
		{"verb", func(o *Order) { o.Verb = "ban" }},
		{"kind", func(o *Order) { o.Kind = "Agent" }},
		{"no value", func(o *Order) { o.Value = "" }},
		{"long value", func(o *Order) { o.Value = strings.Repeat("x", 1025) }},
		{"no domain", func(o *Order) { o.Domain = "" }},
		{"a peer in a domain", func(o *Order) { o.Kind = KindPeer }},
		{"a token by another name", func(o *Order) { o.Kind = KindToken; o.Value = "0123456789ABCDEF" }},
		{"a short token", func(o *Order) { o.Kind = KindToken; o.Value = "0123" }},
		{"over before it begins", func(o *Order) { o.Until = o.Since }},
		{"long reason", func(o *Order) { o.Reason = strings.Repeat("x", 1025) }},
		{"revoked but for a place", func(o *Order) { o.Verb = VerbRevoke; o.Except = []Place{{Host: "x"}} }},
		{"an empty place", func(o *Order) { o.Except = []Place{{}} }},
		{"two places in one", func(o *Order) { o.Except = []Place{{Host: "x", Backend: "a/b/c"}} }},
		{"a backend without its kind", func(o *Order) { o.Except = []Place{{Backend: "b/c"}} }},
		{"a host that is no glob", func(o *Order) { o.Except = []Place{{Host: strings.Repeat("x", 4096)}} }},
		{"too many places", func(o *Order) { o.Except = make([]Place, 65) }},
	} {
		o := good
		tt.change(&o)
		if _, err := r.Add(o); err == nil {
			t.Errorf("%s: it was taken", tt.name)
		}
	}
	if _, err := r.Add(good); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func TestNoRandomnessNoOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Rand = strings.NewReader("short")
	if _, err := r.Add(Order{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Add = %v", err)
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := Order{ID: "a", Verb: VerbQuarantine, Kind: KindAgent, Domain: domain, Value: "coder", Since: r.now, Until: r.now.Add(time.Hour)}
	b := a
	b.ID, b.Value = "b", "planner"
	set := func(os ...Order) {
		t.Helper()
		if err := r.SetObjects(os); err != nil {
			t.Fatal(err)
		}
	}
	hop := Hop{Claims: claims()}
	cut := func() string {
		o, _ := r.Cut(&hop, r.now)
		return o.ID
	}
	for _, tt := range []struct {
		name    string
		objects []Order
		want    string
	}{
		{"one", []Order{a}, "a"},
		{"another, and the first for longer", []Order{later(a), b}, "a"},
		{"the other alone", []Order{b}, "b"},
		{"none", nil, ""},
		{"the other again", []Order{b}, "b"},
	} {
		set(tt.objects...)
		if got := cut(); got != tt.want {
			t.Errorf("%s: cut off by %q, want %q", tt.name, got, tt.want)
		}
	}
	bad := a
	bad.Value = ""
	if err := r.SetObjects([]Order{bad}); err == nil {
		t.Error("an object that is not good was taken")
	}
	if n := len(r.Orders()); n != 1 {
		t.Errorf("%d orders stand after a bad object, want the last good ones", n)
	}
	if _, ok, _ := r.Lift("b"); ok {
		t.Error("an object was lifted by hand")
	}
}

func later(o Order) Order {
	o.Until = o.Until.Add(time.Hour)
	return o
}

func TestManyAskWhileOrdersComeAndGo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hop := Hop{Claims: claims()}
	r.add(Order{Kind: KindSubject, Domain: domain, Value: "alice"})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				if _, ok := r.Cut(&hop, start()); !ok {
					t.Error("a hop that is cut off all the time was let pass")
					return
				}
			}
		})
	}
	for i := range 20 {
		o := r.add(Order{Kind: KindAgent, Domain: domain, Value: fmt.Sprint("agent-", i)})
		if _, ok, err := r.Lift(o.ID); !ok || err != nil {
			t.Fatalf("Lift = %v, %v", ok, err)
		}
	}
	wg.Wait()
}

func TestAskingIsCheap(t *testing.T) {
	r := newRig(t)
	for i := range 100 {
		r.add(Order{Kind: KindAgent, Domain: domain, Value: fmt.Sprint("agent-", i)})
	}
	hop := Hop{Claims: claims()}
	// The names of token and trust domain are put together for each question.
	if n := testing.AllocsPerRun(100, func() { r.Cut(&hop, r.now) }); n > 4 {
		t.Errorf("%v allocations, want at most 4", n)
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add([]byte(`{"order":{"id":"01","verb":"revoke","kind":"txn","domain":"a/b","value":"t","since":"2026-03-01T12:00:00Z","until":"2026-03-01T13:00:00Z"}}` + "\n" + `{"lift":"01"}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		orders, err := parseJournal("f", raw)
		if err != nil {
			return
		}
		for _, o := range orders {
			if err := o.Check(); err != nil {
				t.Errorf("took an order that is not good: %v", err)
			}
		}
	})
}

// TestADiskThatWasFull takes orders again when it is not: a write that failed
// half way is cut off first.
func TestADiskThatWasFull(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.add(Order{Kind: KindAgent, Domain: domain, Value: "coder"})
	good := r.journal.file
	at, err := good.Seek(0, io.SeekCurrent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := good.Write([]byte(`{"order":{"id":"half`)); err != nil {
		t.Fatal(err)
	}
	r.journal.broken, r.journal.good = true, at
	second := r.add(Order{Kind: KindSubject, Domain: domain, Value: "alice"})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.open()
	if diff := cmp.Diff([]Order{first, second}, r.Orders()); diff != "" {
		t.Errorf("orders after a restart (-want +got):\n%s", diff)
	}
}
