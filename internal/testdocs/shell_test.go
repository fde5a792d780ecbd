package testdocs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell is a sh that commands are typed into, one after the other: variables and
// folders stay as they were left.
type shell struct {
	t    *testing.T
	dir  string
	in   io.WriteCloser
	code chan int
	n    int
}

// patience is how long one command may take.
const patience = 40 * time.Second

func newShell(t *testing.T, dir string, env []string) *shell {
	t.Helper()
	cmd := exec.Command("sh")
	cmd.Dir, cmd.Env = dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	codes, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	s := &shell{t: t, dir: dir, in: in, code: make(chan int)}
	go func() {
		defer close(s.code)
		for sc := bufio.NewScanner(codes); sc.Scan(); {
			n, err := strconv.Atoi(sc.Text())
			if err != nil {
				n = -1
			}
			s.code <- n
		}
	}()
	t.Cleanup(func() {
		in.Close()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with all that it started
		_ = cmd.Wait()                                      // it was killed
		codes.Close()
		for range s.code {
			// what was not waited for
		}
	})
	return s
}

// do types one command, and returns what it prints, on both streams, and its
// exit code.
func (s *shell) do(command string) (printed string, code int) {
	s.t.Helper()
	s.n++
	out := filepath.Join(s.dir, fmt.Sprintf(".typed-%d", s.n))
	// In braces it is the shell's own: variables stay.
	if _, err := fmt.Fprintf(s.in, "{\n%s\n} >%s 2>&1 </dev/null 3>&-\necho $? >&3\n", command, out); err != nil {
		s.t.Fatalf("type %s: %v", command, err)
	}
	select {
	case c, ok := <-s.code:
		if !ok {
			s.t.Fatalf("the shell ended at: %s\n%s", command, s.read(out))
		}
		return s.read(out), c
	case <-time.After(patience):
		s.t.Fatalf("no end after %s of: %s\n%s", patience, command, s.read(out))
	}
	return "", 0
}

func (s *shell) read(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(raw)
}

// complete reports whether a command needs no further lines: quotes and braces
// are closed, and here-documents have come to their end.
func complete(text string) bool {
	if m := regexp.MustCompile(`<<-?\s*['"]?(\w+)`).FindStringSubmatch(text); m != nil {
		if !strings.HasSuffix(text, "\n"+m[1]) {
			return false
		}
	}
	return !strings.HasSuffix(text, `\`) && exec.Command("sh", "-n", "-c", text).Run() == nil
}
