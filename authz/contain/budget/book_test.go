package budget

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time // guarded by mu
}

func newClock() *clock { return &clock{t: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func upload(bytes int64) Limit {
	return Limit{Policy: "agents/p", Rule: "r", UploadBytes: bytes, Window: time.Hour}
}

func names(n int64) Limit {
	return Limit{Policy: "agents/p", Rule: "r", Names: n, Window: time.Hour}
}

func agent(name string) Principal { return Principal{Agent, "agents/corp", name} }

// opened is a book that is not kept.
func opened(cfg Config) *Book {
	b, err := Open(cfg)
	if err != nil {
		panic(err)
	}
	return b
}

func newBook() (*Book, *clock) {
	c := newClock()
	return opened(Config{Now: c.now}), c
}

// begin begins a hop and says what became of it.
func begin(b *Book, who Principal, head, body int64, cut func(), limits ...Limit) (*Charge, *Refusal) {
	return b.Begin(&Ask{Who: who, Limits: limits, Head: head, Body: body, Cut: cut})
}

// TestUploads: what has a length is counted at once, up to the last byte and no
// further, for each agent and each rule apart.
func TestUploads(t *testing.T) {
	t.Parallel()
	b, _ := newBook()
	other := upload(100)
	other.Rule = "other"
	for _, tc := range []struct {
		name       string
		who        Principal
		head, body int64
		limit      Limit
		want       *Refusal
	}{
		{"fits", agent("a"), 10, 50, upload(100), nil},
		{"fits exactly", agent("a"), 0, 40, upload(100), nil},
		{"one byte more", agent("a"), 0, 1, upload(100), &Refusal{Limit: upload(100), Wait: 13 * 5 * time.Minute}},
		{"nothing more", agent("a"), 0, 0, upload(100), nil},
		{"a stream more", agent("a"), 0, -1, upload(100), &Refusal{Limit: upload(100), Wait: 13 * 5 * time.Minute}},
		{"another agent", agent("b"), 0, 100, upload(100), nil},
		{"the same name in another domain", Principal{Agent, "agents/two", "a"}, 0, 100, upload(100), nil},
		{"a subject of that name", Principal{Subject, "agents/corp", "a"}, 0, 100, upload(100), nil},
		{"another rule", agent("a"), 0, 100, other, nil},
		{"more than there ever is", agent("c"), 0, 101, upload(100), &Refusal{Limit: upload(100), Never: true}},
	} {
		_, got := begin(b, tc.who, tc.head, tc.body, nil, tc.limit)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// TestAllLimitsOrNone: a hop that one limit has no room for uses nothing of the
// others.
func TestAllLimitsOrNone(t *testing.T) {
	t.Parallel()
	b, _ := newBook()
	wide, narrow := upload(100), upload(10)
	narrow.Rule = "narrow"
	if _, r := begin(b, agent("a"), 0, 50, nil, wide, narrow); r == nil || r.Limit != narrow || !r.Never {
		t.Fatalf("refusal %+v", r)
	}
	if _, r := begin(b, agent("a"), 0, 100, nil, wide); r != nil {
		t.Errorf("what was refused is counted: %+v", r)
	}
}

// TestStreams: a body without a length is counted as it comes; who finds no room
// for a piece sends none of it, and all others that use the account end.
func TestStreams(t *testing.T) {
	t.Parallel()
	b, _ := newBook()
	var cut []string
	stream := func(name string) *Charge {
		c, r := begin(b, agent("a"), 0, -1, func() { cut = append(cut, name) }, upload(100))
		if r != nil {
			t.Fatalf("%s: %+v", name, r)
		}
		return c
	}
	one, two := stream("one"), stream("two")
	paid, r := begin(b, agent("a"), 0, 20, func() { cut = append(cut, "paid") }, upload(100))
	if r != nil {
		t.Fatal(r)
	}
	if !one.Take(40) || !two.Take(40) {
		t.Fatal("there was room")
	}
	if one.Take(1) {
		t.Error("a byte too much was let through")
	}
	if len(cut) != 2 {
		t.Errorf("cut %q, want both streams and not what is paid", cut)
	}
	if !paid.Take(20) {
		t.Error("what was counted at once is counted again")
	}
	two.Saw(60)
	one.End(40, true)
	two.End(60, true)
	paid.End(20, true)
	if _, r := begin(b, agent("a"), 0, 1, nil, upload(100)); r == nil {
		t.Error("there is room again")
	}
}

// TestWhatIsLeftIsUsed: who was cut finds a budget that is used up, and not the
// rest of it.
func TestWhatIsLeftIsUsed(t *testing.T) {
	t.Parallel()
	b, _ := newBook()
	c, _ := begin(b, agent("a"), 0, -1, func() {}, upload(100))
	if !c.Take(60) || c.Take(50) {
		t.Fatal("60 bytes of 100 fit, and 50 more do not")
	}
	if _, r := begin(b, agent("a"), 0, 1, nil, upload(100)); r == nil || r.Wait == 0 {
		t.Errorf("the rest is given out: %+v", r)
	}
}

// TestSeenLate: bytes that only Envoy counted count as well, once.
func TestSeenLate(t *testing.T) {
	t.Parallel()
	b, _ := newBook()
	cuts := 0
	c, _ := begin(b, agent("a"), 0, -1, func() { cuts++ }, upload(100))
	c.Take(30)
	c.Saw(30)
	c.Saw(90)
	if cuts != 0 {
		t.Fatal("cut too early")
	}
	c.Saw(101)
	c.Saw(500)
	if cuts != 1 {
		t.Errorf("cut %d times", cuts)
	}
	c.End(500, true)
	c.End(900, true)
	if used := b.accounts[key{agent("a"), "agents/p", "r", time.Hour}].used(); used != 500 {
		t.Errorf("%d bytes are counted", used)
	}
}

// TestGivenBack: what was announced and not sent.
func TestGivenBack(t *testing.T) {
	t.Parallel()
	b, c := newBook()
	one, _ := begin(b, agent("a"), 5, 90, nil, upload(100))
	one.End(10, true)
	two, r := begin(b, agent("a"), 0, 85, nil, upload(100))
	if r != nil {
		t.Fatalf("what was not sent is counted: %+v", r)
	}
	two.End(0, false)
	if _, r := begin(b, agent("a"), 0, 1, nil, upload(100)); r == nil {
		t.Error("what nobody knows of is given back")
	}
	c.pass(2 * time.Hour)
	three, _ := begin(b, agent("a"), 0, 100, nil, upload(100))
	c.pass(2 * time.Hour)
	if _, r := begin(b, agent("a"), 0, 100, nil, upload(100)); r != nil {
		t.Fatalf("refused: %+v", r)
	}
	three.End(0, true)
	if _, r := begin(b, agent("a"), 0, 1, nil, upload(100)); r == nil {
		t.Error("what counts no more is given back from what does")
	}
}

// TestWindows: bytes count for a window at least, and for a slice more at most;
// who is told to wait finds room then.
func TestWindows(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Minute, 4 * time.Minute, 59 * time.Minute} {
		b, c := newBook()
		c.pass(after)
		begin(b, agent("a"), 0, 60, nil, upload(100))
		c.pass(20 * time.Minute)
		begin(b, agent("a"), 0, 40, nil, upload(100))
		_, r := begin(b, agent("a"), 0, 50, nil, upload(100))
		if r == nil || r.Wait > 45*time.Minute || r.Wait < 35*time.Minute {
			t.Fatalf("after %s: %+v", after, r)
		}
		c.pass(r.Wait - time.Millisecond)
		if _, r := begin(b, agent("a"), 0, 50, nil, upload(100)); r == nil {
			t.Errorf("after %s: room before it was told", after)
		}
		c.pass(time.Millisecond)
		if _, r := begin(b, agent("a"), 0, 50, nil, upload(100)); r != nil {
			t.Errorf("after %s: no room when it was told: %+v", after, r)
		}
	}
}

// TestAClockThatGoesBack forgets nothing.
func TestAClockThatGoesBack(t *testing.T) {
	t.Parallel()
	b, c := newBook()
	begin(b, agent("a"), 0, 100, nil, upload(100))
	c.pass(-24 * time.Hour)
	if _, r := begin(b, agent("a"), 0, 1, nil, upload(100)); r == nil {
		t.Error("there is room in the past")
	}
}

// TestNames: so many distinct ones, and those again and again.
func TestNames(t *testing.T) {
	t.Parallel()
	b, c := newBook()
	to := func(host string) *Refusal {
		_, r := b.Begin(&Ask{Who: agent("a"), Limits: []Limit{names(2)}, Host: host})
		return r
	}
	for _, host := range []string{"a.example", "b.example", "a.example", "b.example"} {
		if r := to(host); r != nil {
			t.Errorf("%s: %+v", host, r)
		}
	}
	r := to("c.example")
	if r == nil || !r.Names || r.Wait <= 0 || r.Wait > 65*time.Minute {
		t.Fatalf("a third name: %+v", r)
	}
	c.pass(r.Wait)
	if r := to("c.example"); r != nil {
		t.Errorf("a name when there is room: %+v", r)
	}
}

// TestMemoryIsBounded: beyond so many accounts a hop is refused, until one of
// them counts nothing any more.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	b := opened(Config{Now: c.now, MaxAccounts: 10})
	for i := range 10 {
		if _, r := begin(b, agent(fmt.Sprint(i)), 0, 1, nil, upload(100)); r != nil {
			t.Fatal(r)
		}
	}
	if _, r := begin(b, agent("more"), 0, 1, nil, upload(100)); r == nil || !r.Full {
		t.Errorf("one more: %+v", r)
	}
	c.pass(2 * time.Hour)
	if _, r := begin(b, agent("more"), 0, 1, nil, upload(100)); r != nil || b.Len() != 1 {
		t.Errorf("later: %+v, %d accounts", r, b.Len())
	}
}

// TestAtOnce: many that take at the same time never get more than there is.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	b, _ := newBook()
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for range 8 {
		c, r := begin(b, agent("a"), 0, -1, func() {}, upload(10_000))
		if r != nil {
			t.Fatal(r)
		}
		wg.Go(func() {
			for c.Take(7) {
				mu.Lock()
				got += 7
				mu.Unlock()
			}
			c.End(0, false)
		})
	}
	wg.Wait()
	if got > 10_000 || got < 10_000-7 {
		t.Errorf("%d bytes of 10000 were let through", got)
	}
}

func TestEntropy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		host     string
		min, max float64
	}{
		{"www.example", 0, 1},
		{"aaaaaaaaaaaaaaaaaaaa.example", 0, 1},
		{"storage.example", 15, 25},
		{"4fa9c1d07be2834fa65c9e01d7b83f2a.example", 110, 128},
		{"", 0, 0},
	} {
		if got := Entropy(tc.host); got < tc.min || got > tc.max {
			t.Errorf("%s: %.1f bits, want %.0f to %.0f", tc.host, got, tc.min, tc.max)
		}
	}
}

// TestAWindowAtLeast: what was used counts for a window, wherever in a slice that
// was, and for a twelfth of it more at most.
func TestAWindowAtLeast(t *testing.T) {
	t.Parallel()
	for _, into := range []time.Duration{0, time.Second, 4*time.Minute + 59*time.Second} {
		b, c := newBook()
		c.pass(into)
		if _, r := begin(b, agent("a"), 0, 100, nil, upload(100)); r != nil {
			t.Fatal(r)
		}
		c.pass(time.Hour - time.Nanosecond)
		if _, r := begin(b, agent("a"), 0, 1, nil, upload(100)); r == nil {
			t.Errorf("%s into a slice: there is room before the window is over", into)
		}
		c.pass(5*time.Minute + time.Nanosecond)
		if _, r := begin(b, agent("a"), 0, 100, nil, upload(100)); r != nil {
			t.Errorf("%s into a slice: it counts for longer: %+v", into, r)
		}
	}
}
