package audit

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// batchBytes is about how much is written at once.
const batchBytes = 256 << 10

// writer puts lines into the file. It belongs to one goroutine.
type writer struct {
	log    *Log
	disk   disk
	file   file
	logger *slog.Logger
	scribe scribe

	chain chain
	open  openHops
	// start and size are where the last line begins and ends. What lies behind
	// size was not written whole, if dirty.
	start, size int64
	dirty       bool
	// midline is true when the file's last byte is not a newline, and what is
	// there is not ours to cut.
	midline bool
	// sealed is true when the old file has its last checkpoint, fresh until
	// the new one has its first line.
	sealed, fresh bool
	failing       bool
	saved         uint64

	// work[next:] is in hand and not yet written; spare is the list after it.
	work, spare []*entry
	next        int
	// orphans are the hops to be ended as lost.
	orphans []HopID
	out     []byte
}

// batch is what one write does, if it succeeds.
type batch struct {
	out     []byte
	chain   chain
	start   int // of the last line in out
	entries []*entry
	sync    bool
	told    *Resume
	buried  bool
}

// line appends an own line, or a caller's body.
func (w *writer) line(b *batch, body []byte) {
	b.start = len(b.out)
	b.out = b.chain.add(b.out, body)
	if b.chain.bare >= w.scribe.every {
		w.checkpoint(b, whyCount)
	}
}

func (w *writer) checkpoint(b *batch, why string) {
	b.start = len(b.out)
	b.out = w.scribe.sign(&b.chain, b.out, why)
	b.sync = true
}

// begin starts a batch with what must be said before the next record.
func (w *writer) begin() batch {
	b := batch{out: w.out[:0], chain: w.chain}
	if w.midline {
		b.out = append(b.out, '\n')
	}
	if w.fresh {
		w.line(&b, w.scribe.body(&Record{Kind: KindRotate}))
	}
	if b.told = w.log.queue.outage(); b.told != nil {
		w.line(&b, w.scribe.body(&Record{Kind: KindResume, Resume: b.told}))
	}
	return b
}

// flush writes all that is queued, or as much as it can.
func (w *writer) flush() {
	for {
		if w.next == len(w.work) {
			clear(w.work)
			w.work, w.spare, w.next = w.log.queue.take(w.spare), w.work, 0
		}
		if err := w.step(); err != nil {
			w.fail(err)
			return
		}
		if w.next == len(w.work) && len(w.orphans) == 0 && w.log.queue.empty() {
			return
		}
	}
}

// step writes one batch of what is in hand.
func (w *writer) step() error {
	if err := w.ready(); err != nil {
		return err
	}
	b, n := w.begin(), w.next
	for ; n < len(w.work) && len(b.out) < batchBytes; n++ {
		w.line(&b, w.work[n].enc.b)
		b.sync = b.sync || w.work[n].done != nil
	}
	b.entries = w.work[w.next:n]
	if len(b.entries) == 0 {
		w.bury(&b)
	}
	return w.commit(b)
}

// bury ends the hops whose own end was refused. Their begin must be in the
// file, so that it is done in a batch of its own.
func (w *writer) bury(b *batch) {
	w.orphans = append(w.orphans, w.log.queue.orphans()...)
	w.orphans = slices.DeleteFunc(w.orphans, func(h HopID) bool {
		_, open := w.open[h]
		return !open
	})
	w.orphans = slices.Compact(sortHops(w.orphans))
	for _, h := range w.orphans {
		w.lose(b, h, "its end could not be recorded")
	}
	b.buried = true
}

// lose ends one open hop of which no end is known.
func (w *writer) lose(b *batch, h HopID, why string) {
	w.line(b, w.scribe.body(w.open.lost(h, why)))
}

// commit writes a batch and makes it true. One without a line is left.
func (w *writer) commit(b batch) error {
	if b.chain == w.chain {
		return nil
	}
	w.out = b.out
	if err := w.write(b); err != nil {
		return err
	}
	w.chain = b.chain
	w.start, w.size = w.size+int64(b.start), w.size+int64(len(b.out))
	w.midline, w.fresh, w.sealed = false, false, false
	w.settle(b)
	w.log.subs.publish(b.out)
	return nil
}

func (w *writer) write(b batch) error {
	w.dirty = true
	n, err := w.file.Write(b.out)
	if err == nil && n < len(b.out) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	if b.sync {
		if err := w.file.Sync(); err != nil {
			return fmt.Errorf("sync audit log: %w", err)
		}
	}
	w.dirty = false
	return nil
}

// settle answers and frees what a written batch held.
func (w *writer) settle(b batch) {
	cost := 0
	for _, e := range b.entries {
		w.open.note(e.kind, e.hop, e.identity())
		cost += e.cost()
		e.tell(nil)
		w.log.release(e)
	}
	w.next += len(b.entries)
	w.log.queue.written(len(b.entries), cost)
	if b.buried {
		w.forget()
	}
	if b.told != nil {
		w.log.queue.resumed(b.told)
	}
	if w.failing {
		w.failing = false
		w.logger.Info("audit log is written again", "path", w.log.cfg.Path)
	}
}

func (w *writer) forget() {
	for _, h := range w.orphans {
		delete(w.open, h)
	}
	w.orphans = w.orphans[:0]
}

// fail leaves what is in hand for later, and tells those who wait now.
func (w *writer) fail(err error) {
	if !w.failing {
		w.logger.Error("audit log cannot be written", "path", w.log.cfg.Path, "error", err)
	}
	w.failing = true
	for _, e := range w.work[w.next:] {
		e.tell(ErrSink)
	}
	w.log.queue.fail(err, w.log.cfg.Now())
}

// interval signs what was written since the last checkpoint.
func (w *writer) interval() {
	err := w.ready()
	if err == nil && (w.chain.bare > 0 || w.fresh || w.failing) {
		b := w.begin()
		w.checkpoint(&b, whyInterval)
		err = w.commit(b)
	}
	if err != nil {
		w.fail(err)
		return
	}
	w.save(false)
}
