package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/source/schema"
)

func TestStateFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lastgood.json")
	store := NewStateFile(path)
	if got, err := store.Load(); err != nil || got != nil {
		t.Fatalf("a missing file: %v, %v", got, err)
	}
	want := []Document{{Path: "/a.yaml", Line: 3, Number: 2, Text: []byte("a: b\n\x00\xff")}, {Path: "/b.yaml", Line: 1, Number: 1, Text: []byte("x")}}
	for _, documents := range [][]Document{want[:1], want} {
		if err := store.Save(documents); err != nil {
			t.Fatal(err)
		}
		got, err := store.Load()
		if diff := cmp.Diff(documents, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestStateFileReplacesLinks holds that a link beside the file does not lead
// the write elsewhere.
func TestStateFileReplacesLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	write(t, victim, "untouched")
	path := filepath.Join(dir, "lastgood.json")
	for _, link := range []string{path, path + ".new"} {
		if err := os.Symlink(victim, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := NewStateFile(path).Save([]Document{{Path: "x"}}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "untouched" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestStateFileErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tc := range []struct{ name, text, want string }{
		{"no JSON", "hunter2", "is damaged"},
		{"cut", `{"version":1,"documents":[{"path":"hunt`, "is damaged"},
		{"later version", `{"version":2}`, "version 2 is not 1"},
		{"no version", `{}`, "version 0 is not 1"},
		{"too large", strings.Repeat(" ", 1001), "more than 1000 bytes"},
	} {
		path := filepath.Join(dir, tc.name)
		write(t, path, tc.text)
		_, err := (&StateFile{path: path, most: 1000}).Load()
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunt") {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := NewStateFile(dir).Load(); err == nil {
		t.Error("a folder is read")
	}
	if err := NewStateFile(filepath.Join(dir, "none", "x")).Save(nil); err == nil {
		t.Error("a missing folder is no error")
	}
	if err := (&StateFile{path: filepath.Join(dir, "x"), most: 1000}).Save([]Document{{Text: make([]byte, 1000)}}); err == nil {
		t.Error("too much is saved")
	}
	// A folder in the way of either name.
	for _, name := range []string{"y", "z.new"} {
		write(t, filepath.Join(dir, name, "full"), "")
	}
	for _, name := range []string{"y", "z"} {
		if err := NewStateFile(filepath.Join(dir, name)).Save(nil); err == nil {
			t.Errorf("%s: a folder is replaced", name)
		}
	}
}

// failing is a store that does not work.
type failing struct{ saves int }

func (*failing) Load() ([]Document, error) { return nil, errors.New("load: no disk") }

func (f *failing) Save([]Document) error {
	f.saves++
	return errors.New("save: no disk")
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.yaml"), "kind: [")
	write(t, filepath.Join(dir, "good.yaml"), goodService)
	store := &failing{}
	s, err := New(Config{Paths: []string{dir}, LastGood: store})
	if err != nil {
		t.Fatal(err)
	}
	_, problems := s.refresh()
	if got := problems[0].String(); got != "load: no disk; nothing is kept from before the start" || len(s.objects()) != 1 {
		t.Errorf("%s, with %d objects", got, len(s.objects()))
	}
	s.save()
	_, problems = s.refresh()
	if got := problems[0].String(); got != "save: no disk; a restart with a broken file will not find the last good state" {
		t.Error(got)
	}
	// It is tried again until it works.
	s.save()
	if store.saves != 2 {
		t.Errorf("saves: %d", store.saves)
	}
}

// counting is a store that counts.
type counting struct {
	documents    []Document
	loads, saves int
}

func (c *counting) Load() ([]Document, error) { c.loads++; return c.documents, nil }
func (c *counting) Save(d []Document) error   { c.saves++; c.documents = d; return nil }

// TestStoreIsAskedOnlyInNeed holds that a good start reads no state, and that
// nothing is written again that did not change.
func TestStoreIsAskedOnlyInNeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), serviceText("b", 80)+"---\n"+serviceText("a", 80))
	store := &counting{}
	s, err := New(Config{Paths: []string{dir}, LastGood: store, Checker: schema.New()})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.refresh()
		s.save()
	}
	if store.loads != 0 || store.saves != 1 {
		t.Errorf("loads: %d, saves: %d", store.loads, store.saves)
	}
	if len(store.documents) != 2 || store.documents[0].Line != 1 || store.documents[1].Line != 5 {
		t.Errorf("documents are not sorted: %+v", store.documents)
	}
	write(t, filepath.Join(dir, "a.yaml"), serviceText("b", 81))
	s.refresh()
	s.save()
	if store.saves != 2 || len(store.documents) != 1 {
		t.Errorf("saves: %d, documents: %d", store.saves, len(store.documents))
	}
}

// TestSavedNonsense holds that what is not good in the store is as nothing.
func TestSavedNonsense(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	write(t, path, "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: []}\n")
	store := &counting{documents: []Document{
		{Path: path, Line: 1, Number: 1, Text: []byte("\x00")},
		{Path: path, Line: 1, Number: 1, Text: []byte(strings.Replace(goodService, "80", "0", 1))},
		{Path: "/elsewhere.yaml", Line: 1, Number: 1, Text: []byte(serviceText("a", 80))},
	}}
	s, err := New(Config{Paths: []string{dir}, LastGood: store})
	if err != nil {
		t.Fatal(err)
	}
	services, problems := summary(s.Load(), dir)
	if services != "" || !strings.HasSuffix(problems, "(not served)") {
		t.Errorf("%q\n%s", services, problems)
	}
}
