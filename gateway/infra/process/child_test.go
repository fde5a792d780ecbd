package process_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/internal/testenv"
)

// play runs a script as an Envoy and waits until Run has given up on it.
func play(t *testing.T, script string, cfg process.Config) (string, error) {
	t.Helper()
	out := &logs{}
	cfg.Path = writeProgram(t, filepath.Join(t.TempDir(), "envoy"), "#!/bin/sh\n"+script)
	cfg.Dir = testenv.ShortDir(t)
	cfg.Log = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if cfg.Backoff == nil {
		cfg.Backoff = func(int) time.Duration { return 0 }
	}
	e, err := process.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Run(t.Context())
	return out.String(), err
}

// TestChildGetsNoSecrets: nothing of our environment that could be one, and
// nothing that changes how it dials.
func TestChildGetsNoSecrets(t *testing.T) {
	for k, v := range map[string]string{"API_KEY": "s3cret", "HTTPS_PROXY": "http://p", "PATHS": "x", "TZ": "UTC"} {
		t.Setenv(k, v)
	}
	log, err := play(t, "env >&2\n", process.Config{})
	if !errors.Is(err, process.ErrDidNotStart) {
		t.Errorf("Run = %v, want ErrDidNotStart", err)
	}
	if !strings.Contains(log, "PATH=") || !strings.Contains(log, "TZ=UTC") {
		t.Errorf("the child misses what it needs:\n%s", log)
	}
	for _, not := range []string{"API_KEY", "s3cret", "HTTPS_PROXY", "PATHS="} {
		if strings.Contains(log, not) {
			t.Errorf("the child gets %s:\n%s", not, log)
		}
	}
}

// TestChildIsToldHow: at a level that prints no headers, refusing what it does
// not know.
func TestChildIsToldHow(t *testing.T) {
	t.Parallel()
	log, _ := play(t, "echo \"args $*\" >&2\n", process.Config{Concurrency: 3, DrainTime: 7 * time.Second})
	for _, want := range []string{
		"--log-level warning", "--component-log-level ext_proc:error", "--reject-unknown-dynamic-fields", "--disable-hot-restart",
		"--concurrency 3", "--drain-time-s 7", "--config-path ",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the child is not told %s:\n%s", want, log)
		}
	}
	log, _ = play(t, "echo \"args $*\" >&2\n", process.Config{})
	if strings.Contains(log, "--concurrency") || !strings.Contains(log, "--drain-time-s 30") {
		t.Errorf("the defaults are others:\n%s", log)
	}
}

// TestGivesUpInItsWords: the error has the last lines, and each wait is
// longer.
func TestGivesUpInItsWords(t *testing.T) {
	t.Parallel()
	var waits []int
	log, err := play(t, "echo 'E|main|it is all wrong' >&2; exit 7\n", process.Config{Backoff: func(n int) time.Duration {
		waits = append(waits, n)
		return 0
	}})
	if !errors.Is(err, process.ErrDidNotStart) || !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "it is all wrong") {
		t.Errorf("Run = %v, want ErrDidNotStart with how it ended", err)
	}
	if len(waits) != 3 || waits[0] != 1 || waits[2] != 3 {
		t.Errorf("waited before restarts %v, want 1, 2, 3", waits)
	}
	if n := strings.Count(log, `level=ERROR msg="it is all wrong" from=envoy component=main`); n != 4 {
		t.Errorf("%d of its lines are in our log, want 4:\n%s", n, log)
	}
}

func TestOneThatEndsByItself(t *testing.T) {
	t.Parallel()
	if _, err := play(t, "exit 0\n", process.Config{}); !errors.Is(err, process.ErrDidNotStart) || !strings.Contains(err.Error(), "it ended by itself") {
		t.Errorf("Run = %v, want ErrDidNotStart that says so", err)
	}
}

func TestOneThatCannotBeRun(t *testing.T) {
	t.Parallel()
	e, err := process.New(process.Config{
		Path: filepath.Join(t.TempDir(), "nothing"), Dir: testenv.ShortDir(t), Log: slog.New(slog.DiscardHandler),
		Backoff: func(int) time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); !errors.Is(err, process.ErrDidNotStart) || !strings.Contains(err.Error(), "start envoy") {
		t.Errorf("Run = %v, want ErrDidNotStart", err)
	}
	if e.PID() != 0 {
		t.Errorf("PID = %d, and nothing runs", e.PID())
	}
}

func TestNewWantsItsFolder(t *testing.T) {
	t.Parallel()
	if _, err := process.New(process.Config{Dir: filepath.Join(t.TempDir(), "nothing")}); err == nil || !strings.Contains(err.Error(), "write envoy's bootstrap") {
		t.Errorf("New = %v", err)
	}
}

// TestOneThatDoesNotListen is killed when it was asked and did not go.
func TestOneThatDoesNotListen(t *testing.T) {
	t.Parallel()
	dir := testenv.ShortDir(t)
	begun := make(chan int, 1)
	e, err := process.New(process.Config{
		Path: writeProgram(t, filepath.Join(dir, "envoy"), "#!/bin/sh\ntrap '' TERM\nexec sleep 60\n"), Dir: dir,
		Log: slog.New(slog.DiscardHandler), Started: func(pid int) { begun <- pid },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	pid := <-begun
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("Run = %v", err)
	}
	if alive(pid) {
		t.Error("it is alive after Run returned")
	}
}

// TestRunEndsInAWait: a process that is told to go does not wait for the next
// start of its Envoy.
func TestRunEndsInAWait(t *testing.T) {
	t.Parallel()
	waiting := make(chan struct{}, 1)
	dir := testenv.ShortDir(t)
	e, err := process.New(process.Config{
		Path: writeProgram(t, filepath.Join(dir, "envoy"), "#!/bin/sh\nexit 1\n"), Dir: dir, Log: slog.New(slog.DiscardHandler),
		Backoff: func(int) time.Duration {
			waiting <- struct{}{}
			return time.Hour
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	<-waiting
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("Run = %v", err)
	}
	if e.Restarts() != 0 {
		t.Errorf("restarts = %d", e.Restarts())
	}
}

// TestOneThatHasServedIsAlwaysRestarted, however often and quickly it dies.
func TestOneThatHasServedIsAlwaysRestarted(t *testing.T) {
	t.Parallel()
	e, _, stop := start(t, process.Config{})
	for n := range 5 {
		testenv.Wait(t, "envoy ready", ready(e))
		pid := e.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testenv.Wait(t, "a restart", func() bool { return e.Restarts() == n+1 })
	}
	testenv.Wait(t, "envoy ready", ready(e))
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// TestStartsAgainInATidiedFolder: what something removed from the folder is
// there again for the next child.
func TestStartsAgainInATidiedFolder(t *testing.T) {
	t.Parallel()
	dir := testenv.ShortDir(t)
	e, _, _ := start(t, process.Config{Dir: dir})
	testenv.Wait(t, "envoy ready", ready(e))
	pid := e.PID()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("the folder has %v, %v", files, err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "another envoy", func() bool { return e.PID() != 0 && e.PID() != pid && ready(e)() })
	if e.Restarts() != 1 {
		t.Errorf("restarts = %d, want 1", e.Restarts())
	}
}
