package audit

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestGroupCommit: many who wait share a sync, and nobody is told before it.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := running(t, testConfig(), d)
		synctest.Wait()
		before := d.count("sync")
		blocked := d.block(make(chan struct{}))
		var done atomic.Int32
		for i := range 256 {
			go func() {
				if err := l.AppendDurable(t.Context(), begin(i+1)); err != nil {
					t.Error(err)
				}
				done.Add(1)
			}()
		}
		synctest.Wait()
		if done.Load() != 0 {
			t.Errorf("%d were told before the sync", done.Load())
		}
		blocked <- struct{}{}
		synctest.Wait()
		first := done.Load()
		close(blocked)
		synctest.Wait()
		if done.Load() != 256 || first >= 256 && d.count("sync")-before != 1 {
			t.Errorf("%d told, %d by the first sync", done.Load(), first)
		}
		if n := d.count("sync") - before; n > 3 {
			t.Errorf("%d syncs for 256 records", n)
		}
	})
}

func TestDurableDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := running(t, testConfig(), d)
		synctest.Wait()
		blocked := d.block(make(chan struct{}))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := l.AppendDurable(ctx, begin(1))
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a disk that hangs: %v", err)
		}
		close(blocked)
		must(t, l.AppendDurable(t.Context(), deny(1)), l.Close())
		if got := kinds(t, d.text(logPath)); got != "boot begin deny" {
			t.Errorf("lines: %s", got)
		}
	})
}

// TestDiskErrors makes each operation fail for a while: what waits for the
// disk is refused at once, the rest is kept and written later, and the log is
// whole and says so.
func TestDiskErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		ops   []string
		short int
		// before and after the failure
		before, after func(*memDisk)
	}{
		{name: "write", ops: []string{"write"}},
		{name: "part of a write", ops: []string{"write"}, short: 100},
		{name: "most of a write", ops: []string{"write"}, short: 330},
		{name: "write and mend", ops: []string{"write", "truncate"}, short: 100},
		{name: "sync", ops: []string{"sync"}},
		{name: "sync and mend", ops: []string{"sync", "truncate"}},
		{name: "stat", ops: []string{"stat"}},
		{name: "stat of the path", ops: []string{"current"}},
		{name: "removed, not made again", ops: []string{"open"}, before: func(d *memDisk) { d.rename(logPath, "old") }},
		{name: "removed, not written", ops: []string{"write"}, before: func(d *memDisk) { d.rename(logPath, "old") }},
		{
			name: "renamed away and back", ops: []string{"open"}, before: func(d *memDisk) { d.rename(logPath, "old") },
			after: func(d *memDisk) { d.rename("old", logPath) },
		},
		{name: "the end is not read", ops: []string{"readat"}, before: func(d *memDisk) {
			d.edit(logPath, func(b []byte) []byte { return b[:0] })
			d.edit(logPath, func(b []byte) []byte { return append(b, '\n') })
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { diskError(t, tt.ops, tt.short, tt.before, tt.after) })
		})
	}
}

func diskError(t *testing.T, ops []string, short int, before, after func(*memDisk)) {
	d := newMemDisk()
	l := running(t, testConfig(), d)
	must(t, l.AppendDurable(t.Context(), begin(1)))
	synctest.Wait()
	if before != nil {
		before(d)
	}
	d.cutWrites(short)
	d.fail(ops...)
	if err := l.AppendDurable(t.Context(), begin(2)); !errors.Is(err, ErrSink) {
		t.Errorf("durable: %v", err)
	}
	if err := l.AppendDurable(t.Context(), begin(3)); !errors.Is(err, ErrSink) {
		t.Errorf("durable, once it is known: %v", err)
	}
	must(t, l.Append(deny(2)), l.Append(begin(4)))
	if s := l.Stats(); !errors.Is(s.Failing, errDisk) || s.Refused != 1 || s.QueuedBytes == 0 {
		t.Errorf("stats: %+v", s)
	}
	time.Sleep(3 * time.Second) // virtual: some attempts
	synctest.Wait()
	d.heal()
	if after != nil {
		after(d)
	}
	time.Sleep(2 * time.Second)
	synctest.Wait()
	must(t, l.AppendDurable(t.Context(), begin(5)), l.Close())
	if s := l.Stats(); s.Failing != nil || s.Refused != 1 || s.Written != 5 || s.QueuedBytes != 0 {
		t.Errorf("stats after: %+v", s)
	}
	text := d.text(logPath)
	texts := []string{text}
	if old := d.text("old"); old != "" {
		texts = []string{old, text}
	}
	if before == nil || strings.Contains(strings.Join(texts, ""), `"boot"`) {
		verified(t, texts...)
	}
	got := kinds(t, strings.TrimLeft(text, "\n"))
	if !strings.HasSuffix(got, "resume begin deny begin begin") {
		t.Errorf("lines: %s", got)
	}
}

// TestHealed says what an outage was.
func TestHealed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var says strings.Builder
		d, cfg := newMemDisk(), testConfig()
		cfg.Logger = slog.New(slog.NewTextHandler(&says, nil))
		l := running(t, cfg, d)
		synctest.Wait()
		d.fail("write")
		must(t, l.Append(begin(1)))
		synctest.Wait()
		for range 3 {
			if err := l.AppendDurable(t.Context(), begin(2)); !errors.Is(err, ErrSink) {
				t.Error(err)
			}
		}
		time.Sleep(10 * time.Second)
		d.heal()
		time.Sleep(time.Second)
		must(t, l.Close())
		r := decoded(t, d.text(logPath))[2]
		if r.Resume == nil || r.Resume.Refused != 3 || !strings.Contains(r.Resume.Error, "no space") || r.Resume.Since.IsZero() {
			t.Errorf("resume: %+v", r.Resume)
		}
		if n := strings.Count(says.String(), "cannot be written"); n != 1 || !strings.Contains(says.String(), "written again") {
			t.Errorf("it said %s", says.String())
		}
	})
}

// TestFull: a full queue refuses begins first and ends last, and an end that
// was refused is made up for.
func TestFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, cfg := newMemDisk(), testConfig()
		cfg.QueueBytes = 16 << 10
		l := running(t, cfg, d)
		must(t, l.AppendDurable(t.Context(), begin(1)), l.AppendDurable(t.Context(), begin(2)))
		d.fail("write")
		n := 100
		for ; l.Append(begin(n)) == nil; n++ {
			synctest.Wait()
		}
		if err := l.Append(deny(n)); !errors.Is(err, ErrFull) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("a deny: %v", err)
		}
		ends := 0
		for ; l.Append(end(1)) == nil; ends++ {
		}
		if ends < 2 {
			t.Errorf("%d ends had room", ends)
		}
		if err := l.Append(end(2)); !errors.Is(err, ErrFull) {
			t.Errorf("an end: %v", err)
		}
		d.heal()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		synctest.Wait()
		must(t, l.Append(begin(n)), l.Close())
		recs := decoded(t, d.text(logPath))
		var lost, refused int
		for _, r := range recs {
			if r.End == EndLost && r.Hop == hop(2) && r.Txn == "txn-1" && r.Reason != "" {
				lost++
			}
			if r.Resume != nil {
				refused += int(r.Resume.Refused)
			}
		}
		if lost != 1 || refused != 4 {
			t.Errorf("%d ends made up for, %d refused", lost, refused)
		}
		verified(t, d.text(logPath))
	})
}

// TestRefusedEnds: an end that was refused is made up for once its begin is in
// the file, and nothing is made up for hops that never began.
func TestRefusedEnds(t *testing.T) {
	t.Parallel()
	d, cfg := newMemDisk(), testConfig()
	cfg.QueueBytes = 8 << 10
	l, err := open(cfg, d)
	must(t, err)
	n := 1
	for ; l.Append(begin(n)) == nil; n++ {
	}
	for l.Append(end(1)) == nil {
	}
	for _, h := range []int{2, 2, 3, 1, 999} {
		if err := l.Append(end(h)); !errors.Is(err, ErrFull) {
			t.Errorf("end of %d: %v", h, err)
		}
	}
	d.fail("write")
	l.w.flush()
	d.heal()
	must(t, l.Close())
	if got := lostHops(decoded(t, d.text(logPath))); got != "2 3" {
		t.Errorf("made up for: %s", got)
	}
	verified(t, d.text(logPath))
}

// TestFullNotFailing: refusals without an outage are told too.
func TestFullNotFailing(t *testing.T) {
	t.Parallel()
	d, cfg := newMemDisk(), testConfig()
	cfg.QueueBytes = 4 << 10
	l, err := open(cfg, d)
	must(t, err)
	n := 1
	for ; l.Append(begin(n)) == nil; n++ {
	}
	must(t, l.Close())
	r := decoded(t, d.text(logPath))[2]
	if r.Resume == nil || r.Resume.Refused != 1 || r.Resume.Error != "" || r.Resume.Since.IsZero() {
		t.Errorf("resume: %+v", r)
	}
}

// TestEndAtFailure: a log that cannot write at its end says how much is lost.
func TestEndAtFailure(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"write", "sync", "stat", "close"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newMemDisk()
				l := running(t, testConfig(), d)
				synctest.Wait()
				d.fail(op)
				for i := range 3 {
					must(t, l.Append(begin(i+1)))
				}
				err := l.Close()
				if !errors.Is(err, errDisk) {
					t.Errorf("close: %v", err)
				}
				if op == "write" && !strings.Contains(err.Error(), "3 records not written") {
					t.Errorf("close: %v", err)
				}
				if d.locked[logPath+".lock"] {
					t.Error("the lock stays")
				}
			})
		})
	}
}

// TestWaitersAtFailure: nobody who waits is forgotten, wherever he stands.
func TestWaitersAtFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := running(t, testConfig(), d)
		synctest.Wait()
		blocked := d.block(make(chan struct{}))
		d.fail("sync")
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if err := l.AppendDurable(t.Context(), begin(i+1)); !errors.Is(err, ErrSink) {
					t.Errorf("waiter %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		close(blocked)
		wg.Wait()
		d.heal()
	})
}

// TestOpenErrors: a log that cannot begin is an error, and holds nothing.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"lock", "open", "stat", "write", "sync", "truncate", "readat"} {
		d := newMemDisk()
		d.put(logPath, strings.Repeat("x", 100))
		d.fail(op)
		if _, err := open(testConfig(), d); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", op, err)
		}
		if d.locked[logPath+".lock"] {
			t.Errorf("%s: the lock stays", op)
		}
	}
}

// TestLostErrors: an end that is owed and cannot be written is an error too.
func TestLostErrors(t *testing.T) {
	t.Parallel()
	var many []Record
	for i := range 3000 {
		many = append(many, begin(i+1))
	}
	d := crashed(t, true, many...)
	writes := 0
	d.fault = func(op string) error {
		if op == "write" {
			writes++
		}
		if writes == 2 {
			return errDisk
		}
		return nil
	}
	if _, err := open(testConfig(), d); !errors.Is(err, errDisk) {
		t.Errorf("open: %v", err)
	}
}

// TestQuietFailure: a log with nothing to say notices a failing disk as well,
// and that it is well again.
func TestQuietFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, cfg := newMemDisk(), testConfig()
		cfg.CheckpointInterval = time.Minute
		l := running(t, cfg, d)
		synctest.Wait()
		d.fail("current")
		time.Sleep(time.Minute + 1)
		synctest.Wait()
		if l.Stats().Failing == nil {
			t.Error("nothing was noticed")
		}
		d.heal()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := l.Stats(); s.Failing != nil {
			t.Errorf("%+v", s)
		}
		must(t, l.Close())
		if got := kinds(t, d.text(logPath)); got != "boot resume" {
			t.Errorf("lines: %s", got)
		}
	})
}

// TestRotationErrors: a rotation that does not go smoothly loses no line.
func TestRotationErrors(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(op string, n int) bool{
		"the old one is full":             func(op string, n int) bool { return op == "write" && n == 0 },
		"the old one does not close":      func(op string, n int) bool { return op == "close" && n == 0 },
		"the new one cannot be looked at": func(op string, n int) bool { return op == "stat" && n == 0 },
	} {
		d, cfg := newMemDisk(), testConfig()
		l, err := open(cfg, d)
		must(t, err)
		must(t, l.Append(begin(1)))
		l.w.flush()
		d.rename(logPath, "old")
		seen := map[string]int{}
		d.fault = func(op string) error {
			seen[op]++
			if fault(op, seen[op]-1) {
				return errDisk
			}
			return nil
		}
		must(t, l.Append(end(1)))
		l.w.flush()
		must(t, l.Close())
		if got := kinds(t, d.text(logPath)); !strings.HasSuffix(got, "end") || !strings.HasPrefix(got, "rotate") {
			t.Errorf("%s: %s", name, got)
		}
		verified(t, d.text("old"), d.text(logPath))
	}
}

// TestStateErrors: without its side file the log works all the same.
func TestStateErrors(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	d.fail("replace", "read")
	l, err := open(testConfig(), d)
	must(t, err)
	must(t, l.Append(begin(1)), l.Close())
	verified(t, d.text(logPath))
	if d.text(logPath+".state") != "" {
		t.Error("there is a state")
	}
}
