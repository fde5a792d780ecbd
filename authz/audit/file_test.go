package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	var d osDisk
	f, err := d.open(path)
	must(t, err)
	defer f.Close()
	_, err = f.Write([]byte("one\n"))
	must(t, err, f.Sync(), f.Truncate(2))
	_, err = f.Write([]byte("x"))
	must(t, err)
	if b, err := d.read(path); err != nil || string(b) != "onx" {
		t.Errorf("%q %v", b, err)
	}
	steps := []struct {
		name string
		do   func() error
		want bool
	}{
		{"as it is", func() error { return nil }, true},
		{"renamed", func() error { return os.Rename(path, path+".1") }, false},
		{"another in its place", func() error { return os.WriteFile(path, nil, 0o600) }, false},
		{"renamed back", func() error { return os.Rename(path+".1", path) }, true},
		{"removed", func() error { return os.Remove(path) }, false},
	}
	for _, s := range steps {
		must(t, s.do())
		if got, err := d.current(f, path); got != s.want || err != nil {
			t.Errorf("%s: %v %v", s.name, got, err)
		}
	}
	if _, err := d.current(f, filepath.Join(dir, "a\x00b")); err == nil {
		t.Error("a path that cannot be is looked at")
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var d osDisk
	path := filepath.Join(dir, "state")
	must(t, d.replace(path, []byte("1")), d.replace(path, []byte("2")))
	if b, err := os.ReadFile(path); err != nil || string(b) != "2" {
		t.Errorf("%q %v", b, err)
	}
	if err := d.replace(filepath.Join(dir, "no", "state"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var d osDisk
	if _, err := d.lock(filepath.Join(dir, "no", "lock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	path := filepath.Join(dir, "lock")
	must(t, os.WriteFile(path, []byte("what is left of a longer text"), 0o600))
	lock, err := d.lock(path)
	must(t, err)
	if _, err := d.lock(path); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "another process ") {
		t.Errorf("second lock: %v", err)
	}
	must(t, os.WriteFile(path, []byte("not a number"), 0o600))
	if _, err := d.lock(path); !errors.Is(err, ErrInUse) || strings.Contains(err.Error(), "number") {
		t.Errorf("a lock that does not say whose it is: %v", err)
	}
	must(t, lock.Close())
	again, err := d.lock(path)
	must(t, err, again.Close())
}
