package audit

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// model drives a log by chance through appends, failing disks, rotations and
// power failures, and remembers what must hold after them.
type model struct {
	t    *testing.T
	rnd  *rand.Rand
	disk *memDisk
	log  *Log
	hops int
	live []HopID
	// durable are the hops whose begin was said to be on disk.
	durable map[HopID]bool
	waiting map[HopID]chan error
	old     []string
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), disk: newMemDisk(), durable: map[HopID]bool{}}
	m.boot()
	return m
}

func (m *model) boot() {
	cfg := testConfig()
	cfg.CheckpointRecords, cfg.QueueBytes = 4, 8<<10
	l, err := open(cfg, m.disk)
	must(m.t, err)
	m.log, m.live, m.waiting = l, nil, map[HopID]chan error{}
}

func (m *model) begin(durable bool) {
	m.hops++
	r := begin(m.hops)
	e, err := m.log.entry(&r)
	must(m.t, err)
	if durable {
		e.done = make(chan error, 1)
		m.waiting[r.Hop] = e.done
	}
	if m.log.queue.push(e) != nil {
		delete(m.waiting, r.Hop)
		return
	}
	m.live = append(m.live, r.Hop)
}

// heard reads what those who wait were told; one who was told no denies.
func (m *model) heard() {
	for h, done := range m.waiting {
		select {
		case err := <-done:
			delete(m.waiting, h)
			if m.durable[h] = err == nil; err != nil {
				_ = m.log.Append(Record{Kind: KindDeny, Hop: h})
			}
		default:
		}
	}
}

func (m *model) end() {
	if len(m.live) == 0 {
		return
	}
	i := m.rnd.IntN(len(m.live))
	h := m.live[i]
	if m.waiting[h] != nil {
		return // it has not begun yet
	}
	m.live = append(m.live[:i], m.live[i+1:]...)
	_ = m.log.Append(Record{Kind: KindEnd, Hop: h, End: EndDone})
}

// breakDisk makes something fail; it may be healed before it is noticed.
func (m *model) breakDisk() {
	m.disk.cutWrites(m.rnd.IntN(600))
	ops := []string{"write", "sync", "truncate", "stat", "current", "open", "close", "replace"}
	m.rnd.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	m.disk.fail(ops[:1+m.rnd.IntN(3)]...)
}

// rotate renames the file and lets the log notice.
func (m *model) rotate() {
	m.disk.heal()
	name := fmt.Sprint("old.", len(m.old))
	m.disk.rename(logPath, name)
	m.old = append(m.old, name)
	must(m.t, m.log.w.ready())
}

// crash takes the power away: of each file at least what was synced stays.
func (m *model) crash() {
	m.disk = m.disk.clone()
	m.disk.edit(logPath, func(b []byte) []byte {
		kept := min(m.disk.files[logPath].synced, len(b))
		return b[:kept+m.rnd.IntN(len(b)-kept+1)]
	})
	m.boot()
}

func (m *model) step() {
	switch n := m.rnd.IntN(100); {
	case n < 35:
		m.begin(n%2 == 0)
	case n < 60:
		m.end()
	case n < 78:
		m.log.w.flush()
	case n < 83:
		m.log.w.interval()
	case n < 88:
		m.breakDisk()
	case n < 94:
		m.disk.heal()
	case n < 97:
		m.rotate()
	default:
		m.crash()
	}
	m.heard()
}

func (m *model) check() {
	m.disk.heal()
	must(m.t, m.log.Close())
	m.boot()
	must(m.t, m.log.Close())
	var texts []string
	for _, name := range append(m.old, logPath) {
		texts = append(texts, m.disk.text(name))
	}
	verified(m.t, texts...)
	begun, ended := map[HopID]int{}, map[HopID]int{}
	for _, text := range texts {
		for _, r := range decoded(m.t, text) {
			switch r.Kind {
			case KindBegin:
				begun[r.Hop]++
			case KindEnd, KindDeny:
				ended[r.Hop]++
			}
		}
	}
	m.balance(begun, ended)
}

func (m *model) balance(begun, ended map[HopID]int) {
	for h, n := range begun {
		if n != 1 || ended[h] < 1 {
			m.t.Errorf("hop %s begins %d times and ends %d times", h, n, ended[h])
		}
	}
	for h, yes := range m.durable {
		if yes && begun[h] != 1 {
			m.t.Errorf("hop %s was said to be on disk and is not", h)
		}
	}
}

// TestModel: whatever happens, the log is good, nobody was told what is not
// so, and each hop that began has an end.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, seed)
			for range 120 {
				m.step()
			}
			m.check()
		})
	}
}
