package file

import (
	"os"
	"path/filepath"
	"testing"
)

func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return dir
}

func TestNotifierFollowsFolders(t *testing.T) {
	t.Parallel()
	dir := realDir(t)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	must(t, os.Mkdir(a, 0o700))
	must(t, os.Mkdir(b, 0o700))
	n, err := newNotifier()
	must(t, err)
	t.Cleanup(func() { must(t, n.close()) })

	watch := func(want bool, paths ...string) {
		t.Helper()
		folders := map[string]interest{}
		for _, p := range paths {
			folders[p] = interest{all: true}
		}
		isNew, problems := n.watch(folders)
		if isNew != want || len(problems) != 0 {
			t.Errorf("new: %v, want %v; problems: %v", isNew, want, problems)
		}
	}
	watch(true, a)
	watch(false, a)
	watch(true, a, b)
	watch(false, b)
	watch(true, a, b)
	// A folder that is not there is no problem: the listing says so.
	watch(false, a, b, filepath.Join(dir, "none"))
	// Another folder under the same name needs another watch.
	must(t, os.Rename(a, filepath.Join(dir, "old")))
	must(t, os.Mkdir(a, 0o700))
	watch(true, a, b)
	overwrite(t, filepath.Join(a, "x.yaml"), "")
	for e := range n.events() {
		if e.Name == filepath.Join(a, "x.yaml") {
			break
		}
	}
}

func TestNotifierSaysWhatIsNotWatched(t *testing.T) {
	t.Parallel()
	dir := realDir(t)
	n, err := newNotifier()
	must(t, err)
	must(t, n.close())
	isNew, problems := n.watch(map[string]interest{dir: {all: true}})
	if isNew || len(problems) != 1 || problems[0].File != dir || problems[0].Severity != "warning" {
		t.Errorf("new: %v, problems: %v", isNew, problems)
	}
}
