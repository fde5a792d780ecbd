package soak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// look is how things are at one moment.
type look struct {
	at time.Time
	// heap is memory of this process that is in use, after a collection: that of
	// the guard, and of clients and upstreams. envoy is resident; 0: the system
	// does not tell.
	heap, envoy float64
	// goroutines and files are of this process, envoyFiles Envoy's.
	goroutines, files, envoyFiles int
	live                          int
}

func (s *soak) look() look {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	pid := s.Envoy().PID()
	return look{
		at: time.Now(), heap: float64(m.HeapAlloc + m.StackInuse), envoy: resident(pid),
		goroutines: runtime.NumGoroutine(), files: files(os.Getpid()), envoyFiles: files(pid), live: s.Guard().Live(),
	}
}

const mebibyte = 1 << 20

func (l look) String() string {
	return fmt.Sprintf("live %d, heap %.1f MiB, Envoy %.1f MiB, goroutines %d, files %d, Envoy's %d",
		l.live, l.heap/mebibyte, l.envoy/mebibyte, l.goroutines, l.files, l.envoyFiles)
}

// resident reads /proc, which Linux alone has.
func resident(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, pages float64
	if _, err := fmt.Sscan(string(raw), &size, &pages); err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize())
}

func files(pid int) int {
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0
	}
	return len(all)
}

// meter keeps looks.
type meter struct {
	begun time.Time
	mu    sync.Mutex
	looks []look // guarded by mu
}

func (m *meter) add(l look) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks = append(m.looks, l)
}

// growth is how much a value grows over the second half of all looks, by least
// squares, and its mean there.
func (m *meter) growth(of func(look) float64) (grown, mean float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	half := m.looks[len(m.looks)/2:]
	if len(half) < 2 {
		return 0, 0
	}
	var x, y []float64
	for _, l := range half {
		x, y = append(x, l.at.Sub(half[0].at).Seconds()), append(y, of(l))
	}
	slope, mean := leastSquares(x, y)
	return slope * x[len(x)-1], mean
}

// leastSquares is the slope of the line that is nearest to all points, and the
// mean of y.
func leastSquares(x, y []float64) (slope, mean float64) {
	var mx, my, xx, xy float64
	n := float64(len(x))
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	for i := range x {
		xx, xy = xx+(x[i]-mx)*(x[i]-mx), xy+(x[i]-mx)*(y[i]-my)
	}
	if xx == 0 {
		return 0, my
	}
	return xy / xx, my
}

func TestLeastSquares(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		x, y        []float64
		slope, mean float64
	}{
		{"a line", []float64{0, 1, 2}, []float64{1, 3, 5}, 2, 3},
		{"flat", []float64{0, 1, 2, 3}, []float64{4, 4, 4, 4}, 0, 4},
		{"noise", []float64{0, 1, 2, 3}, []float64{0, 2, 2, 0}, 0, 1},
		{"one moment", []float64{5, 5}, []float64{1, 3}, 0, 2},
	} {
		if slope, mean := leastSquares(tt.x, tt.y); slope != tt.slope || mean != tt.mean {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, slope, mean, tt.slope, tt.mean)
		}
	}
}

// What grows is found, and what goes up and down is not.
func TestGrowth(t *testing.T) {
	t.Parallel()
	m := &meter{}
	for i := range 20 {
		m.add(look{at: time.Unix(int64(i), 0), heap: float64(100 + 3*i), envoy: float64(50 + i%2)})
	}
	if grown, mean := m.growth(func(l look) float64 { return l.heap }); grown != 27 || mean != 143.5 {
		t.Errorf("grown %v, mean %v", grown, mean)
	}
	if grown, _ := m.growth(func(l look) float64 { return l.envoy }); grown < 0 || grown > 1 {
		t.Errorf("grown %v", grown)
	}
}

// verdict is one thing that has to hold at the end.
type verdict struct {
	what        string
	value, most float64
	bytes       bool
}

func (v verdict) met() bool { return v.value <= v.most }

func (v verdict) show(n float64) string {
	if v.bytes {
		return fmt.Sprintf("%.2f MiB", n/mebibyte)
	}
	return fmt.Sprintf("%.0f", n)
}

type judgement []verdict

func (j judgement) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AT THE END\tIS\tAT MOST\tMET")
	for _, v := range j {
		met := "yes"
		if !v.met() {
			met = "NO"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.what, v.show(v.value), v.show(v.most), met)
	}
	_ = w.Flush() // a builder takes all
	return b.String()
}

// Bounds of what may be left.
const (
	// flat is what memory may grow by over the second half of a soak, or else
	// that part of it: caches that are not full yet, and the noise of a heap.
	flat     = 8 * mebibyte
	flatPart = 0.15
)

// few are goroutines or files more than at the beginning: connections that
// Envoy keeps to the guard, and to upstreams, where a stream in a tunnel may
// leave two.
func few() int { return 2 * *crowd }

func verdicts(m *meter, base, end look, t *tally) judgement {
	memory := func(what string, of func(look) float64) verdict {
		grown, mean := m.growth(of)
		return verdict{what, grown, max(flat, flatPart*mean), true}
	}
	number := func(what string, n, most int) verdict {
		return verdict{what: what, value: float64(n), most: float64(most)}
	}
	return judgement{
		memory("heap of guard, clients and upstreams grows by", func(l look) float64 { return l.heap }),
		memory("resident memory of Envoy grows by", func(l look) float64 { return l.envoy }),
		number("hops in the register", end.live, 0),
		number("goroutines", end.goroutines, base.goroutines+few()),
		number("open files", end.files, base.files+few()),
		number("open files of Envoy", end.envoyFiles, base.envoyFiles+few()),
		number("ends that were ordered and did not come", int(t.missed.Load()), 0),
		number("streams that the guard was too slow for", int(t.late.Load()), 2+int(t.opened.Load())/50),
		number("streams that did not live as they had to", t.failures(), 0),
	}
}

// settle looks until goroutines and files are no more than they may be, for a
// while at most: connections end a moment after what they carried.
func (s *soak) settle(base look) look {
	for end := time.Now().Add(patience); ; <-time.After(100 * time.Millisecond) {
		l := s.look()
		if l.goroutines <= base.goroutines+few() && l.files <= base.files+few() && l.envoyFiles <= base.envoyFiles+few() || time.Now().After(end) {
			return l
		}
	}
}
