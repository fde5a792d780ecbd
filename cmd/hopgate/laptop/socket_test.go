package laptop

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/authz/guard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tidied is a Laptop with a runtime folder that has a socket's file, and what it
// logs.
func tidied(t *testing.T) (*Laptop, *shared) {
	t.Helper()
	var log shared
	l := &Laptop{cfg: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, runtime: guard.Runtime{Dir: filepath.Join(t.TempDir(), "run")}}
	if err := os.Mkdir(l.runtime.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.Socket(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return l, &log
}

// TestWatchRuntime: a socket that went is told once, a folder that went is the
// end, and the end of all is none of both.
func TestWatchRuntime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, log := tidied(t)
		ended := make(chan error, 1)
		go func() { ended <- l.watchRuntime(t.Context(), time.Second) }()
		time.Sleep(3500 * time.Millisecond) // of the test's clock
		synctest.Wait()
		if log.Len() != 0 {
			t.Errorf("it tells of what is there: %s", log)
		}
		if err := os.Remove(l.Socket()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // of the test's clock
		synctest.Wait()
		if n := strings.Count(log.String(), "the guard's socket"); n != 1 {
			t.Errorf("told of the socket %d times, want once:\n%s", n, log)
		}
		if err := os.Remove(l.runtime.Dir); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, ErrEnvironment) || !strings.Contains(err.Error(), l.runtime.Dir) {
			t.Errorf("it ended with %v, want an ErrEnvironment that names the folder", err)
		}
	})
}

func TestWatchRuntimeEnds(t *testing.T) {
	t.Parallel()
	l, log := tidied(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := os.RemoveAll(l.runtime.Dir); err != nil {
		t.Fatal(err)
	}
	if err := l.watchRuntime(ctx, time.Nanosecond); err != nil || log.Len() != 0 {
		t.Errorf("at the end of all: %v, %s", err, log)
	}
}

// TestStateFolderIsClosed: one that others could read is closed to them when it
// is taken.
func TestStateFolderIsClosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the state folder has mode %v, %v, want 0700", st.Mode(), err)
	}
}

// shared is a log that one goroutine writes and another one reads.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Len is how many bytes were written.
func (s *shared) Len() int { return len(s.String()) }
