package guard

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func listen(t *testing.T, c *Caller) (net.Listener, string, *lines) {
	t.Helper()
	rt, err := NewRuntime(testenv.ShortDir(t))
	if err != nil {
		t.Fatal(err)
	}
	out := &lines{}
	l, err := Listen(rt.Socket(), c, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); _ = rt.Close() })
	return l, rt.Socket(), out
}

func TestSocketAnswersTheOneProcess(t *testing.T) {
	t.Parallel()
	c := NewCaller()
	c.Set(os.Getpid())
	l, path, _ := listen(t, c)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
}

func TestSocketWaitsForTheProcessToBeNamed(t *testing.T) {
	t.Parallel()
	c := NewCaller()
	l, path, _ := listen(t, c)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c.Set(os.Getpid())
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
}

func TestSocketRefusesAnotherProcess(t *testing.T) {
	t.Parallel()
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	c := NewCaller()
	c.Set(other.Process.Pid)
	_, path, out := listen(t, c)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("Read = %d, %v, want a closed connection", n, err)
	}
	if got := out.String(); !strings.Contains(got, "refused a process at the guard's socket") {
		t.Errorf("the log does not tell: %q", got)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	t.Parallel()
	_, path, _ := listen(t, NewCaller())
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		st, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", filepath.Base(p), st.Mode().Perm(), want)
		}
	}
}

func TestRuntimeTakesAShortFolder(t *testing.T) {
	t.Parallel()
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	short := testenv.ShortDir(t)
	rt, err := NewRuntime("", long, short)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(rt.Dir) != short {
		t.Errorf("folder %s is not below %s", rt.Dir, short)
	}
	if left, err := os.ReadDir(long); err != nil || len(left) != 0 {
		t.Errorf("left in the long folder: %v, %v", left, err)
	}
	if _, err := NewRuntime(long); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("NewRuntime = %v, want an error that says why", err)
	}
}

func TestListenRefusesALongPath(t *testing.T) {
	t.Parallel()
	if _, err := Listen("/"+strings.Repeat("x", 200), NewCaller(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "107") {
		t.Errorf("Listen = %v, want an error that says the limit", err)
	}
}
