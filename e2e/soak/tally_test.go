package soak

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"
)

// tally is what happened.
type tally struct {
	// told is called with the first failures, as they come.
	told func(error)

	// late are streams that were denied because the guard was too slow.
	opened, denied, ordered, missed, late atomic.Int64

	mu     sync.Mutex
	lives  map[string]map[manner]int // guarded by mu; by kind
	cuts   []time.Duration           // guarded by mu
	untold int                       // guarded by mu; cut without the word that there is
	errs   []error                   // guarded by mu; the first of them
	failed int                       // guarded by mu
}

func newTally() *tally { return &tally{lives: map[string]map[manner]int{}} }

func (t *tally) lived(l life) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lives[l.kind.name] == nil {
		t.lives[l.kind.name] = map[manner]int{}
	}
	t.lives[l.kind.name][l.manner]++
}

// mostCuts bounds what is kept of them: the last ones.
const mostCuts = 20_000

func (t *tally) cut(took time.Duration, untold bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cuts = append(t.cuts, took)
	if len(t.cuts) > mostCuts {
		t.cuts = slices.Delete(t.cuts, 0, mostCuts/2)
	}
	if untold {
		t.untold++
	}
}

// mostErrors is how many failures are told.
const mostErrors = 20

func (t *tally) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed++
	if len(t.errs) < mostErrors {
		t.errs = append(t.errs, err)
		t.told(err)
	}
}

func (t *tally) failures() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// report fails the test with the first failures.
func (t *tally) report(tt *testing.T) {
	tt.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, err := range t.errs {
		tt.Error(err)
	}
}

// line is all of it in short.
func (t *tally) line() string {
	return fmt.Sprintf("opened %d, ordered %d, missed %d, late %d, failed %d", t.opened.Load(), t.ordered.Load(), t.missed.Load(), t.late.Load(), t.failures())
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "STREAMS")
	for _, m := range manners() {
		fmt.Fprintf(w, "\t%s", strings.ToUpper(string(m)))
	}
	fmt.Fprintln(w)
	for _, k := range append(kinds(), gated()) {
		fmt.Fprint(w, k.name)
		for _, m := range manners() {
			fmt.Fprintf(w, "\t%d", t.lives[k.name][m])
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a builder takes all
	slices.Sort(t.cuts)
	at := func(q float64) time.Duration {
		if len(t.cuts) == 0 {
			return 0
		}
		return t.cuts[int(q*float64(len(t.cuts)-1))].Round(100 * time.Microsecond)
	}
	fmt.Fprintf(&b, "order until its client saw the end: p50 %s, p99 %s, last %s; without the word there is: %d; gated streams denied: %d\n",
		at(0.5), at(0.99), at(1), t.untold, t.denied.Load())
	return b.String()
}
