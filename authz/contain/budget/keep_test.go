package budget

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// faultyDisk is the operating system's, but for what is to fail.
type faultyDisk struct {
	osDisk
	full atomic.Bool
	// sealed has no file made, hangs has none written until it is closed.
	sealed atomic.Bool
	hangs  atomic.Pointer[chan struct{}]
	syncs  atomic.Int64
	files  atomic.Int64
}

type faultyFile struct {
	file
	d *faultyDisk
}

var errFull = errors.New("no space left")

func (d *faultyDisk) temp(dir string) (file, error) {
	if d.full.Load() || d.sealed.Load() {
		return nil, errFull
	}
	d.files.Add(1)
	f, err := d.osDisk.temp(dir)
	return &faultyFile{f, d}, err
}

func (f *faultyFile) Write(b []byte) (int, error) {
	if until := f.d.hangs.Load(); until != nil {
		<-*until
	}
	if f.d.full.Load() {
		n, err := f.file.Write(b[:len(b)/2]) // half of it is there
		return n, errors.Join(errFull, err)
	}
	return f.file.Write(b)
}

func (f *faultyFile) Sync() error {
	f.d.syncs.Add(1)
	return f.file.Sync()
}

// shelf is where a book is kept: each open is one of a process that begins.
type shelf struct {
	t     *testing.T
	path  string
	clock *clock
	disk  *faultyDisk
	said  *bytes.Buffer
	most  int64 // of the file; 0: as usual
}

func newShelf(t *testing.T) *shelf {
	return &shelf{t: t, path: filepath.Join(t.TempDir(), "budgets.jsonl"), clock: newClock(), disk: &faultyDisk{}, said: &bytes.Buffer{}}
}

func (s *shelf) open() *Book {
	s.t.Helper()
	b, err := open(Config{Path: s.path, Now: s.clock.now, Log: slog.New(slog.NewTextHandler(s.said, nil)), MaxFile: s.most}, s.disk)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = b.keeper.close() }) // it may be closed
	return b
}

// usedBy is what counts of an agent by a rule.
func usedBy(b *Book, who Principal, l Limit) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[key{who, l.Policy, l.Rule, l.Window}]
	if a == nil {
		return 0
	}
	a.turn(b.cfg.Now())
	return a.used()
}

// TestUsedIsKept: what was used counts in the next process, after an end as it
// was, and after a crash no less and by a sixteenth more at most.
func TestUsedIsKept(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"an end": true, "a crash": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			b, l := s.open(), upload(1600)
			for _, n := range []int64{100, 7, 300} {
				if _, r := begin(b, agent("a"), 0, n, nil, l); r != nil {
					t.Fatal(r)
				}
			}
			c, _ := begin(b, agent("a"), 13, -1, nil, l)
			if !c.Take(200) {
				t.Fatal("there was room")
			}
			if ends {
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
			}
			const used = 100 + 7 + 300 + 13 + 200
			next := s.open()
			if got := usedBy(next, agent("a"), l); got < used || got > used+100 || ends && got != used {
				t.Errorf("%d count, %d were used", got, used)
			}
			if _, r := begin(next, agent("a"), 0, 1600-used+1, nil, l); r == nil || r.Never {
				t.Errorf("there is room for more than is left: %+v", r)
			}
			if got := usedBy(next, agent("b"), l); got != 0 {
				t.Errorf("of another agent %d count", got)
			}
			s.clock.pass(2 * time.Hour)
			if got := usedBy(s.open(), agent("a"), l); got != 0 {
				t.Errorf("%d count when the window is over", got)
			}
		})
	}
}

// TestNamesAreKept, and are no names to who reads the file.
func TestNamesAreKept(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	to := func(b *Book, host string) *Refusal {
		_, r := b.Begin(&Ask{Who: agent("a"), Limits: []Limit{names(2)}, Host: host})
		return r
	}
	b := s.open()
	if to(b, "one.example") != nil || to(b, "two.example") != nil || to(b, "three.example") == nil {
		t.Fatal("two names fit, and no third one")
	}
	s.clock.pass(40 * time.Minute)
	if to(b, "two.example") != nil {
		t.Fatal("a name that was gone to is free")
	}
	b = s.open()
	if to(b, "one.example") != nil || to(b, "three.example") == nil {
		t.Error("they are forgotten by a crash")
	}
	s.clock.pass(40 * time.Minute)
	if b = s.open(); to(b, "two.example") != nil || to(b, "three.example") == nil {
		t.Error("that a name was gone to again is forgotten by a crash")
	}
	if text, err := os.ReadFile(s.path); err != nil || strings.Contains(string(text), "example") {
		t.Errorf("the file has names: %s, %v", text, err)
	}
}

// TestRandomCrashes: whatever happens, no crash makes room.
func TestRandomCrashes(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	b, l := s.open(), upload(10_000)
	r := rand.New(rand.NewPCG(1, 2))
	sent := map[time.Time]int64{}
	var streams []*Charge
	for range 2000 {
		switch n := r.IntN(12); {
		case n == 0:
			s.clock.pass(time.Duration(r.IntN(20)) * time.Minute)
		case n == 1:
			s.disk.full.Store(false)
			b, streams = s.open(), nil
		case n == 2:
			s.disk.full.Store(!s.disk.full.Load())
		case n < 5:
			if c, no := begin(b, agent("a"), 0, -1, nil, l); no == nil {
				streams = append(streams, c)
			}
		case n < 8 && len(streams) > 0:
			if piece := 1 + r.IntN(400); streams[r.IntN(len(streams))].Take(piece) {
				sent[s.clock.now()] += int64(piece)
			}
		default:
			if body := int64(r.IntN(300)); func() bool { _, no := begin(b, agent("a"), 5, body, nil, l); return no == nil }() {
				sent[s.clock.now()] += body + 5
			}
		}
		if s.disk.full.Load() && r.IntN(3) == 0 {
			s.disk.full.Store(false)
		}
		var inWindow int64
		for at, n := range sent {
			if s.clock.now().Sub(at) < time.Hour {
				inWindow += n
			}
		}
		if inWindow > l.UploadBytes {
			t.Fatalf("%d bytes were let through in an hour", inWindow)
		}
	}
	if len(sent) < 20 {
		t.Errorf("bytes were sent at %d times only", len(sent))
	}
}

// TestFewWrites: a budget that is used byte by byte is not written byte by byte,
// and the file does not grow for ever.
func TestFewWrites(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	b, l := s.open(), upload(16_000)
	before := s.disk.syncs.Load()
	c, _ := begin(b, agent("a"), 0, -1, nil, l)
	n := 0
	for c.Take(1) {
		n++
	}
	if n != 16_000 {
		t.Errorf("%d bytes were let through", n)
	}
	if got := s.disk.syncs.Load() - before; got > 2*ahead {
		t.Errorf("%d writes for one budget", got)
	}
	for i := range 40_000 {
		if _, r := begin(b, agent("a"), 0, 1, nil, Limit{Policy: "p", Rule: strings.Repeat("r", 40), UploadBytes: 1 << 40, Window: time.Duration(i%12+1) * time.Hour}); r != nil {
			t.Fatal(r)
		}
		if i%500 == 0 {
			s.clock.pass(time.Hour)
		}
	}
	if f, err := os.Stat(s.path); err != nil || f.Size() > 2*most {
		t.Errorf("the file has %d bytes, %v", f.Size(), err)
	}
}

// TestADiskThatIsFull: what cannot be kept is not let through, and nothing is lost
// when it can again.
func TestADiskThatIsFull(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	b, l := s.open(), upload(1600)
	c, _ := begin(b, agent("a"), 0, -1, nil, l)
	if !c.Take(50) {
		t.Fatal("there was room")
	}
	s.disk.full.Store(true)
	for range 3 {
		if _, r := begin(b, agent("b"), 0, 10, nil, l); r == nil || r.Unkept == nil {
			t.Fatalf("what cannot be kept is let through: %+v", r)
		}
	}
	if c.Take(500) {
		t.Error("bytes that cannot be kept are let through")
	}
	if !strings.Contains(s.said.String(), "budgets are closed") || !strings.Contains(s.said.String(), "no space left") {
		t.Errorf("said %s", s.said)
	}
	s.disk.full.Store(false)
	if _, r := begin(b, agent("b"), 0, 10, nil, l); r != nil {
		t.Errorf("the disk has room again: %+v", r)
	}
	if !strings.Contains(s.said.String(), "can be written again") {
		t.Errorf("said %s", s.said)
	}
	next := s.open()
	if got := usedBy(next, agent("a"), l); got < 50 {
		t.Errorf("%d bytes of 50 count", got)
	}
	if got := usedBy(next, agent("b"), l); got < 10 {
		t.Errorf("%d bytes of 10 count", got)
	}
}

// TestAFileThatCannotBeMade is told as one begins.
func TestAFileThatCannotBeMade(t *testing.T) {
	t.Parallel()
	if _, err := Open(Config{Path: filepath.Join(t.TempDir(), "none", "budgets.jsonl"), Now: newClock().now}); err == nil {
		t.Error("no error")
	}
}

// TestManyWaitForOneWrite: they do, and all of it is kept.
func TestManyWaitForOneWrite(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	b, l := s.open(), upload(1<<20)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for range 10 {
				if _, r := begin(b, agent(fmt.Sprint(i%8)), 0, 5000, nil, l); r != nil {
					t.Error(r)
				}
			}
		})
	}
	wg.Wait()
	next := s.open()
	for i := range 8 {
		if got := usedBy(next, agent(fmt.Sprint(i)), l); got < 400_000 {
			t.Errorf("agent %d: %d bytes count", i, got)
		}
	}
}

const (
	goodKey  = `{"key":"000102030405060708090a0b0c0d0e0f"}`
	goodLine = `{"kind":"agent","domain":"agents/corp","value":"a","policy":"agents/p","rule":"r","window":3600000000000,"bytes":[{"slice":%d,"bytes":70}]}`
)

// TestFiles: a last line that is half there was used by nobody; any other damage
// sets the file aside, and is said.
func TestFiles(t *testing.T) {
	t.Parallel()
	at := newClock().now().UnixNano() / int64(5*time.Minute)
	good := fmt.Sprintf(goodLine, at)
	for _, tc := range []struct {
		name, text string
		aside      bool
		used       int64
	}{
		{"whole", goodKey + "\n" + good + "\n", false, 70},
		{"the key alone", goodKey + "\n", false, 0},
		{"a torn line", goodKey + "\n" + good + "\n" + good[:40], false, 70},
		{"torn before its newline", goodKey + "\n" + good, false, 0},
		{"the larger one counts", goodKey + "\n" + good + "\n" + strings.Replace(good, ":70", ":30", 1) + "\n", false, 70},
		{"two slices", goodKey + "\n" + good + "\n" + fmt.Sprintf(goodLine, at-3) + "\n", false, 140},
		{"one that is over", goodKey + "\n" + fmt.Sprintf(goodLine, at-13) + "\n", false, 0},
		{"a time that has not come counts as now", goodKey + "\n" + fmt.Sprintf(goodLine, at+1_000_000) + "\n", false, 70},
		{"more than there is", goodKey + "\n" + strings.Replace(good, ":70", ":9223372036854775807", 1) + "\n" + fmt.Sprintf(goodLine, at-1) + "\n", false, 9223372036854775807},
		{"nothing", "", true, 0},
		{"no key", good + "\n", true, 0},
		{"a short key", `{"key":"00"}` + "\n", true, 0},
		{"a second key", goodKey + "\n" + goodKey + "\n", true, 0},
		{"no JSON", goodKey + "\nx\n" + good + "\n", true, 0},
		{"zeros", goodKey + "\n" + strings.Repeat("\x00", 512) + "\n", true, 0},
		{"more behind the object", goodKey + "\n" + good + "{}\n", true, 0},
		{"a field that is not known", goodKey + "\n" + strings.Replace(good, "rule", "rules", 1) + "\n", true, 0},
		{"a kind that is not known", goodKey + "\n" + strings.Replace(good, "agent", "nobody", 1) + "\n", true, 0},
		{"no window", goodKey + "\n" + strings.Replace(good, "3600000000000", "0", 1) + "\n", true, 0},
		{"less than nothing", goodKey + "\n" + strings.Replace(good, ":70", ":-70", 1) + "\n", true, 0},
		{"a slice before all", goodKey + "\n" + fmt.Sprintf(goodLine, -1) + "\n", true, 0},
		{"a number that is too large", goodKey + "\n" + strings.Replace(good, ":70", ":9223372036854775808", 1) + "\n", true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			if err := os.WriteFile(s.path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			b := s.open()
			if got := usedBy(b, agent("a"), upload(100)); got != tc.used {
				t.Errorf("%d count, want %d", got, tc.used)
			}
			aside, err := os.ReadFile(s.path + ".damaged")
			if (err == nil) != tc.aside || tc.aside && string(aside) != tc.text {
				t.Errorf("set aside: %q, %v", aside, err)
			}
			if tc.aside != strings.Contains(s.said.String(), "its file is set aside") {
				t.Errorf("said %s", s.said)
			}
			if got := usedBy(s.open(), agent("a"), upload(100)); got != tc.used {
				t.Errorf("%d count in the next process", got)
			}
		})
	}
}

// TestOnlyTheOwnerReadsIt.
func TestOnlyTheOwnerReadsIt(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.open()
	if f, err := os.Stat(s.path); err != nil || f.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", f.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(s.path), ".budgets-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// FuzzParse: what is read is what would be written, and nothing else gets a book
// to fail.
func FuzzParse(f *testing.F) {
	f.Add([]byte(goodKey + "\n" + fmt.Sprintf(goodLine, 5) + "\n"))
	f.Add([]byte(goodKey + "\n" + `{"kind":"peer","window":1,"names":[{"slice":1,"name":"18446744073709551615"}]}` + "\n{"))
	f.Add([]byte(`{"key":""}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, hashKey, err := parse(raw)
		if err != nil {
			return
		}
		text := (&line{Key: hex.EncodeToString(hashKey)}).append(nil)
		for k, u := range all {
			l := lineOf(k)
			for at, n := range u.bytes {
				l.Bytes = append(l.Bytes, sliceBytes{at, n})
			}
			for h, at := range u.names {
				l.Names = append(l.Names, sliceName{at, h})
			}
			text = l.append(text)
			u.account(k, time.Unix(1e9, 0)).used()
		}
		again, sameKey, err := parse(text)
		if err != nil || !bytes.Equal(hashKey, sameKey) {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(all, again, cmp.AllowUnexported(used{}, key{})); diff != "" {
			t.Errorf("(-read +again):\n%s", diff)
		}
	})
}
