package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/controller"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// The test binary plays other processes: a gateway that can be killed, and
// somebody at the guard's door.
const (
	roleEnv  = "HOPGATE_E2E_ROLE"
	filesEnv = "HOPGATE_E2E_FILES"
	stateEnv = "HOPGATE_E2E_STATE"
	envoyEnv = "HOPGATE_E2E_ENVOY"
	doorEnv  = "HOPGATE_E2E_SOCKET"

	roleGateway = "gateway"
	roleDialler = "dialler"
)

func play(role string) int {
	var err error
	switch role {
	case roleGateway:
		err = playGateway()
	case roleDialler:
		err = playDialler()
	default:
		err = fmt.Errorf("no such role: %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// playGateway runs the product until it is told to end, and says when it is
// ready.
func playGateway() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	l, err := laptop.New(ctx, laptop.Config{
		Paths: []string{os.Getenv(filesEnv)}, State: os.Getenv(stateEnv), Envoy: os.Getenv(envoyEnv), Concurrency: 1,
		Grace: 5 * time.Second, Version: "test", Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Report: announcer{},
	})
	if err != nil {
		return err
	}
	return l.Run(ctx)
}

// announcer writes Envoy's process id when all is served, and what the process
// has when it is asked by SIGUSR1.
type announcer struct{}

func (announcer) Changed(controller.Report) {}

func (announcer) Proven(canary.Verdict) {}

func (announcer) Ready(l *laptop.Laptop) {
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGUSR1)
	go func() {
		for range ask {
			fmt.Println(l.Guard().Live(), runtime.NumGoroutine())
		}
	}()
	fmt.Println(l.Envoy().PID())
}

// playDialler knocks at a socket, and fails where it is let in.
func playDialler() error {
	c, err := net.Dial("unix", os.Getenv(doorEnv))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	// The preface of HTTP/2, which a gRPC server answers with its settings.
	if _, err := c.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		return nil // closed already
	}
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		return errors.New("the socket answered")
	}
	return nil
}

// child is a gateway in a process of its own.
type child struct {
	*exec.Cmd
	envoy int
	out   *bufio.Reader
}

// has says how many hops are in the gateway's register, and how many goroutines
// it has.
func (c *child) has(t testing.TB) (hops, goroutines int) {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscan(c.out, &hops, &goroutines); err != nil {
		t.Fatal(err)
	}
	return hops, goroutines
}

// files is how many files a process has open.
func files(t testing.TB, pid int) int {
	t.Helper()
	fds, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// startChild runs the product on the folders of g, which must not run.
func startChild(t testing.TB, g *testgateway.Gateway) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0])}
	c.Env = append(os.Environ(), roleEnv+"="+roleGateway, filesEnv+"="+g.Files, stateEnv+"="+g.State, envoyEnv+"="+testenv.Envoy(t))
	c.Stderr = g.Log
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	c.out = bufio.NewReader(out)
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the gateway did not start: %v\n%s", err, g.Log)
	}
	if c.envoy, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	return c
}

// kill ends the gateway as a machine without memory would.
func (c *child) kill(t testing.TB) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
}

// alive reports whether a process is there and no zombie.
func alive(pid int) bool {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(raw), ") ")
	return !strings.HasPrefix(after, "Z")
}
