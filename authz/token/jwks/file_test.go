package jwks_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/internal/testenv"
)

const fileEvery = 5 * time.Second

func write(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace is what editors and deployments do: another file, renamed.
func replace(t *testing.T, path string, raw []byte) {
	t.Helper()
	write(t, path+".new", raw)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// onFile runs a test on a bench whose keys are in a file, "a" first.
func onFile(t *testing.T, test func(t *testing.T, b *bench, path string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	write(t, path, setOf(newEd25519(1).named("a")))
	onBench(t, func(_ *jwks.Config, spec *feedv1.KeySet) { spec.URL, spec.File = "", path }, func(t *testing.T, b *bench) {
		if !b.has("a") || b.said() != "" {
			t.Fatalf("said %q at once", b.said())
		}
		test(t, b, path)
		if b.issuer.count() > 0 {
			t.Error("something was fetched")
		}
	})
}

func TestAFileIsReplaced(t *testing.T) {
	t.Parallel()
	onFile(t, func(t *testing.T, b *bench, path string) {
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		replace(t, path, setOf(newEd25519(2).named("b")))
		// Its times and its size say that nothing has changed.
		if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
			t.Fatal(err)
		}
		b.pass(fileEvery)
		if !b.has("b") || b.has("a") || b.View().Generation != 1 {
			t.Errorf("kids %q, generation %d, %q", b.View().Set.IDs(), b.View().Generation, b.said())
		}
	})
}

func TestAFileIsWrittenInPlace(t *testing.T) {
	t.Parallel()
	onFile(t, func(t *testing.T, b *bench, path string) {
		whole := setOf(newEd25519(2).named("b"))
		write(t, path, whole[:len(whole)/2])
		b.pass(fileEvery)
		if !b.has("a") || !strings.Contains(b.said(), "truncated") {
			t.Errorf("half written: said %q, kids %q", b.said(), b.View().Set.IDs())
		}
		write(t, path, whole)
		b.pass(fileEvery)
		if !b.has("b") || b.said() != "" {
			t.Errorf("written: said %q, kids %q", b.said(), b.View().Set.IDs())
		}
	})
}

// TestAFileBehindLinks is how Kubernetes mounts a ConfigMap: the folder is a
// link, and changes as a whole.
func TestAFileBehindLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, raw := range map[string][]byte{"v1": setOf(newEd25519(1).named("a")), "v2": setOf(newEd25519(2).named("b"))} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "jwks.json"), raw)
	}
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "..data")
	link("..data/jwks.json", "jwks.json")
	change := func(_ *jwks.Config, spec *feedv1.KeySet) {
		spec.URL, spec.File = "", filepath.Join(dir, "jwks.json")
	}
	onBench(t, change, func(t *testing.T, b *bench) {
		if !b.has("a") {
			t.Errorf("said %q", b.said())
		}
		link("v2", "..data")
		b.pass(fileEvery)
		if !b.has("b") || b.has("a") {
			t.Errorf("said %q, kids %q after the change", b.said(), b.View().Set.IDs())
		}
	})
}

func TestAFileIsDeleted(t *testing.T) {
	t.Parallel()
	onFile(t, func(t *testing.T, b *bench, path string) {
		until := b.View().Until
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		b.pass(fileEvery)
		if !b.has("a") || !strings.Contains(b.said(), "no such file") || !strings.Contains(b.said(), path) {
			t.Errorf("said %q", b.said())
		}
		if want := time.Now().Add(time.Hour + timeout); !until.Equal(want) || !b.View().Until.Equal(until) {
			t.Errorf("good until %s, then %s, want %s", until, b.View().Until, want)
		}
		b.pass(time.Until(until))
		if b.has("a") || b.status().Ready {
			t.Error("used after MaxStale")
		}
		write(t, path, setOf(newEd25519(1).named("a")))
		b.pass(fileEvery)
		if !b.has("a") || b.View().Generation != 0 {
			t.Errorf("said %q when it is back", b.said())
		}
	})
}

// TestAFileThatDoesNotChange is read, and its keys stay current.
func TestAFileThatDoesNotChange(t *testing.T) {
	t.Parallel()
	onFile(t, func(t *testing.T, b *bench, path string) {
		first := b.View()
		b.pass(2 * time.Hour)
		v := b.View()
		if v.Set != first.Set || v.Generation != 0 || v.Loaded.Sub(first.Loaded) != 2*time.Hour || !b.has("a") {
			t.Errorf("view %+v after %+v", v, first)
		}
		if n := strings.Count(b.log.String(), "\n"); n != 1 {
			t.Errorf("%d lines in the log:\n%s", n, b.log)
		}
	})
}

// TestAFileThatComesLater is looked for at the pace of files.
func TestAFileThatComesLater(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jwks.json")
	onBench(t, func(_ *jwks.Config, spec *feedv1.KeySet) { spec.URL, spec.File = "", path }, func(t *testing.T, b *bench) {
		if b.status().Ready || !strings.Contains(b.said(), "no such file") {
			t.Errorf("said %q", b.said())
		}
		write(t, path, setOf(newEd25519(1).named("a")))
		b.pass(fileEvery)
		if !b.has("a") {
			t.Errorf("said %q", b.said())
		}
	})
}

// TestAFileIsReadWhenAKidIsNotKnown, once in FileEvery.
func TestAFileIsReadWhenAKidIsNotKnown(t *testing.T) {
	t.Parallel()
	onFile(t, func(t *testing.T, b *bench, path string) {
		b.pass(fileEvery + 1)
		b.pass(fileEvery - 2)
		replace(t, path, setOf(newEd25519(2).named("b")))
		if b.MayAsk("b") {
			t.Error("read again at once")
		}
		b.pass(1)
		if !b.has("b") {
			t.Error("not read in its time")
		}
	})
}

// TestWhatIsNoFile is refused at once: none of it may hang whoever applies a
// configuration, or fill the memory.
func TestWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := testenv.ShortDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write(t, at("empty"), nil)
	write(t, at("huge"), make([]byte, jwks.MaxBytes+1))
	write(t, at("text"), []byte("kid: a"))
	for link, to := range map[string]string{"to-pipe": "pipe", "loop": "loop", "to-nothing": "nothing"} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ path, want string }{
		{at("pipe"), "is not a regular file"},
		{at("to-pipe"), "is not a regular file"},
		{dir, "is not a regular file"},
		{"/dev/zero", "is not a regular file"},
		{at("socket"), "read key set: open"},
		{at("loop"), "read key set: open"},
		{at("to-nothing"), "no such file"},
		{at("nothing"), "no such file"},
		{at("text/below"), "not a directory"},
		{at("\x00"), "invalid argument"},
		{at("empty"), "empty"},
		{at("huge"), "more than 524288 bytes"},
		{at("text"), "syntax"},
	} {
		all := jwks.New(jwks.Config{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			all.Apply(map[feedv1.Key]feedv1.KeySet{corp: {File: c.path}})
		}()
		testenv.Wait(t, "Apply of "+c.path, func() bool { return closed(done) })
		if s := all.Status()[0]; s.Ready || s.Err == nil || !strings.Contains(s.Err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.path, s.Err, c.want)
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
