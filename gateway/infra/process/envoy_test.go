package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/internal/testenv"
)

// orphanDir makes the test binary run an Envoy there and wait to be killed.
const orphanDir = "HOPGATE_TEST_ORPHAN_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(orphanDir); dir != "" {
		runForEver(dir)
	}
	goleak.VerifyTestMain(m)
}

func adminOnly(dir string) []byte {
	return fmt.Appendf(nil, `{"node":{"id":"t","cluster":"t"},"admin":{"address":{"pipe":{"path":%q}}}}`, process.AdminSocket(dir))
}

// logs collects a log. It is safe for concurrent use.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, cfg process.Config) (*process.Envoy, *logs, func() error) {
	t.Helper()
	out := &logs{}
	cfg.Path, cfg.Concurrency = testenv.Envoy(t), 1
	if cfg.Dir == "" {
		cfg.Dir = testenv.ShortDir(t)
	}
	if cfg.Bootstrap == nil {
		cfg.Bootstrap = adminOnly(cfg.Dir)
	}
	cfg.Log = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Backoff = func(int) time.Duration { return time.Millisecond }
	e, err := process.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	return e, out, stop
}

func ready(e *process.Envoy) func() bool {
	return func() bool { return e.Admin().Ready(context.Background()) }
}

func TestRunStopsWithItsContext(t *testing.T) {
	t.Parallel()
	e, _, stop := start(t, process.Config{})
	testenv.Wait(t, "envoy ready", ready(e))
	pid := e.PID()
	if err := stop(); err != nil {
		t.Fatalf("Run: %v", err)
	}
	if alive(pid) {
		t.Errorf("envoy %d is alive after Run returned", pid)
	}
}

func TestRestartsWhatDies(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []int
	e, out, _ := start(t, process.Config{Started: func(pid int) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, pid)
	}})
	testenv.Wait(t, "envoy ready", ready(e))
	first := e.PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "another envoy", func() bool { return e.PID() != 0 && e.PID() != first && ready(e)() })
	if e.Restarts() != 1 {
		t.Errorf("restarts = %d, want 1", e.Restarts())
	}
	if !strings.Contains(out.String(), "envoy ended, restarting it") {
		t.Errorf("the log does not tell of the restart:\n%s", out)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 2 || told[0] != first || told[1] != e.PID() {
		t.Errorf("Started was told %v, want %d and %d", told, first, e.PID())
	}
}

func TestGivesUpOnWhatNeverStarts(t *testing.T) {
	t.Parallel()
	dir := testenv.ShortDir(t)
	e, err := process.New(process.Config{
		Path: testenv.Envoy(t), Dir: dir, Bootstrap: []byte(`{"no_such_field": 1}`),
		Log: slog.New(slog.DiscardHandler), Backoff: func(int) time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	err = e.Run(t.Context())
	if !errors.Is(err, process.ErrDidNotStart) || !strings.Contains(err.Error(), "no_such_field") {
		t.Errorf("Run = %v, want ErrDidNotStart with Envoy's words", err)
	}
}

func TestLogIsFoldedAndQuiet(t *testing.T) {
	t.Parallel()
	dir := testenv.ShortDir(t)
	e, out, stop := start(t, process.Config{Bootstrap: []byte(fmt.Sprintf(
		`{"node":{"id":"t","cluster":"t"},"admin":{"address":{"pipe":{"path":%q}}},"layered_runtime":{"layers":[{"name":"x","static_layer":{"no.such.thing":1}}]}}`,
		process.AdminSocket(dir)))})
	_ = e
	testenv.Wait(t, "a line of Envoy's in our log", func() bool { return strings.Contains(out.String(), "from=envoy component=") })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, "level=DEBUG") || strings.Contains(got, "level=INFO") {
		t.Errorf("Envoy tells more than warnings:\n%s", got)
	}
}

// TestNeverAnOrphan kills a parent that has no chance to tidy up.
func TestNeverAnOrphan(t *testing.T) {
	t.Parallel()
	testenv.Envoy(t)
	dir := testenv.ShortDir(t)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), orphanDir+"="+dir, "HOPGATE_TEST_ENVOY="+testenv.Envoy(t))
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(dir, "pid")
	var pid int
	testenv.Wait(t, "the parent's envoy", func() bool {
		raw, err := os.ReadFile(pidFile)
		n, _ := fmt.Sscan(string(raw), &pid)
		return err == nil && n == 1 && alive(pid)
	})
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	testenv.Wait(t, "envoy to follow its parent", func() bool { return !alive(pid) })
}

func runForEver(dir string) {
	e, err := process.New(process.Config{
		Path: os.Getenv("HOPGATE_TEST_ENVOY"), Dir: dir, Bootstrap: adminOnly(dir), Log: slog.New(slog.DiscardHandler),
		Started: func(pid int) { _ = os.WriteFile(filepath.Join(dir, "pid"), fmt.Append(nil, pid), 0o600) },
	})
	if err == nil {
		err = e.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// alive is false for a process that is gone or waits to be reaped.
func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
