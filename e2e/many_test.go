package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/internal/testenv"
)

// level is what processes have.
type level struct{ hops, goroutines, files, envoyFiles int }

func (c *child) level(t testing.TB) level {
	t.Helper()
	hops, goroutines := c.has(t)
	return level{hops, goroutines, files(t, c.Process.Pid), files(t, c.envoy)}
}

// slack is how many more files and goroutines there may be in the end:
// connections that are kept for the next stream.
const slack = 32

// back reports whether a level is that of before.
func (l level) back(before level) bool {
	return l.hops == 0 && l.goroutines <= before.goroutines+slack && l.files <= before.files+slack && l.envoyFiles <= before.envoyFiles+slack
}

// TestTenThousandStreams: of streams that come and go nothing is left, however
// they end. It has the machine for itself.
func TestTenThousandStreams(t *testing.T) {
	streams := 10_000
	if testing.Short() {
		streams = 500
	}
	m := prepareMatrix(t, nil, nil)
	c := m.start(t)
	m.comeAndGo(t, "first", 200)
	var before, after level
	testenv.Wait(t, "the first streams to be over", func() bool { before = c.level(t); return before.hops == 0 })
	begun := time.Now()
	m.comeAndGo(t, "then", streams)
	defer func() {
		t.Logf("%d streams in %s: before %+v, after %+v", streams, time.Since(begun).Round(time.Millisecond), before, after)
	}()
	testenv.Wait(t, "nothing to be left", func() bool { after = c.level(t); return after.back(before) })
	kinds, open := map[audit.End]int{}, map[audit.HopID]bool{}
	for _, r := range m.Records(t) {
		switch r.Kind {
		case audit.KindBegin:
			open[r.Hop] = true
		case audit.KindEnd:
			if !open[r.Hop] {
				t.Errorf("hop %s ends that had not begun, or had ended", r.Hop)
			}
			delete(open, r.Hop)
			kinds[r.End]++
			if r.End == audit.EndLost || r.End == audit.EndHoldMissing {
				t.Logf("%s is recorded as %q (%s) after %s", r.Txn, r.End, r.Detail, r.Duration)
			}
		}
	}
	t.Logf("ends: %v", kinds)
	if len(open) != 0 {
		t.Errorf("%d hops have no end", len(open))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	// Of what was refused the hold may have come too late; and who leaves at the
	// moment that Envoy is answered has not been told of, to whoever logs it.
	if kinds[audit.EndLost]+kinds[audit.EndHoldMissing] > m.tooBusy+streams/1000 || kinds[audit.EndTimeout]+kinds[audit.EndExpired] > 0 {
		t.Errorf("hops that nothing was wrong with are recorded as %v; %d were refused", kinds, m.tooBusy)
	}
}

// atOnce is how many streams there are at one time.
const atOnce = 24

// comeAndGo opens streams of each kind and has them end in each way.
func (m *matrix) comeAndGo(t *testing.T, name string, n int) {
	t.Helper()
	next := make(chan int)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := range next {
				m.comesAndGoes(t, fmt.Sprint(name, "-", i), i)
			}
		})
	}
	for i := range n {
		if t.Failed() {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
}

// refused counts what the gateway had no time for.
func (m *matrix) refused(t testing.TB, name, why string) {
	if !tooBusy(why) {
		t.Errorf("%s is refused: %s", name, why)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tooBusy++
}

// comesAndGoes is one stream, whose kind and end are chosen by its number.
func (m *matrix) comesAndGoes(t testing.TB, name string, i int) {
	all := kinds()
	ways := []pace{paceTicks, paceDone, paceReset, paceTicks, paceDone, paceReset, paceTicks, paceIdle}
	k, b := all[i%len(all)], brief{name: name, pace: ways[i/len(all)%len(ways)]}
	s := newScope(t)
	defer s.close()
	l, why := m.attempt(s, k, b, by("worker")(m, "many", name))
	if l == nil {
		m.refused(t, name, why)
		return
	}
	e := heed(l)
	if !k.silent {
		testenv.Wait(t, name+" to have begun", func() bool { return e.got.Load() > 0 || e.ended() })
	}
	if !k.silent && e.got.Load() == 0 {
		m.refused(t, name, fmt.Sprint(e.err, e.tail))
	}
	switch b.pace {
	case paceTicks:
		l.leave()
	case paceIdle:
		if _, err := m.admin.Order(t.Context(), admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Domain: "default/main", Value: name}); err != nil {
			t.Error(err)
		}
	default:
		m.stage.goOn(name)
	}
	<-e.done
	l.leave() // a tunnel outlives what was inside
}
