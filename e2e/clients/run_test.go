package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopgate/hopgate/internal/testenv"
)

// patience is how long one client may take on a busy machine.
const patience = 60 * time.Second

// printed is what a client has shown, and its exit code.
type printed struct {
	code int
	text string
	// cpu is how long it has computed, with all that it started.
	cpu time.Duration
}

// run types a script into a shell, in a place of its own. The gateway goes
// first where the machine is busy: it cuts what it cannot hold.
func run(ctx context.Context, script string, env []string, dir string) (printed, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", "sh", "-e", "-c", script)
	cmd.Dir, cmd.Env = filepath.Join(dir, "here"), env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it has started and left behind, if any
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return printed{}, fmt.Errorf("no end after %s:\n%s", patience, out.String())
	case err != nil && !errors.As(err, &exit):
		return printed{}, err
	}
	s := cmd.ProcessState
	return printed{code: s.ExitCode(), text: out.String(), cpu: s.UserTime() + s.SystemTime()}, nil
}

// place is a folder with a home, a working folder, and one for temporary files.
func place(t testing.TB) string {
	t.Helper()
	dir := testenv.ShortDir(t)
	for _, name := range []string{"home", "here", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// environment is what a client has besides the page's settings: a home, where
// its programs and libraries are, and nothing of this machine's own settings.
func environment(t testing.TB, dir string) []string {
	t.Helper()
	libraries := filepath.Join(testenv.Root(t), "bin", "clients")
	rust := os.Getenv("RUSTUP_HOME")
	if rust == "" {
		rust = filepath.Join(os.Getenv("HOME"), ".rustup")
	}
	env := []string{
		"HOME=" + filepath.Join(dir, "home"), "TMPDIR=" + filepath.Join(dir, "tmp"), "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "NO_COLOR=1", "RUSTUP_HOME=" + rust,
		"PYTHONPATH=" + filepath.Join(libraries, "python"), "PYTHONDONTWRITEBYTECODE=1", "NODE_PATH=" + filepath.Join(libraries, "node", "node_modules"),
		// What programs say of themselves, and where an administrator has set them up.
		"PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_ROOT_USER_ACTION=ignore", "PIP_CONFIG_FILE=" + os.DevNull,
		"npm_config_update_notifier=false", "npm_config_globalconfig=" + filepath.Join(dir, "none"), "GIT_CONFIG_NOSYSTEM=1",
		"GOTOOLCHAIN=local", "GOFLAGS=-modcacherw",
		// A machine that tests has more to do.
		"JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
	}
	for _, keep := range []string{"PYENV_ROOT", "PYENV_VERSION", "JAVA_HOME"} {
		if v := os.Getenv(keep); v != "" {
			env = append(env, keep+"="+v)
		}
	}
	return env
}

// has reports whether a command ends well on this machine, and what it prints.
func has(t testing.TB, command string) (string, bool) {
	t.Helper()
	dir := place(t)
	p, err := run(t.Context(), command, environment(t, dir), dir)
	return strings.TrimSpace(p.text), err == nil && p.code == 0
}
