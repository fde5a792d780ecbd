package leash

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"testing"
	"time"
)

// BenchmarkShortHop is a hop that begins and ends within the moment: with a
// hold and without, alone and beside ten thousand streams.
func BenchmarkShortHop(b *testing.B) {
	for _, beside := range []int{0, 10_000} {
		for _, held := range []bool{true, false} {
			b.Run(fmt.Sprintf("beside=%d/held=%t", beside, held), func(b *testing.B) {
				r := NewRegister(Config{Now: time.Now, Ended: func(*Hop, Ending) {}})
				benchStreams(b, r, beside)
				log, cut := Logged{Details: "via_upstream"}, func(Cut) {}
				hops := make([]Hop, b.N)
				b.ReportAllocs()
				b.ResetTimer()
				for i := range hops {
					h := &hops[i]
					binary.BigEndian.PutUint64(h.ID[8:], uint64(i)+1<<40)
					h.ID[0], h.Held = byte(i), held
					if err := r.Enter(h); err != nil {
						b.Fatal(err)
					}
					if held {
						r.Open(h.ID, false, cut)
						r.Closed(h.ID)
					}
					r.Logged(h.ID, log)
				}
				if r.Len() != beside {
					b.Errorf("%d hops are left", r.Len())
				}
			})
		}
	}
}

// benchStreams are n hops that live, of 100 agents, each in a transaction of
// its own.
func benchStreams(b *testing.B, r *Register, n int) {
	b.Helper()
	for i := range n {
		h := &Hop{ID: idOf(i), Held: true, Subject: &named{list: []Key{
			{KeyTxn, "agents/corp", strconv.Itoa(i)},
			{KeyToken, "agents/corp", strconv.Itoa(i)},
			{KeySubject, "agents/corp", "alice"},
			{KeyAgent, "agents/corp", strconv.Itoa(i % 100)},
			{KeyRule, "agents/policy", "rule"},
			{KeyDomain, "agents/corp", ""},
		}}}
		if err := r.Enter(h); err != nil {
			b.Fatal(err)
		}
		r.Open(h.ID, false, func(Cut) {})
	}
}

// BenchmarkEvent finds the hops of a key among ten thousand, and looks through
// all of them.
func BenchmarkEvent(b *testing.B) {
	var now clock
	r := NewRegister(Config{Now: now.now, Ended: func(*Hop, Ending) {}})
	benchStreams(b, r, 10_000)
	now.advance(youngFor)
	r.sweep()
	for name, look := range map[string]func() int{
		"one":     func() int { return len(r.HopsOf(Key{KeyTxn, "agents/corp", "77"})) },
		"hundred": func() int { return len(r.HopsOf(Key{KeyAgent, "agents/corp", "77"})) },
		"all":     func() int { return len(r.HopsOf(Key{KeyDomain, "agents/corp", ""})) },
		"scan":    func() int { return len(r.Hops()) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = look()
			}
			b.ReportMetric(float64(n), "hops")
		})
	}
}

// BenchmarkAge is the life of one hop that lives for long enough to be entered
// under its keys.
func BenchmarkAge(b *testing.B) {
	var now clock
	r := NewRegister(Config{Now: now.now, Ended: func(*Hop, Ending) {}})
	b.ReportAllocs()
	for b.Loop() {
		benchStreams(b, r, 1)
		now.advance(youngFor)
		r.sweep()
		r.Closed(idOf(0))
		r.Logged(idOf(0), Logged{})
	}
}
