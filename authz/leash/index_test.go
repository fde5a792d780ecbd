package leash

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// named is a subject with keys that can be changed.
type named struct {
	mu    sync.Mutex
	list  []Key // guarded by mu
	asked int   // guarded by mu; how often it was
}

func (n *named) Keys(add func(Key)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	for _, k := range n.list {
		add(k)
	}
}

func (n *named) rename(keys ...Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = keys
}

// clock is a time that tests move.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// model is a register, and all that is known of it from outside.
type model struct {
	*Register
	t     *testing.T
	rand  *rand.Rand
	clock clock
	next  int
	hops  map[ID]*Hop
	cut   map[ID]bool
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, rand: rand.New(rand.NewPCG(seed, 1)), hops: map[ID]*Hop{}, cut: map[ID]bool{}}
	m.Register = NewRegister(Config{Now: m.clock.now, Ended: func(h *Hop, _ Ending) {
		if m.hops[h.ID] == nil {
			t.Errorf("hop %s ended, and is not there", h.ID)
		}
		delete(m.hops, h.ID)
		delete(m.cut, h.ID)
	}})
	return m
}

// key is one of few, so that hops share them.
func (m *model) key() Key {
	return Key{Kind: KeyKind(1 + m.rand.IntN(int(KeyDomain))), Domain: "d" + strconv.Itoa(m.rand.IntN(2)), Value: strconv.Itoa(m.rand.IntN(8))}
}

func (m *model) keys() []Key {
	var out []Key
	for range m.rand.IntN(9) {
		out = append(out, m.key())
	}
	if m.rand.IntN(20) == 0 {
		for i := range maxKeys + 1 {
			out = append(out, Key{Kind: KeyAgent, Value: "many" + strconv.Itoa(i)})
		}
	}
	return out
}

// any is one of the hops; nil: there is none.
func (m *model) any() *Hop {
	for i := m.next - m.rand.IntN(min(m.next, 40)+1); i > 0; i-- {
		if h := m.hops[idOf(i)]; h != nil {
			return h
		}
	}
	return nil
}

func (m *model) step() {
	what := m.rand.IntN(100)
	if what < 25 {
		m.enter()
		return
	}
	if what < 40 {
		m.clock.advance(time.Duration(m.rand.IntN(400)) * time.Millisecond)
		m.sweep()
		return
	}
	h := m.any()
	switch {
	case h == nil:
	case what < 60:
		m.Open(h.ID, false, func(Cut) {})
	case what < 65:
		m.cut[h.ID] = m.cut[h.ID] || m.Cut(h.ID, Cut{Code: "x", Detail: "x"})
	case what < 70:
		m.Refuse(h.ID, "x")
		m.cut[h.ID] = true
	case what < 80:
		h.Subject.(*named).rename(m.keys()...)
		m.Renamed(h.ID)
	case what < 90:
		m.Closed(h.ID)
	default:
		m.Logged(h.ID, Logged{})
	}
}

func (m *model) enter() {
	m.next++
	h := &Hop{ID: idOf(m.next), Held: m.rand.IntN(4) > 0, Subject: &named{list: m.keys()}}
	m.hops[h.ID] = h
	if err := m.Enter(h); err != nil {
		m.t.Fatal(err)
	}
}

// want is what a key finds by a plain look at all hops.
func (m *model) want(k Key) []*Hop {
	var out []*Hop
	for id, h := range m.hops {
		if h.live() && !m.cut[id] && slices.Contains(h.Subject.(*named).list, k) {
			out = append(out, h)
		}
	}
	return out
}

// check compares what keys find with the plain look: nothing is missed, and of
// what has lived for long nothing else comes.
func (m *model) check(keys ...Key) {
	got := map[*Hop]bool{}
	for _, h := range m.HopsOf(keys...) {
		got[h] = true
		if m.hops[h.ID] != h || !h.live() || m.cut[h.ID] {
			m.t.Errorf("hop %s is found, and is over or being cut", h.ID)
		}
	}
	for _, k := range keys {
		for _, h := range m.want(k) {
			if !got[h] {
				m.t.Errorf("key %v does not find hop %s", k, h.ID)
			}
		}
	}
	for h := range got {
		if h.young == notYoung && !slices.ContainsFunc(keys, func(k Key) bool { return slices.Contains(h.Subject.(*named).list, k) }) {
			m.t.Errorf("keys %v find hop %s, which they do not name", keys, h.ID)
		}
	}
}

// whole looks at the insides: each hop is in one place, and each place knows it.
func (m *model) whole() {
	hops := 0
	for i := range m.shard {
		s := &m.shard[i]
		hops += len(s.hops)
		members := 0
		for at, h := range s.index.young {
			if h.young != int32(at) || h.keys != nil || s.hops[h.ID] != h {
				m.t.Errorf("the %d-th of the young has place %d", at, h.young)
			}
		}
		for k, set := range s.index.sets {
			if len(set.hops) == 0 || set.key != k {
				m.t.Errorf("a set of %v is kept with %d hops", k, len(set.hops))
			}
			members += len(set.hops)
			for at, mem := range set.hops {
				if (*mem.hop.keys)[mem.nth] != (slot{set, int32(at)}) || s.hops[mem.hop.ID] != mem.hop {
					m.t.Errorf("the %d-th hop of %v has another place", at, k)
				}
			}
		}
		for _, h := range s.hops {
			if h.young == notYoung {
				members -= len(*h.keys)
			}
		}
		if members != 0 {
			m.t.Errorf("%d places too many are taken", members)
		}
	}
	if hops != len(m.hops) {
		m.t.Errorf("%d hops, want %d", hops, len(m.hops))
	}
}

// TestKeysFindWhatAScanFinds: whatever happens to hops in whatever order, and
// nothing is left of them.
func TestKeysFindWhatAScanFinds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, seed)
			for range 1500 {
				m.step()
				m.check(m.key())
				m.check(m.key(), m.key())
				if t.Failed() {
					return
				}
			}
			m.whole()
			for id := range m.hops {
				m.Closed(id)
				m.Logged(id, Logged{})
				m.Closed(id)
			}
			m.clock.advance(time.Minute)
			m.sweep()
			m.whole()
			for i := range m.shard {
				x := &m.shard[i].index
				if len(m.hops)+len(x.young)+len(x.sets) > 0 || cap(x.young) > minSet {
					t.Errorf("left are %d hops, %d of %d young, %d sets", len(m.hops), len(x.young), cap(x.young), len(x.sets))
				}
			}
		})
	}
}

// TestAHopIsNeverBetween the young and those with keys: who looks as it ages
// finds it.
func TestAHopIsNeverBetween(t *testing.T) {
	t.Parallel()
	var now clock
	r := NewRegister(Config{Now: now.now, Ended: func(*Hop, Ending) {}})
	key := Key{KeyAgent, "agents/corp", "coder"}
	const lasting = 64
	for i := range lasting {
		h := &Hop{ID: idOf(i), Held: true, Subject: &named{list: []Key{key, {KeyTxn, "agents/corp", strconv.Itoa(i)}}}}
		if err := r.Enter(h); err != nil {
			t.Fatal(err)
		}
		r.Open(h.ID, false, func(Cut) {})
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for part := range 2 { // one has hops age and grow young, one has others come and go
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if part == 0 {
					r.Renamed(idOf(n % lasting))
					now.advance(youngFor)
					r.sweep()
					continue
				}
				h := &Hop{ID: idOf(1000 + n), Subject: &named{list: []Key{key}}}
				if err := r.Enter(h); err != nil {
					t.Error(err)
					return
				}
				if n > 32 {
					r.Logged(idOf(1000+n-32), Logged{})
				}
			}
		})
	}
	for range 300 {
		found := map[ID]bool{}
		for _, h := range r.HopsOf(key) {
			found[h.ID] = true
		}
		for i := range lasting {
			if !found[idOf(i)] {
				t.Fatalf("hop %d is not found", i)
			}
		}
	}
	close(done)
	wg.Wait()
}

// TestWhatCannotBeNamedIsFoundByEveryKey: it is asked rather than passed over.
func TestWhatCannotBeNamedIsFoundByEveryKey(t *testing.T) {
	t.Parallel()
	var many []Key
	for i := range maxKeys + 1 {
		many = append(many, Key{KeyAgent, "agents/corp", strconv.Itoa(i)})
	}
	twice := append(slices.Clone(many[:maxKeys]), many[:maxKeys]...)
	for _, tt := range []struct {
		name    string
		subject any
		want    int
	}{
		{"no subject", nil, 1},
		{"a subject that does not say", 7, 1},
		{"more keys than are kept", &named{list: many}, 1},
		{"as many as are kept, each twice", &named{list: twice}, 0},
		{"no keys", &named{}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var now clock
			r := NewRegister(Config{Now: now.now, Ended: func(*Hop, Ending) {}})
			if err := r.Enter(&Hop{ID: idOf(1), Subject: tt.subject}); err != nil {
				t.Fatal(err)
			}
			now.advance(youngFor - 1)
			r.sweep()
			if n := len(r.HopsOf(Key{KeyPeer, "", "x"})); n != 1 {
				t.Errorf("a young hop is found %d times", n)
			}
			now.advance(time.Second)
			r.sweep()
			if n := len(r.HopsOf(Key{KeyPeer, "", "x"})); n != tt.want {
				t.Errorf("it is found %d times by a key that is not its own, want %d", n, tt.want)
			}
			if n := len(r.HopsOf()); n != tt.want {
				t.Errorf("it is found %d times by no key, want %d", n, tt.want)
			}
		})
	}
}

// TestKeysAreAskedForOnce: a hop that has more of them than are kept is not asked
// at each sweep, but once, and once more when it is renamed.
func TestKeysAreAskedForOnce(t *testing.T) {
	t.Parallel()
	var many []Key
	for i := range maxKeys + 1 {
		many = append(many, Key{KeyAgent, "agents/corp", strconv.Itoa(i)})
	}
	for _, tt := range []struct {
		name          string
		keys, renamed []Key
		found         int // at last, by a key that is not its own
	}{
		{"few", many[:1], many[:2], 0},
		{"more than are kept", many, many, 1},
		{"fewer later", many, many[:1], 0},
		{"more later", many[:1], many, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var now clock
			r := NewRegister(Config{Now: now.now, Ended: func(*Hop, Ending) {}})
			n := &named{list: tt.keys}
			if err := r.Enter(&Hop{ID: idOf(1), Subject: n}); err != nil {
				t.Fatal(err)
			}
			sweeps := func(asked int) {
				t.Helper()
				for range 5 {
					now.advance(youngFor)
					r.sweep()
				}
				if n.asked != asked {
					t.Errorf("after five more sweeps it was asked %d times, want %d", n.asked, asked)
				}
			}
			sweeps(1)
			n.rename(tt.renamed...)
			r.Renamed(idOf(1))
			sweeps(2)
			if got := len(r.HopsOf(Key{KeyPeer, "", "x"})); got != tt.found {
				t.Errorf("it is found %d times by a key that is not its own, want %d", got, tt.found)
			}
			if got := len(r.HopsOf(tt.renamed[0])); got != 1 {
				t.Errorf("it is found %d times by its own, want 1", got)
			}
			r.Logged(idOf(1), Logged{})
		})
	}
}

// TestMemoryOfTheIndexIsBounded: of many hops that shared a key, one that is
// left does not keep room for all.
func TestMemoryOfTheIndexIsBounded(t *testing.T) {
	t.Parallel()
	var now clock
	r := NewRegister(Config{Now: now.now, Ended: func(*Hop, Ending) {}})
	key := Key{KeyPeer, "", "x"}
	const many = 16 * 1000
	for i := range many {
		if err := r.Enter(&Hop{ID: idOf(i), Subject: &named{list: []Key{key}}}); err != nil {
			t.Fatal(err)
		}
	}
	now.advance(youngFor)
	r.sweep()
	if n := len(r.HopsOf(key)); n != many {
		t.Fatalf("%d hops are found, want %d", n, many)
	}
	for i := range many - shards {
		r.Logged(idOf(i), Logged{})
	}
	for i := range r.shard {
		x := &r.shard[i].index
		if len(x.sets[key].hops) != 1 || cap(x.sets[key].hops) > 4*minSet || cap(x.young) > many/shards {
			t.Errorf("shard %d has %d hops in room for %d, young in room for %d", i, len(x.sets[key].hops), cap(x.sets[key].hops), cap(x.young))
		}
	}
}
