package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Config is how an Envoy is run.
type Config struct {
	// Path is the binary.
	Path string
	// Dir is a private folder, short enough for sockets.
	Dir string
	// Bootstrap is the bootstrap in JSON.
	Bootstrap []byte
	// Concurrency is the number of workers; 0: one a core.
	Concurrency int
	// DrainTime is how long connections of a changed listener live on; 0: 30s.
	DrainTime time.Duration
	// Started is told the process id of each new child, at once. Optional.
	Started func(pid int)
	Log     *slog.Logger
	// Backoff gives the wait before restart n, 1 the first; nil: 250 ms
	// doubled each time, at most 10 s.
	Backoff func(n int) time.Duration
}

// Envoy is one child, restarted when it dies.
type Envoy struct {
	cfg   Config
	admin *Admin
	pid   atomic.Int64
	// restarts counts children after the first.
	restarts atomic.Int64
}

// ErrDidNotStart means that Envoy ended again and again before it served.
var ErrDidNotStart = errors.New("envoy did not start")

// bootstrapFile and adminSocket are names in Config.Dir.
const (
	bootstrapFile = "envoy.json"
	adminSocket   = "admin.sock"
)

// settled is how long a child must live for its end to count as the first.
const settled = 30 * time.Second

// triesToStart is how often a child may end, none having started.
const triesToStart = 4

// AdminSocket is where an Envoy in dir has its admin interface.
func AdminSocket(dir string) string { return filepath.Join(dir, adminSocket) }

// New writes the bootstrap, so that a folder that is not fit is told at once;
// Run starts the child.
func New(cfg Config) (*Envoy, error) {
	if cfg.Backoff == nil {
		cfg.Backoff = backoff
	}
	if cfg.DrainTime <= 0 {
		cfg.DrainTime = 30 * time.Second
	}
	if cfg.Started == nil {
		cfg.Started = func(int) {}
	}
	e := &Envoy{cfg: cfg, admin: NewAdmin(AdminSocket(cfg.Dir))}
	if err := e.writeBootstrap(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Envoy) writeBootstrap() error {
	if err := os.WriteFile(filepath.Join(e.cfg.Dir, bootstrapFile), e.cfg.Bootstrap, 0o600); err != nil {
		return fmt.Errorf("write envoy's bootstrap: %w", err)
	}
	return nil
}

func backoff(n int) time.Duration {
	return min(250*time.Millisecond<<min(n-1, 6), 10*time.Second)
}

// Admin is the child's admin interface.
func (e *Envoy) Admin() *Admin { return e.admin }

// PID is the process id of the running child; 0: none is running.
func (e *Envoy) PID() int { return int(e.pid.Load()) }

// Restarts is how many children came after the first.
func (e *Envoy) Restarts() int { return int(e.restarts.Load()) }

// Run keeps a child running until ctx ends, and returns when the last one is
// gone. It gives up with ErrDidNotStart when no child ever came so far as to
// open its admin interface.
func (e *Envoy) Run(ctx context.Context) error {
	early, everStarted := 0, false
	for {
		begun := time.Now()
		last, err := e.once(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was to end
		}
		if time.Since(begun) >= settled {
			early = 0
		}
		early++
		everStarted = everStarted || e.opened()
		if early >= triesToStart && !everStarted {
			return fmt.Errorf("%w (%w); it said:\n%s", ErrDidNotStart, err, last)
		}
		wait := e.cfg.Backoff(early)
		e.cfg.Log.Error("envoy ended, restarting it", "error", err, "in", wait)
		if !sleep(ctx, wait) {
			return nil
		}
		e.restarts.Add(1)
	}
}

// opened reports whether the last child opened its admin interface: its socket
// stays when it is gone.
func (e *Envoy) opened() bool {
	_, err := os.Stat(AdminSocket(e.cfg.Dir))
	return err == nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// once runs one child to its end. The thread is kept for the child's whole
// life, because the kernel ties the child's to it. The bootstrap is written
// for each: something may have tidied the folder since the last.
func (e *Envoy) once(ctx context.Context) (string, error) {
	if err := e.writeBootstrap(); err != nil {
		return "", err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = os.Remove(AdminSocket(e.cfg.Dir))        // a dead child's; a missing one is fine
	cmd := exec.Command(e.cfg.Path, e.args()...) //nolint:noctx // it is drained, not killed, when the context ends
	cmd.SysProcAttr = childAttr()
	cmd.Env = childEnv(os.Environ())
	out, err := cmd.StderrPipe()
	if err != nil {
		return "", fmt.Errorf("open envoy's log: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start envoy: %w", err)
	}
	// Who asks for the child's id finds what Started did.
	e.cfg.Started(cmd.Process.Pid)
	e.pid.Store(int64(cmd.Process.Pid))
	last := &tail{}
	var folded sync.WaitGroup
	folded.Go(func() { foldLog(out, e.cfg.Log, last) })
	stop := context.AfterFunc(ctx, func() { terminate(cmd.Process) })
	folded.Wait()
	err = cmd.Wait()
	stop()
	e.pid.Store(0)
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return last.String(), err
}

// terminate asks, and then insists.
func terminate(p *os.Process) {
	_ = p.Signal(syscall.SIGTERM) // it may be gone already
	time.AfterFunc(2*time.Second, func() { _ = p.Kill() })
}

func (e *Envoy) args() []string {
	args := []string{
		"--config-path", filepath.Join(e.cfg.Dir, bootstrapFile),
		"--disable-hot-restart",
		"--reject-unknown-dynamic-fields",
		"--drain-time-s", strconv.Itoa(int(e.cfg.DrainTime.Seconds())),
		"--drain-strategy", "immediate",
		// At debug it would print headers, and at info it tells at length
		// what is compiled into it.
		"--log-level", "warning",
		"--log-format", logFormat,
		// One line a cut stream would bury everything else.
		"--component-log-level", "ext_proc:error",
	}
	if e.cfg.Concurrency > 0 {
		args = append(args, "--concurrency", strconv.Itoa(e.cfg.Concurrency))
	}
	return args
}

// childEnv is what of our environment Envoy gets: nothing that could be a
// secret, nothing that changes how it dials.
func childEnv(env []string) []string {
	var out []string
	for _, kv := range env {
		for _, keep := range []string{"PATH=", "HOME=", "TMPDIR=", "LANG=", "TZ="} {
			if len(kv) >= len(keep) && kv[:len(keep)] == keep {
				out = append(out, kv)
			}
		}
	}
	return out
}
