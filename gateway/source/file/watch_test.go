package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

// watching is a running Source and what it delivered.
type watching struct {
	t      *testing.T
	deltas chan source.Delta
	set    source.Set
	last   source.Delta
}

// watch runs a Source until the test ends. It looks by itself so seldom that a
// test passes by events alone.
func watch(t *testing.T, c Config) *watching {
	t.Helper()
	w := &watching{t: t, deltas: make(chan source.Delta, 100)}
	c.Sink = func(d source.Delta) { w.deltas <- d }
	if c.Poll == 0 {
		c.Poll = time.Hour
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	w.next()
	return w
}

// next takes one Delta.
func (w *watching) next() {
	w.t.Helper()
	select {
	case d := <-w.deltas:
		w.set.Apply(d)
		w.last = d
	case <-time.After(20 * time.Second):
		w.t.Fatalf("no change; the state is: %s", w.state())
	}
}

// state is the Services and their ports, then the problems.
func (w *watching) state() string {
	var out []string
	for _, o := range w.set.All() {
		out = append(out, o.Ref.Name+":"+describePort(o))
	}
	for _, p := range w.last.Problems {
		out = append(out, fmt.Sprintf("[%s: %s (%s)]", filepath.Base(p.File), p.Message, p.Effect))
	}
	return strings.Join(out, " ")
}

// await takes Deltas until the state is the wanted one.
func (w *watching) await(want string) {
	w.t.Helper()
	for w.state() != want {
		w.next()
	}
}

// editor changes a file from one text to another in its own way.
type editor struct {
	name string
	save func(t *testing.T, path, text string)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func editors() []editor {
	return []editor{
		{"in place", overwrite},
		{"rename over", func(t *testing.T, path, text string) {
			overwrite(t, path+".tmp", text)
			must(t, os.Rename(path+".tmp", path))
		}},
		{"vim", func(t *testing.T, path, text string) {
			dir, name := filepath.Split(path)
			overwrite(t, filepath.Join(dir, "."+name+".swp"), "b0VIM")
			overwrite(t, filepath.Join(dir, "4913"), "")
			must(t, os.Remove(filepath.Join(dir, "4913")))
			must(t, os.Rename(path, path+"~"))
			overwrite(t, path, text)
			must(t, os.Remove(path+"~"))
			must(t, os.Remove(filepath.Join(dir, "."+name+".swp")))
		}},
		{"emacs", func(t *testing.T, path, text string) {
			dir, name := filepath.Split(path)
			must(t, os.Symlink("user@host.1234", filepath.Join(dir, ".#"+name)))
			overwrite(t, filepath.Join(dir, "#"+name+"#"), "half a te")
			must(t, os.Rename(path, path+"~"))
			overwrite(t, path, text)
			must(t, os.Remove(filepath.Join(dir, "#"+name+"#")))
			must(t, os.Remove(filepath.Join(dir, ".#"+name)))
		}},
		{"remove and write", func(t *testing.T, path, text string) {
			must(t, os.Remove(path))
			overwrite(t, path, text)
		}},
		{"truncate and append", func(t *testing.T, path, text string) {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0o600)
			must(t, err)
			for _, line := range strings.SplitAfter(text, "\n") {
				_, err := f.WriteString(line)
				must(t, err)
			}
			must(t, f.Close())
		}},
	}
}

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestWatchEditors(t *testing.T) {
	t.Parallel()
	checker := schema.New()
	for _, e := range editors() {
		for _, root := range []string{"folder", "file"} {
			t.Run(e.name+" in a "+root, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				path := filepath.Join(dir, "a.yaml")
				write(t, path, serviceText("a", 80))
				paths := map[string]string{"folder": dir, "file": path}
				w := watch(t, Config{Paths: []string{paths[root]}, Checker: checker})
				w.await("a:80")
				for port := 81; port < 84; port++ {
					e.save(t, path, serviceText("a", port))
					w.await(fmt.Sprintf("a:%d", port))
				}
			})
		}
	}
}

func TestWatchBrokenEdit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	write(t, path, serviceText("a", 80)+"---\n"+serviceText("b", 80))
	w := watch(t, Config{Paths: []string{dir}})
	w.await("a:80 b:80")
	overwrite(t, path, serviceText("a", 80)+"---\n"+serviceText("b", 0))
	w.await(`a:80 b:80 [a.yaml: 0: must be between 1 and 65535, inclusive (last good kept)]`)
	if len(w.last.Upserts)+len(w.last.Deletes) != 0 {
		t.Errorf("a broken edit changes objects: %+v", w.last)
	}
	overwrite(t, path, serviceText("a", 80)+"---\n"+serviceText("b", 81))
	w.await("a:80 b:81")
	if len(w.last.Upserts) != 1 {
		t.Errorf("upserts: %v", w.last.Upserts)
	}
}

func TestWatchFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), serviceText("a", 80))
	w := watch(t, Config{Paths: []string{dir}})
	w.await("a:80")

	write(t, filepath.Join(dir, "sub", "deep", "b.yaml"), serviceText("b", 80))
	w.await("a:80 b:80")
	overwrite(t, filepath.Join(dir, "sub", "deep", "b.yaml"), serviceText("b", 81))
	w.await("a:80 b:81")

	// A folder is moved away, and another one comes in its place.
	must(t, os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, ".away")))
	w.await("a:80")
	write(t, filepath.Join(dir, "sub", "deep", "c.yaml"), serviceText("c", 80))
	w.await("a:80 c:80")
	overwrite(t, filepath.Join(dir, "sub", "deep", "c.yaml"), serviceText("c", 81))
	w.await("a:80 c:81")

	must(t, os.RemoveAll(filepath.Join(dir, "sub")))
	w.await("a:80")

	// A file becomes a folder, and a file again.
	must(t, os.Remove(filepath.Join(dir, "a.yaml")))
	write(t, filepath.Join(dir, "a.yaml", "in.yaml"), serviceText("in", 80))
	w.await("in:80")
	must(t, os.RemoveAll(filepath.Join(dir, "a.yaml")))
	overwrite(t, filepath.Join(dir, "a.yaml"), serviceText("a", 82))
	w.await("a:82")
}

// TestWatchVanishedRoot holds that what was named by the user is kept when it
// vanishes, and read when it is back: as another folder.
func TestWatchVanishedRoot(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "config")
	write(t, filepath.Join(dir, "a.yaml"), serviceText("a", 80))
	w := watch(t, Config{Paths: []string{dir}})
	w.await("a:80")
	must(t, os.Rename(dir, filepath.Join(parent, "old")))
	w.await("a:80 [config: stat: no such file or directory (last good kept)]")
	write(t, filepath.Join(parent, "new", "a.yaml"), serviceText("a", 81))
	must(t, os.Rename(filepath.Join(parent, "new"), dir))
	w.await("a:81")
	overwrite(t, filepath.Join(dir, "a.yaml"), serviceText("a", 82))
	w.await("a:82")
}

func TestWatchRootThatComes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	w := watch(t, Config{Paths: []string{path}})
	w.await("[a.yaml: stat: no such file or directory (not served)]")
	overwrite(t, path, serviceText("a", 80))
	w.await("a:80")
}

// mount writes a ConfigMap mount as the kubelet does: a new folder with the
// data, then the link ..data is swapped by rename.
func mount(t *testing.T, dir, version string, files map[string]string) {
	t.Helper()
	data := "..2026_" + version
	for name, text := range files {
		write(t, filepath.Join(dir, data, name), text)
		link := filepath.Join(dir, name)
		if _, err := os.Lstat(link); os.IsNotExist(err) {
			symlink(t, filepath.Join("..data", name), link)
		}
	}
	old, _ := os.Readlink(filepath.Join(dir, "..data"))
	symlink(t, data, filepath.Join(dir, "..data_tmp"))
	must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	if old != "" {
		must(t, os.RemoveAll(filepath.Join(dir, old)))
	}
}

func TestWatchConfigMapMount(t *testing.T) {
	t.Parallel()
	checker := schema.New()
	for _, root := range []string{"folder", "file"} {
		t.Run(root, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			mount(t, dir, "1", map[string]string{"a.yaml": serviceText("a", 80)})
			path := map[string]string{"folder": dir, "file": filepath.Join(dir, "a.yaml")}[root]
			w := watch(t, Config{Paths: []string{path}, Checker: checker})
			w.await("a:80")
			for port := 81; port < 84; port++ {
				mount(t, dir, strconv.Itoa(port), map[string]string{"a.yaml": serviceText("a", port)})
				w.await(fmt.Sprintf("a:%d", port))
			}
			mount(t, dir, "broken", map[string]string{"a.yaml": "kind: ["})
			w.await("a:83 [a.yaml: is no YAML: did not find expected node content (last good kept)]")
			mount(t, dir, "mended", map[string]string{"a.yaml": serviceText("a", 90)})
			w.await("a:90")
		})
	}
}

func TestWatchLinkedFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, v := range []string{"v1", "v2"} {
		write(t, filepath.Join(dir, v, "a.yaml"), serviceText(v, 80))
	}
	current := filepath.Join(dir, "current")
	symlink(t, "v1", current)
	w := watch(t, Config{Paths: []string{current}})
	w.await("v1:80")
	swap := func(to string) {
		symlink(t, to, current+".new")
		must(t, os.Rename(current+".new", current))
	}
	swap("v2")
	w.await("v2:80")
	overwrite(t, filepath.Join(dir, "v2", "a.yaml"), serviceText("v2", 81))
	w.await("v2:81")
	swap("nowhere")
	w.await("v2:81 [current: stat: no such file or directory (last good kept)]")
	swap("v1")
	w.await("v1:80")
}

// TestWatchLinkedFile holds that an edit of what a link leads to, elsewhere, is
// seen.
func TestWatchLinkedFile(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(elsewhere, "x"), serviceText("a", 80))
	symlink(t, filepath.Join(elsewhere, "x"), filepath.Join(dir, "a.yaml"))
	w := watch(t, Config{Paths: []string{dir}})
	w.await("a:80")
	overwrite(t, filepath.Join(elsewhere, "x"), serviceText("a", 81))
	w.await("a:81")
}

func TestWatchEmptiedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	write(t, path, serviceText("a", 80))
	w := watch(t, Config{Paths: []string{dir}})
	w.await("a:80")
	overwrite(t, path, "")
	w.await("a:80 [a.yaml: the file is empty, objects that serve on: 1 (last good kept)]")
	must(t, os.Remove(path))
	w.await("")
}

// TestWatchKeepsState holds that what serves when Run ends is what the next
// Source finds in need.
func TestWatchKeepsState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	state := NewStateFile(filepath.Join(t.TempDir(), "lastgood.json"))
	write(t, path, serviceText("a", 80))
	t.Run("first", func(t *testing.T) {
		w := watch(t, Config{Paths: []string{dir}, LastGood: state})
		w.await("a:80")
		overwrite(t, path, serviceText("a", 81))
		w.await("a:81")
	})
	overwrite(t, path, "kind: Service\nmetadata: {name: a")
	w := watch(t, Config{Paths: []string{dir}, LastGood: state})
	w.await("a:81 [a.yaml: is no YAML: did not find expected ',' or '}' (last good kept)]")
}

// TestWatchByLooking holds that changes are found where the system says
// nothing of them.
func TestWatchByLooking(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	write(t, path, serviceText("a", 80))
	deltas := make(chan source.Delta, 10)
	s, err := New(Config{Paths: []string{dir}, Poll: 10 * time.Millisecond, Sink: func(d source.Delta) { deltas <- d }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.follow(ctx, deaf{os.ErrInvalid}) }()
	w := &watching{t: t, deltas: deltas}
	w.await("a:80 [.: is not watched: invalid argument ()]")
	overwrite(t, path, serviceText("a", 81))
	w.await("a:81 [.: is not watched: invalid argument ()]")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
