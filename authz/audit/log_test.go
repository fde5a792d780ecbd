package audit

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOneLog(t *testing.T) {
	t.Parallel()
	_, text := written(t, testConfig(), begin(1), deny(2), end(1))
	if got := kinds(t, text); got != "boot begin deny end" {
		t.Errorf("lines: %s", got)
	}
	r := verified(t, text)
	if !r.Closed || r.Unsigned != 0 || r.First != 1 || r.Last != 6 || r.Boots != 1 {
		t.Errorf("%+v", r)
	}
	recs := decoded(t, text)
	if recs[0].Boot == nil || !recs[0].Boot.Clean || recs[0].Boot.Version != "test" {
		t.Errorf("boot: %+v", recs[0].Boot)
	}
	for i, rec := range recs {
		if rec.Seq != uint64(i+1) || rec.BootID != strings.Repeat("ab", 16) || rec.Time.IsZero() {
			t.Errorf("line %d: %+v", i+1, rec)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Config){
		"no path":           func(c *Config) { c.Path = "" },
		"no key":            func(c *Config) { c.Key = nil },
		"a short key":       func(c *Config) { c.Key = c.Key[:32] },
		"a negative queue":  func(c *Config) { c.QueueBytes = -1 },
		"negative records":  func(c *Config) { c.CheckpointRecords = -1 },
		"negative interval": func(c *Config) { c.CheckpointInterval = -1 },
		"negative retry":    func(c *Config) { c.Retry = -1 },
		"no randomness":     func(c *Config) { c.Rand = strings.NewReader("short") },
	} {
		cfg := testConfig()
		spoil(&cfg)
		d := newMemDisk()
		if l, err := open(cfg, d); err == nil {
			t.Errorf("%s: %v opened", name, l)
		}
		if len(d.files) > 0 || d.locked[logPath+".lock"] {
			t.Errorf("%s: left something", name)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{Path: "x", Key: testKey}
	must(t, c.complete())
	if c.Now == nil || c.Rand == nil || c.Logger == nil || c.QueueBytes != 16<<20 || c.CheckpointRecords != 1000 ||
		c.CheckpointInterval != 10*time.Second || c.Linger != 2*time.Millisecond || c.Retry != time.Second {
		t.Errorf("%+v", c)
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	l, err := open(testConfig(), newMemDisk())
	must(t, err)
	defer func() { must(t, l.Close()) }()
	for name, r := range map[string]Record{
		"no kind":            {Hop: hop(1)},
		"unknown kind":       {Kind: "allow", Hop: hop(1)},
		"a boot":             {Kind: KindBoot, Boot: &Boot{}},
		"a checkpoint":       {Kind: KindCheckpoint, Checkpoint: &Checkpoint{}},
		"a rotation":         {Kind: KindRotate},
		"begin without hop":  {Kind: KindBegin},
		"end without hop":    {Kind: KindEnd},
		"change without hop": {Kind: KindChange},
		"end with a boot":    {Kind: KindEnd, Hop: hop(1), Boot: &Boot{}},
		"begin with a cp":    {Kind: KindBegin, Hop: hop(1), Checkpoint: &Checkpoint{}},
		"deny with a resume": {Kind: KindDeny, Resume: &Resume{}},
	} {
		if err := l.Append(r); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if err := l.AppendDurable(t.Context(), r); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s, durable: %v", name, err)
		}
	}
	must(t, l.Append(Record{Kind: KindDeny}))
}

// TestNothingKept changes what a record was made of as soon as it was taken.
func TestNothingKept(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	l, err := open(testConfig(), d)
	must(t, err)
	value, actors := []byte(`"a"`), []string{"one"}
	must(t, l.Append(Record{Kind: KindDeny, Actors: actors, Seen: []Field{{Name: "args.x", Value: value}}}))
	value[1], actors[0] = 'b', "two"
	must(t, l.Close())
	if text := d.text(logPath); !strings.Contains(text, `["one"]`) || !strings.Contains(text, `"value":"a"`) {
		t.Error(text)
	}
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	_, text := written(t, testConfig(), Record{Kind: KindDeny, Seq: 99, BootID: "x", Prev: "y", Sig: "z", Cut: []string{"c"}})
	r := decoded(t, text)[2]
	if r.Seq != 3 || r.BootID != strings.Repeat("ab", 16) || r.Sig != "" || r.Cut != nil {
		t.Errorf("%+v", r)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	l, err := open(testConfig(), newMemDisk())
	must(t, err)
	must(t, l.Close(), l.Close())
	if err := l.Append(begin(1)); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("append: %v", err)
	}
	if err := l.AppendDurable(t.Context(), begin(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("durable: %v", err)
	}
	if err := l.Run(t.Context()); !errors.Is(err, errTwice) {
		t.Errorf("run: %v", err)
	}
}

func TestRunTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := running(t, testConfig(), newMemDisk())
		synctest.Wait()
		if err := l.Run(t.Context()); !errors.Is(err, errTwice) {
			t.Errorf("second run: %v", err)
		}
		must(t, l.Close())
	})
}

// TestDrain: what was taken before the end is in the file after it.
func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, cfg := newMemDisk(), testConfig()
		cfg.Linger = time.Hour
		l, err := open(cfg, d)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 5000 {
			must(t, l.Append(begin(i+1)))
		}
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		synctest.Wait()
		cancel()
		must(t, <-done)
		r := verified(t, d.text(logPath))
		if n := strings.Count(d.text(logPath), `"begin"`); n != 5000 || !r.Closed {
			t.Errorf("%d of 5000 lines, %+v", n, r)
		}
	})
}

func TestLinger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, cfg := newMemDisk(), testConfig()
		cfg.Linger = time.Minute
		l := running(t, cfg, d)
		synctest.Wait()
		before := d.count("write")
		must(t, l.Append(begin(1)), l.Append(begin(2)))
		time.Sleep(time.Minute - 1) // virtual
		synctest.Wait()
		if d.count("write") != before {
			t.Error("written before others could join")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if d.count("write") != before+1 {
			t.Errorf("%d writes for two records", d.count("write")-before)
		}
		must(t, l.Append(begin(3)), l.AppendDurable(t.Context(), begin(4)))
		if got := kinds(t, d.text(logPath)); got != "boot begin begin begin begin" {
			t.Errorf("a waiter did not hurry: %s", got)
		}
	})
}

// TestLingerLarge: a queue that fills does not wait.
func TestLingerLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, cfg := newMemDisk(), testConfig()
		cfg.Linger, cfg.QueueBytes = time.Hour, 16<<10
		l := running(t, cfg, d)
		for i := range 10 {
			must(t, l.Append(begin(i+1)))
		}
		synctest.Wait()
		if n := strings.Count(d.text(logPath), `"begin"`); n != 10 {
			t.Errorf("%d of 10 written", n)
		}
	})
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, cfg := newMemDisk(), testConfig()
		cfg.CheckpointRecords, cfg.CheckpointInterval = 3, time.Minute
		l := running(t, cfg, d)
		for i := range 7 {
			must(t, l.Append(begin(i+1)))
		}
		time.Sleep(time.Minute + 1)
		synctest.Wait()
		quiet := d.text(logPath)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if d.text(logPath) != quiet {
			t.Error("an idle log grows")
		}
		must(t, l.Close())
		var why []string
		for _, r := range decoded(t, d.text(logPath)) {
			if r.Checkpoint == nil {
				why = append(why, ".")
			} else {
				why = append(why, r.Checkpoint.Why)
			}
		}
		want := []string{".", "boot", ".", ".", ".", "count", ".", ".", ".", "count", ".", "interval", "close"}
		if diff := cmp.Diff(want, why); diff != "" {
			t.Error(diff)
		}
		verified(t, d.text(logPath))
	})
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	d, cfg := newMemDisk(), testConfig()
	cfg.Now, cfg.CheckpointRecords = time.Now, 50
	l := running(t, cfg, d)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := g*1000 + i + 1
				if err := errors.Join(l.Append(begin(n)), l.AppendDurable(t.Context(), end(n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, l.Close())
	text := d.text(logPath)
	verified(t, text)
	if b, e := strings.Count(text, `"begin"`), strings.Count(text, `"kind":"end"`); b != 1600 || e != 1600 {
		t.Errorf("%d begins, %d ends", b, e)
	}
	if s := l.Stats(); s.QueuedBytes != 0 || s.Refused != 0 || s.Failing != nil {
		t.Errorf("%+v", s)
	}
}

// TestRealDisk is the whole way on a file system.
func TestRealDisk(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Path = filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(cfg)
	must(t, err)
	go l.Run(context.Background()) //nolint:errcheck // Close says it
	must(t, l.AppendDurable(t.Context(), begin(1)))
	if l.BootID() != strings.Repeat("ab", 16) {
		t.Error(l.BootID())
	}
	rotated := cfg.Path + ".1"
	must(t, os.Rename(cfg.Path, rotated))
	must(t, l.AppendDurable(t.Context(), end(1)), l.Close())
	read := func(p string) string {
		b, err := os.ReadFile(p)
		must(t, err)
		return string(b)
	}
	verified(t, read(rotated), read(cfg.Path))
	if got := kinds(t, read(cfg.Path)); got != "rotate end" {
		t.Errorf("new file: %s", got)
	}
	for _, p := range []string{cfg.Path, cfg.Path + ".state", cfg.Path + ".lock"} {
		st, err := os.Stat(p)
		must(t, err)
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", filepath.Base(p), st.Mode())
		}
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Path = filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(cfg)
	must(t, err)
	again := testConfig()
	again.Path = cfg.Path
	_, err = Open(again)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("second open: %v", err)
	}
	must(t, l.Close())
	again.Rand = testConfig().Rand
	l, err = Open(again)
	must(t, err)
	must(t, l.Close())
}

func TestNotAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, path := range map[string]string{
		"a folder":    dir,
		"a device":    "/dev/full",
		"a dead path": filepath.Join(dir, "no", "such", "folder", "x"),
	} {
		if _, err := (osDisk{}).open(path); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	cfg := testConfig()
	cfg.Path = filepath.Join(dir, "no", "x")
	if _, err := Open(cfg); err == nil || strings.Contains(err.Error(), "%!") {
		t.Errorf("no folder: %v", err)
	}
}

// TestAllocs holds the hot path to what it may cost. The pools are left out:
// under the race detector they drop what they are given at random.
func TestAllocs(t *testing.T) {
	r := typical()
	r.Source = netip.MustParseAddrPort("[2001:db8::1]:48122")
	r.Would = []Would{{Policy: "agents/draft", Verdict: VerdictDeny}}
	e := &entry{kind: r.Kind, hop: r.Hop, at: r.Time, enc: encoder{b: make([]byte, 0, 4096)}}
	q := newQueue(1 << 20)
	q.items = make([]*entry, 0, 2000)
	if n := testing.AllocsPerRun(1000, func() {
		e.enc = encoder{b: e.enc.b[:0]}
		e.enc.encode(&r, "abababababababababababababababab")
		if err := q.push(e); err != nil {
			t.Fatal(err)
		}
		q.written(1, e.cost())
	}); n > 0 {
		t.Errorf("encoding and queueing take %v allocations", n)
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := running(t, testConfig(), newMemDisk())
		quick, slow := l.Subscribe(100), l.Subscribe(0)
		for i := range 4 {
			must(t, l.AppendDurable(t.Context(), begin(i+1)))
		}
		for i := range 4 {
			e, err := quick.Next(t.Context())
			must(t, err)
			if r, err := Decode(e.Line); err != nil || r.Hop != hop(i+1) || e.Missed != 0 {
				t.Errorf("event %d: %+v %v", i, r, err)
			}
		}
		e, err := slow.Next(t.Context())
		must(t, err)
		if r, _ := Decode(e.Line); r.Hop != hop(1) || e.Missed != 0 {
			t.Errorf("slow: %s", e.Line)
		}
		must(t, l.AppendDurable(t.Context(), begin(5)))
		e, err = slow.Next(t.Context())
		must(t, err)
		if r, _ := Decode(e.Line); r.Hop != hop(5) || e.Missed != 3 {
			t.Errorf("slow: missed %d, %s", e.Missed, e.Line)
		}
		must(t, l.AppendDurable(t.Context(), begin(6)), l.AppendDurable(t.Context(), begin(7)))
		must(t, l.Close()) // and its checkpoint
		e, err = slow.Next(t.Context())
		must(t, err)
		if e.Missed != 0 || e.Line == nil {
			t.Errorf("%+v", e)
		}
		e, err = slow.Next(t.Context())
		must(t, err)
		if e.Missed != 2 || e.Line != nil {
			t.Errorf("what was missed at the end: %+v", e)
		}
		if _, err := slow.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
		if _, err := l.Subscribe(1).Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the end, new: %v", err)
		}
	})
}

func TestSubscriptionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := running(t, testConfig(), newMemDisk())
		s := l.Subscribe(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a deadline: %v", err)
		}
		go s.Close()
		if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after its close: %v", err)
		}
		must(t, l.AppendDurable(t.Context(), begin(1)))
		if n := l.subs.count.Load(); n != 0 {
			t.Errorf("%d subscribers stay", n)
		}
		s.Close()
	})
}
