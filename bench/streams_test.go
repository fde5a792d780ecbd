package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
)

// The objects are good, and holds are off where they are meant to be; a policy
// that closes what streams is another one.
func TestStreamLayout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		l    streamLayout
		hold time.Duration
	}{
		{"held", streamLayout{port: 18080, upstream: 18081}, 0},
		{"unleashed", streamLayout{port: 18080, upstream: 18081, unleashed: true}, 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "objects")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := tt.l.write(dir); err != nil {
				t.Fatal(err)
			}
			for _, rules := range []int{4, 2} {
				r, err := laptop.Look([]string{dir}, t.TempDir(), time.Now())
				if err != nil {
					t.Fatal(err)
				}
				if !r.Good() {
					t.Errorf("problems: %v", r.Worst())
				}
				if got := len(r.Feed.Policies[0].Rules); got != rules || r.Feed.Gateways[0].Unleashed != tt.hold {
					t.Errorf("%d rules, unleashed %v; want %d, %v", got, r.Feed.Gateways[0].Unleashed, rules, tt.hold)
				}
				if err := tt.l.rewrite(dir, false); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Each request finds what it asks for, and a stream ends with its connection.
func TestSources(t *testing.T) {
	t.Parallel()
	s, err := newSources()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		raw    []byte
		events int
	}{
		{"a page", requestFor(pathShort, "t"), 0},
		{"a stream", requestFor(pathStream, "t"), 1},
		{"events", requestFor(pathEvents, "t"), 3},
		{"a tool", toolRequest(toolShort, "t"), 0},
		{"a tool that streams", toolRequest(toolStream, "t"), 1},
		{"a tool with events", toolRequest(toolEvents, "t"), 3},
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.at.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(tt.raw); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if stream := res.Header.Get("Content-Type") == "text/event-stream"; stream != (tt.events > 0) || res.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d, %s", tt.name, res.StatusCode, res.Header.Get("Content-Type"))
		}
		if tt.events > 0 {
			got, err := io.ReadAll(io.LimitReader(res.Body, int64(tt.events*len(streamEvent))))
			if err != nil || string(got) != strings.Repeat(streamEvent, tt.events) {
				t.Errorf("%s: %q, %v", tt.name, got, err)
			}
		} else if b, err := io.ReadAll(res.Body); err != nil || len(b) == 0 {
			t.Errorf("%s: %q, %v", tt.name, b, err)
		}
		conn.Close()
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// A herd is opened and ended as it is in a run, by the real Envoy.
func TestHerd(t *testing.T) {
	t.Parallel()
	s, err := newSources()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	for _, k := range holds() {
		t.Run(k.name, func(t *testing.T) {
			b := &bench{options: options{quick: true, seconds: 1}, progress: progress{out: io.Discard, begun: time.Now()}}
			b.dir, b.binary = testenv.ShortDir(t), testenv.Envoy(t)
			got, err := b.tollOf(t.Context(), k, 20, s)
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			if k.held() {
				want = 20
			}
			if len(got.all) != want || len(got.policy) != want || got.opened <= 0 || (got.one == nil) == k.held() {
				t.Errorf("%d cut one by one, %d at once, %d by policy", len(got.one), len(got.all), len(got.policy))
			}
			if got.untold > 0 || got.failed > 0 {
				t.Errorf("%d without a word, %d short requests failed", got.untold, got.failed)
			}
		})
	}
}

// What was under way when the cut began is of the time during it.
func TestAround(t *testing.T) {
	t.Parallel()
	begun := time.Unix(1_800_000_000, 0)
	millis := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	at := func(ms, took, status int) sighting { return sighting{begun.Add(millis(ms)), millis(took), status} }
	w := &witness{seen: [][]sighting{
		{at(-20, 5, 200), at(-3, 10, 200), at(10, 20, 200)},
		{at(-10, 2, 200), at(40, 7, 504), at(50, 1, 200), at(60, 1, 503)},
	}}
	before, during, failed := w.around(begun, begun.Add(50*time.Millisecond))
	ms := func(all ...int) (out []time.Duration) {
		for _, n := range all {
			out = append(out, millis(n))
		}
		return out
	}
	if diff := cmp.Diff([][]time.Duration{ms(5, 2), ms(10, 20, 7)}, [][]time.Duration{before, during}); diff != "" || failed != 1 {
		t.Errorf("%d failed; -want +got:\n%s", failed, diff)
	}
}

// Budgets are judged where there is a hold, and only there.
func TestTollFigures(t *testing.T) {
	t.Parallel()
	none := &toll{hold: holds()[0], n: 10, guard: 4 * kibibyte, envoy: 40 * kibibyte, opened: time.Millisecond}
	held := &toll{
		hold: holds()[2], n: 10, guard: 40 * kibibyte, envoy: 50 * kibibyte, guardIdle: time.Nanosecond, opened: 2 * time.Millisecond, untold: 1,
		one: []time.Duration{time.Millisecond}, all: []time.Duration{time.Second}, policy: []time.Duration{2 * time.Second},
	}
	for _, f := range none.figures(none) {
		if f.Baseline != nil || f.Budget != nil {
			t.Errorf("%s has a baseline or a budget", f.Name)
		}
	}
	met := map[string]bool{}
	for _, f := range held.figures(none) {
		if f.Met != nil {
			met[strings.TrimPrefix(f.Name, "streams/10/relay/")] = *f.Met
		}
	}
	want := map[string]bool{
		"guard-memory": false, "guard-idle": true, "open-late": true, "cut-one-p99": true, "cut-all-p99": true, "policy-p99": false, "untold": false, "meanwhile-failed": true,
	}
	if diff := cmp.Diff(want, met); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A strict run fails by cuts that are over their budget, and by nothing else.
func TestOverBudget(t *testing.T) {
	t.Parallel()
	ms := func(name string, value, budget float64) figure {
		return newFigure(name, "", value, millis).within(budget)
	}
	for _, tt := range []struct {
		name    string
		figures []figure
		want    string // empty: no error
	}{
		{"nothing", nil, ""},
		{"within", []figure{ms("streams/10/relay/cut-one-p99", 50, 50), ms("streams/10/relay/cut-all-p99", 3, 1000)}, ""},
		{"one", []figure{ms("streams/10/relay/cut-one-p99", 50.5, 50), ms("streams/10/relay/cut-all-p99", 3, 1000)}, "over budget: streams/10/relay/cut-one-p99 is 50.5 ms, of 50"},
		{"all", []figure{ms("streams/10/headers/cut-all-p99", 2000, 1000)}, "over budget: streams/10/headers/cut-all-p99 is 2000 ms, of 1000"},
		{
			"both",
			[]figure{ms("streams/10/relay/cut-one-p99", 51, 50), ms("streams/99/relay/cut-all-p99", 1001, 1000)},
			"over budget: streams/10/relay/cut-one-p99 is 51 ms, of 50; streams/99/relay/cut-all-p99 is 1001 ms, of 1000",
		},
		{"another thing", []figure{ms("streams/10/relay/guard-memory", 51, 50), ms("check/1/p99", 7, 5), newFigure("streams/10/relay/cut-one-p99", "", 60, millis)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := overBudget(tt.figures); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// What is over by a toll is found by the names that a run gives its figures.
func TestTollOverBudget(t *testing.T) {
	t.Parallel()
	slow := &toll{hold: holds()[2], n: 10, one: []time.Duration{time.Second}, all: []time.Duration{time.Minute}, policy: []time.Duration{time.Minute}}
	err := overBudget(slow.figures(&toll{hold: holds()[0], n: 10}))
	if want := "over budget: streams/10/relay/cut-one-p99 is 1000 ms, of 50; streams/10/relay/cut-all-p99 is 60000 ms, of 1000"; err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}
