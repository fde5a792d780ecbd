package file

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

var update = flag.Bool("update", false, "write the wanted results")

// TestSteps runs testdata/*.txtar. Files N/PATH are what a folder holds at step
// N, N/want is what comes of it: changes, then problems. A file N/RESTART
// stands for a restart before the step, with the last good state of before;
// N/FORGET for one without.
func TestSteps(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	checker := schema.New()
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runSteps(t, checker, path)
		})
	}
}

func runSteps(t *testing.T, checker *schema.Checker, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]map[string][]byte{}
	for _, f := range archive.Files {
		step, name, _ := strings.Cut(f.Name, "/")
		if steps[step] == nil {
			steps[step] = map[string][]byte{}
		}
		steps[step][name] = f.Data
	}
	r := newRunner(t, checker)
	out := &txtar.Archive{Comment: archive.Comment}
	for _, step := range slices.Sorted(maps.Keys(steps)) {
		got := r.step(steps[step])
		if diff := cmp.Diff(string(steps[step]["want"]), got); diff != "" && !*update {
			t.Errorf("step %s (-want +got):\n%s", step, diff)
		}
		for _, f := range archive.Files {
			if strings.HasPrefix(f.Name, step+"/") && f.Name != step+"/want" {
				out.Files = append(out.Files, f)
			}
		}
		out.Files = append(out.Files, txtar.File{Name: step + "/want", Data: []byte(got)})
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// runner is a Source on a folder that the test writes.
type runner struct {
	t       testing.TB
	checker *schema.Checker
	dir     string
	state   string
	source  *Source
	before  map[source.Ref]source.Object
}

func newRunner(t testing.TB, checker *schema.Checker) *runner {
	t.Helper()
	r := &runner{t: t, checker: checker, dir: t.TempDir(), state: filepath.Join(t.TempDir(), "lastgood.json")}
	r.restart()
	return r
}

func (r *runner) restart() {
	r.t.Helper()
	s, err := New(Config{Paths: []string{r.dir}, Checker: r.checker, LastGood: NewStateFile(r.state)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.source, r.before = s, nil
}

// step makes the folder hold the files, and returns what comes of it.
func (r *runner) step(files map[string][]byte) string {
	r.t.Helper()
	_, restart := files["RESTART"]
	_, forget := files["FORGET"]
	if forget {
		if err := os.Remove(r.state); err != nil {
			r.t.Fatal(err)
		}
	}
	if restart || forget {
		r.restart()
	}
	r.clear()
	for name, text := range files {
		if name == "want" || name == "RESTART" || name == "FORGET" {
			continue
		}
		path := filepath.Join(r.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.look()
}

func (r *runner) clear() {
	r.t.Helper()
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(r.dir, e.Name())); err != nil {
			r.t.Fatal(err)
		}
	}
}

// look reads the folder, and returns changes and problems as text.
func (r *runner) look() string {
	r.t.Helper()
	_, problems := r.source.refresh()
	r.source.save()
	now := r.source.objects()
	delta := source.Diff(r.before, now)
	var b strings.Builder
	for _, o := range delta.Upserts {
		fmt.Fprintf(&b, "%s %s at %s:%d, document %d\n", r.mark(o), o.Ref, o.Origin.File, o.Origin.Line, o.Origin.Document)
		if o.Broken != nil {
			fmt.Fprintf(&b, "  %s\n", describe(o))
		}
	}
	for _, ref := range delta.Deletes {
		fmt.Fprintf(&b, "deleted %s\n", ref)
	}
	for _, p := range problems {
		fmt.Fprintf(&b, "%s: %s\n", p.Severity, p)
	}
	r.before = now
	return strings.ReplaceAll(b.String(), r.dir+string(filepath.Separator), "")
}

func (r *runner) mark(o source.Object) string {
	old, ok := r.before[o.Ref]
	switch {
	case o.Broken != nil:
		return "broken"
	case !ok:
		return "new"
	case old.Broken != nil:
		return "mended"
	case old.Hash == o.Hash && old.Value != o.Value:
		return "moved, WITH ANOTHER VALUE"
	case old.Hash == o.Hash:
		return "moved"
	}
	return "changed"
}
