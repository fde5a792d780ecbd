package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asHopgate has the test binary be hopgate itself: so exit codes, streams and
// signals are the real ones.
const asHopgate = "HOPGATE_TEST_AS_HOPGATE"

func TestMain(m *testing.M) {
	if os.Getenv(asHopgate) != "" {
		os.Exit(run())
	}
	goleak.VerifyTestMain(m)
}

// call is one call of hopgate.
type call struct {
	args  []string
	stdin string
	env   []string
	dir   string
}

// result is what came of it.
type result struct {
	stdout, stderr string
	code           int
}

func (c call) command(t *testing.T) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, c.args...)
	// Nothing of the machine's own: no state folder, no token, no Envoy on PATH.
	home := c.dir
	if home == "" {
		home = t.TempDir()
	}
	cmd.Env = append([]string{asHopgate + "=1", "HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}, c.env...)
	if cover := os.Getenv("GOCOVERDIR"); cover != "" {
		cmd.Env = append(cmd.Env, "GOCOVERDIR="+cover)
	}
	cmd.Dir = c.dir
	cmd.Stdin = strings.NewReader(c.stdin)
	return cmd
}

func (c call) do(t *testing.T) result {
	t.Helper()
	cmd := c.command(t)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// hopgate calls it in a folder.
func hopgate(t *testing.T, dir string, args ...string) result {
	t.Helper()
	return call{args: args, dir: dir}.do(t)
}

func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("ended with %d, want %d\nstdout:\n%s\nstderr:\n%s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		write(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// write writes a file, and the folders it is in.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
