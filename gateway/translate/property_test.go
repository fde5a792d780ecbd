package translate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// pool is all objects of the goldens: many versions of some, of all kinds.
func pool(t testing.TB) []source.Object {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	material := newMaterial(t)
	var out []source.Object
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, read(t, material.Replace(string(a.Files[0].Data)))...)
	}
	return out
}

// world is the objects after random edits.
type world struct {
	rng      *rand.Rand
	pool     []source.Object
	objects  map[source.Ref]source.Object
	problems []source.Problem
	outcomes map[graph.Owner]Outcome
}

// edit makes a random change.
func (w *world) edit() source.Delta {
	var d source.Delta
	for range 1 + w.rng.IntN(3) {
		if w.rng.IntN(4) == 0 && len(w.objects) > 0 {
			refs := slices.SortedFunc(maps.Keys(w.objects), source.Ref.Compare)
			ref := refs[w.rng.IntN(len(refs))]
			if slices.ContainsFunc(d.Upserts, func(o source.Object) bool { return o.Ref == ref }) {
				continue
			}
			delete(w.objects, ref)
			delete(w.outcomes, ownerOf(ref))
			d.Deletes = append(d.Deletes, ref)
			continue
		}
		o := w.pool[w.rng.IntN(len(w.pool))]
		if _, gone := w.objects[o.Ref]; !gone && slices.Contains(d.Deletes, o.Ref) {
			continue
		}
		w.objects[o.Ref] = o
		d.Upserts = append(d.Upserts, o)
	}
	if w.rng.IntN(10) == 0 {
		w.problems = nil
		if w.rng.IntN(2) == 0 {
			w.problems = []source.Problem{{Severity: source.Error, Ref: source.Ref{Kind: kindGateway}}}
		}
	}
	d.Problems = w.problems
	return d
}

// fresh translates the world as it is from nothing.
func (w *world) fresh(t *testing.T, c Config) (*Translator, Result) {
	tr := newTranslator(t, c)
	r := tr.Apply(source.Delta{
		Upserts:  slices.SortedFunc(maps.Values(w.objects), func(a, b source.Object) int { return a.Ref.Compare(b.Ref) }),
		Problems: w.problems,
	}, noon())
	for owner, o := range w.outcomes {
		r = tr.SetOutcome(owner, o, noon())
	}
	return tr, r
}

// TestIncremental holds the result of many edits against a translation of the
// final state from nothing, and what did not change against what it was.
func TestIncremental(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config Config
		steps  int
	}{{"files", filesConfig(), 150}, {"plain", plainConfig(), 100}} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s-%d", c.name, seed), func(t *testing.T) {
				t.Parallel()
				incremental(t, c.config, seed, c.steps)
			})
		}
	}
}

func incremental(t *testing.T, c Config, seed uint64, steps int) {
	t.Helper()
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), pool: pool(t),
		objects: map[source.Ref]source.Object{}, outcomes: map[graph.Owner]Outcome{},
	}
	tr := newTranslator(t, c)
	last := Result{Graph: &graph.Graph{}}
	for step := range steps {
		got := tr.Apply(w.edit(), noon())
		if w.rng.IntN(5) == 0 {
			got = w.refuse(tr, got)
		}
		checkSharing(t, last.Graph, got.Graph)
		checkGraph(t, got.Graph)
		last = got
		want, wanted := w.fresh(t, c)
		compare(t, step, "graph", wanted.Graph, got.Graph)
		compare(t, step, "feed", wanted.Feed, got.Feed)
		compare(t, step, "statuses", want.Statuses(), tr.Statuses())
	}
}

func compare(t *testing.T, step int, what string, fresh, got any) {
	t.Helper()
	if !reflect.DeepEqual(fresh, got) {
		t.Fatalf("step %d: %s (-fresh +incremental):\n%s", step, what, cmp.Diff(fresh, got, comparers()))
	}
}

// refuse has Envoy refuse what came of a random object.
func (w *world) refuse(tr *Translator, r Result) Result {
	refs := slices.SortedFunc(maps.Keys(w.objects), source.Ref.Compare)
	if len(refs) == 0 {
		return r
	}
	owner := ownerOf(refs[w.rng.IntN(len(refs))])
	o := Outcome{State: OutcomeRefused, Message: "no"}
	if w.rng.IntN(3) == 0 {
		o = Outcome{State: OutcomeTaken}
	}
	w.outcomes[owner] = o
	return tr.SetOutcome(owner, o, noon())
}

func comparers() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	}
}

// checkSharing wants equal entries of two graphs to be the same ones.
func checkSharing(t *testing.T, a, b *graph.Graph) {
	t.Helper()
	shared(t, a.Listeners, b.Listeners, func(l *graph.Listener) string { return l.Name })
	shared(t, a.Tables, b.Tables, func(l *graph.RouteTable) string { return l.Name })
	shared(t, a.Backends, b.Backends, func(l *graph.Backend) string { return l.Name })
	shared(t, a.Endpoints, b.Endpoints, func(l *graph.Endpoints) string { return l.Name })
	for _, x := range a.Tables {
		for _, y := range b.Tables {
			if x.Name == y.Name {
				shared(t, x.Fragments, y.Fragments, func(f *graph.Fragment) string { return f.Owner.String() })
			}
		}
	}
}

func shared[T any](t *testing.T, before, after []*T, name func(*T) string) {
	t.Helper()
	old := map[string]*T{}
	for _, x := range before {
		old[name(x)] = x
	}
	last := ""
	for _, x := range after {
		if name(x) <= last {
			t.Errorf("%s does not come after %s", name(x), last)
		}
		last = name(x)
		if y := old[name(x)]; y != nil && y != x && reflect.DeepEqual(x, y) {
			t.Errorf("%s is equal to the one before, and another pointer", name(x))
		}
	}
}
