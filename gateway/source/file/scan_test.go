package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/fsnotify/fsnotify"
)

// listed is what a scan finds: files, lost paths and problems, without the
// folder.
func listed(l listing, dir string) (files, lost, problems []string) {
	short := func(s string) string { return strings.ReplaceAll(s, dir+"/", "") }
	for _, e := range l.entries {
		files = append(files, short(e.path))
	}
	for _, path := range l.lost {
		lost = append(lost, short(path))
	}
	for _, p := range l.problems {
		problems = append(problems, short(p.String()))
	}
	return files, lost, problems
}

func symlink(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestScanNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"b.yaml", "a.yml", "c.json", "sub/d.yaml", "sub/deeper/e.yaml",
		"x.txt", "x.yaml~", "#x.yaml#", ".x.yaml.swp", ".#x.yaml", "4913", "x.yaml.bak", "x.YAML", ".hidden/x.yaml", "..data/x.yaml", "yaml",
	} {
		write(t, filepath.Join(dir, name), "x")
	}
	files, lost, problems := listed(scan([]string{dir}), dir)
	expect(t, "files", files, "a.yml", "b.yaml", "c.json", "sub/d.yaml", "sub/deeper/e.yaml")
	expect(t, "lost", lost)
	expect(t, "problems", problems)
}

func TestScanRoots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sub/a.yaml"), "x")
	write(t, filepath.Join(dir, ".odd.name"), "x")
	sub := filepath.Join(dir, "sub")
	// A file that is named is read whatever its name; twice is once.
	files, _, problems := listed(scan([]string{filepath.Join(dir, ".odd.name"), sub, filepath.Join(sub, "a.yaml"), sub}), dir)
	expect(t, "files", files, ".odd.name", "sub/a.yaml")
	expect(t, "problems", problems, "sub: the folder is read already as sub")
	files, lost, problems := listed(scan([]string{filepath.Join(dir, "none"), filepath.Join(dir, "none", "deeper.yaml")}), dir)
	expect(t, "files of nothing", files)
	expect(t, "lost", lost, "none", "none/deeper.yaml")
	expect(t, "problems of nothing", problems, "none: stat: no such file or directory", "none/deeper.yaml: stat: no such file or directory")
}

func TestScanLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "real/a.yaml"), "x")
	symlink(t, ".", filepath.Join(dir, "real", "loop"))
	symlink(t, "real", filepath.Join(dir, "twice"))
	symlink(t, "nowhere.yaml", filepath.Join(dir, "broken.yaml"))
	symlink(t, "itself.yaml", filepath.Join(dir, "itself.yaml"))
	symlink(t, "nowhere", filepath.Join(dir, "not-read"))
	symlink(t, "real/a.yaml", filepath.Join(dir, "b.yaml"))
	l := scan([]string{dir})
	files, lost, problems := listed(l, dir)
	expect(t, "files", files, "b.yaml", "real/a.yaml")
	expect(t, "lost", lost, "broken.yaml", "itself.yaml")
	expect(t, "problems", problems,
		"broken.yaml: stat: no such file or directory",
		"itself.yaml: stat: too many levels of symbolic links",
		"real/loop: the folder is read already as real",
		"twice: the folder is read already as real")
	real, err := filepath.EvalSymlinks(filepath.Join(dir, "real"))
	if err != nil {
		t.Fatal(err)
	}
	if in := l.folders[real]; !in.all || !slices.Contains(in.names, "a.yaml") {
		t.Errorf("the folder that a link leads to: %+v", in)
	}
}

func TestScanIrregularFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.yaml"), 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "folder.yaml/a.yaml"), goodService)
	// A pipe would wait for its writer for ever.
	services, problems := load(t, dir)
	if services != "good" || problems != "pipe.yaml: is no regular file (not served)" {
		t.Errorf("%q\n%s", services, problems)
	}
}

func TestScanBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deep := strings.Repeat("d/", maxFolderDepth)
	write(t, filepath.Join(dir, deep, "a.yaml"), "x")
	write(t, filepath.Join(dir, deep, "d/b.yaml"), "x")
	files, _, problems := listed(scan([]string{dir}), dir)
	if len(files) != 1 || len(problems) != 1 || !strings.Contains(problems[0], "more than 32 levels") {
		t.Errorf("%q, %q", files, problems)
	}
	s := scanner{seen: map[string]bool{}}
	for i := range maxFiles + 1 {
		s.file(entry{path: fmt.Sprintf("/%d.yaml", i), shown: strconv.Itoa(i)}, false)
	}
	if len(s.out.entries) != maxFiles || len(s.out.lost) != 1 || len(s.out.problems) != 1 {
		t.Errorf("files: %d, lost: %d, problems: %d", len(s.out.entries), len(s.out.lost), len(s.out.problems))
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("the super-user reads everything")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), goodService)
	write(t, filepath.Join(dir, "sub/b.yaml"), serviceText("b", 80))
	for path, want := range map[string]string{
		"a.yaml": "a.yaml: open: permission denied; let this user read it (not served)",
		"sub":    "sub: open: permission denied (not served)",
	} {
		full := filepath.Join(dir, path)
		info, err := os.Stat(full)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(full, 0); err != nil {
			t.Fatal(err)
		}
		if _, problems := load(t, dir); problems != want {
			t.Errorf("%s:\n%s", path, problems)
		}
		if err := os.Chmod(full, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path, root string
		want       bool
	}{
		{"/a/b", "/a", true}, {"/a", "/a", true}, {"/ab", "/a", false}, {"/a", "/a/b", false}, {"/a", "/", true},
	} {
		if got := under(tc.path, []string{"/none", tc.root}); got != tc.want {
			t.Errorf("%s under %s: %v", tc.path, tc.root, got)
		}
	}
}

func TestEventsThatMatter(t *testing.T) {
	t.Parallel()
	folders := map[string]interest{"/all": {all: true}, "/some": {names: []string{"a.yaml", "odd"}}}
	for _, tc := range []struct {
		name string
		op   fsnotify.Op
		want bool
	}{
		{"/all/a.yaml", fsnotify.Write, true},
		{"/all/a.yaml", fsnotify.Chmod, true},
		{"/all/log.txt", fsnotify.Write, false},
		{"/all/log.txt", fsnotify.Create, true},
		{"/all/log.txt", fsnotify.Rename, true},
		{"/all/sub", fsnotify.Remove, true},
		{"/all/.a.yaml.swp", fsnotify.Create, false},
		{"/all/..data", fsnotify.Create, true},
		{"/all", fsnotify.Remove, true},
		{"/some/a.yaml", fsnotify.Write, true},
		{"/some/odd", fsnotify.Write, true},
		{"/some/b.yaml", fsnotify.Create, false},
		{"/some/..data", fsnotify.Create, true},
		{"/unknown/x", fsnotify.Write, true},
	} {
		if got := matters(fsnotify.Event{Name: tc.name, Op: tc.op}, folders); got != tc.want {
			t.Errorf("%v %s: %v", tc.op, tc.name, got)
		}
	}
}
