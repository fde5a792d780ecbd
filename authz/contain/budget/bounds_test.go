package budget

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAFolderThatIsSealed: that the file cannot be made anew is said, with the
// cause, as often as it begins and no more often.
func TestAFolderThatIsSealed(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.most = 8 << 10
	b, l := s.open(), upload(1600)
	until := func(kept bool) {
		t.Helper()
		for range 100 {
			s.clock.pass(5 * time.Minute) // a new slice is a new line
			if _, r := begin(b, agent("a"), 0, 10, nil, l); (r == nil) == kept {
				return
			} else if r != nil && r.Unkept == nil {
				t.Fatalf("there was room: %+v", r)
			}
		}
		t.Fatalf("kept is never %t", kept)
	}
	for times := range 3 {
		s.disk.sealed.Store(true)
		for range 3 {
			until(false)
		}
		said := s.said.String()
		if n := strings.Count(said, "budgets are closed"); n != times+1 || strings.Count(said, "no space left") != n {
			t.Fatalf("after %d times: said %s", times+1, said)
		}
		s.disk.sealed.Store(false)
		until(true)
		if n := strings.Count(s.said.String(), "can be written again"); n != times+1 {
			t.Fatalf("after %d times: said %s", times+1, s.said)
		}
	}
}

// TestAWriteThatHangs holds nobody for long, and who comes then not at all. All
// goes on when it ends.
func TestAWriteThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		b, l := s.open(), upload(1600)
		c, _ := begin(b, agent("a"), 0, -1, nil, l)
		if !c.Take(50) {
			t.Fatal("there was room")
		}
		end := make(chan struct{})
		s.disk.hangs.Store(&end)
		var held [8]time.Duration
		var wg sync.WaitGroup
		for i := range held {
			wg.Go(func() {
				<-time.After(time.Duration(i) * time.Second)
				at := time.Now()
				if _, r := begin(b, agent(fmt.Sprint(i)), 0, 10, nil, l); r == nil || r.Unkept == nil {
					t.Errorf("what is not kept is let through: %+v", r)
				}
				held[i] = time.Since(at)
			})
		}
		wg.Wait()
		for i, d := range held {
			if d > patience || d > 0 && time.Duration(i)*time.Second > patience {
				t.Errorf("who came after %d s was held for %s", i, d)
			}
		}
		pending, accounts := len(b.keeper.pending), b.Len()
		if _, r := begin(b, agent("new"), 0, 10, nil, l); r == nil || r.Unkept == nil {
			t.Errorf("what is not kept is let through: %+v", r)
		}
		if len(b.keeper.pending) > pending || b.Len() > accounts {
			t.Error("what waits for a write that hangs grows")
		}
		if c.Take(500) || !c.Unkept() {
			t.Error("bytes that are not kept are let through, or are said to be too many")
		}
		if !strings.Contains(s.said.String(), "does not end") {
			t.Errorf("said %s", s.said)
		}
		s.disk.hangs.Store(nil)
		close(end)
		synctest.Wait()
		if _, r := begin(b, agent("b"), 0, 10, nil, l); r != nil {
			t.Errorf("it has ended: %+v", r)
		}
		if !strings.Contains(s.said.String(), "can be written again") {
			t.Errorf("said %s", s.said)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if got := usedBy(s.open(), agent("b"), l); got != 10 {
			t.Errorf("%d bytes of 10 count", got)
		}
	})
}

// TestTwoWritesThatAreSlow: who waits for one write, and then for its own, waits
// no longer in all.
func TestTwoWritesThatAreSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(t)
		b, l := s.open(), upload(1600)
		first, second := make(chan struct{}), make(chan struct{})
		s.disk.hangs.Store(&first)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, r := begin(b, agent("a"), 0, 10, nil, l); r != nil {
				t.Errorf("a slow write: %+v", r)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			at := time.Now()
			if _, r := begin(b, agent("b"), 0, 10, nil, l); r == nil || r.Unkept == nil {
				t.Errorf("what is not kept is let through: %+v", r)
			}
			if held := time.Since(at); held != patience {
				t.Errorf("held for %s", held)
			}
		})
		<-time.After(patience - time.Second)
		s.disk.hangs.Store(&second)
		close(first)
		wg.Wait()
		close(second)
	})
}

// TestAnEndThatHangs: it comes all the same, and says that not all is written.
func TestAnEndThatHangs(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"a write before it": true, "its own write": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newShelf(t)
				b, l := s.open(), upload(1600)
				if _, r := begin(b, agent("a"), 0, 10, nil, l); r != nil {
					t.Fatal(r)
				}
				end := make(chan struct{})
				s.disk.hangs.Store(&end)
				if before {
					go begin(b, agent("b"), 0, 10, nil, l)
					synctest.Wait()
				}
				if err := b.Close(); !errors.Is(err, errNotKept) {
					t.Errorf("error %v", err)
				}
				close(end)
				synctest.Wait()
				if got := usedBy(s.open(), agent("a"), l); got < 10 {
					t.Errorf("%d bytes of 10 count", got)
				}
			})
		})
	}
}

// TestWhatIsWrittenCanBeRead: there is no room for more than that, and the file
// never gets larger.
func TestWhatIsWrittenCanBeRead(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.most = 64 << 10
	b := s.open()
	who := Principal{Agent, `"corp"<é>`, `a"b`}
	l := Limit{Policy: "agents/p", Rule: "r", UploadBytes: 1 << 62, Names: 1 << 20, Window: time.Second}
	to := func(host string, bytes int64) *Refusal {
		t.Helper()
		_, r := b.Begin(&Ask{Who: who, Limits: []Limit{l}, Body: bytes, Host: host})
		if f, err := os.Stat(s.path); err != nil || f.Size() > s.most {
			t.Fatalf("the file has %d bytes, %v", f.Size(), err)
		}
		return r
	}
	few := func(host string) *Refusal {
		_, r := b.Begin(&Ask{Who: agent("few"), Limits: []Limit{l}, Host: host})
		return r
	}
	if r := few("x.example"); r != nil {
		t.Fatal(r)
	}
	n := 0
	for ; n < 10_000; n++ {
		r := to(fmt.Sprintf("h%d.example", n), 1)
		if r != nil {
			if !r.Full || r.Wait != time.Second {
				t.Fatalf("refusal %+v", r)
			}
			break
		}
	}
	if n < 100 || n == 10_000 {
		t.Errorf("there is room for %d names", n)
	}
	for range 200 {
		if r := to("h0.example", 1<<54); r != nil {
			t.Fatalf("a name that was gone to before, and bytes: %+v", r)
		}
	}
	if _, r := begin(b, agent("b"), 0, 1, nil, upload(10)); r == nil || !r.Full {
		t.Errorf("one account more: %+v", r)
	}
	if got := int64(len(b.lines(false))); got > b.weight+nameWeight {
		t.Errorf("what takes %d bytes counts as %d", got, b.weight)
	}
	b = s.open()
	if strings.Contains(s.said.String(), "set aside") || usedBy(b, who, l) < 200<<54 {
		t.Errorf("%d bytes count, said %s", usedBy(b, who, l), s.said)
	}
	if r := to("h1.example", 1); r != nil {
		t.Errorf("a name of before: %+v", r)
	}
	if r := to("new.example", 1); r == nil || !r.Full {
		t.Errorf("one name more in the next process: %+v", r)
	}
	s.clock.pass(2 * time.Second)
	for _, host := range []string{"y.example", "z.example"} { // one is in the place of its own
		if r := few(host); r != nil {
			t.Errorf("the window of others is over: %+v", r)
		}
	}
	if r := to("new.example", 1); r != nil {
		t.Errorf("the window is over: %+v", r)
	}
	if _, r := begin(b, agent("b"), 0, 1, nil, upload(10)); r != nil {
		t.Errorf("one account more when the window is over: %+v", r)
	}
}
