package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hopgate/hopgate/examples/stage"
)

// command is hopgate with arguments, in the folder of the run and with a state
// folder of its own.
func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, d.Hopgate, args...)
	c.Dir = d.dir
	c.Env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Join(d.dir, "state"), "NO_COLOR=1")
	return c
}

// tool runs a command of hopgate and gives what it printed.
func (d *demo) tool(ctx context.Context, args ...string) (string, error) {
	out, err := d.command(ctx, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", "hopgate "+strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// gateway is a running hopgate.
type gateway struct {
	cmd   *exec.Cmd
	log   *bytes.Buffer
	ended chan error
}

// start runs the gateway until it says that it is ready.
func (d *demo) start(ctx context.Context) (*gateway, error) {
	health, err := stage.FreeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{"run", "-f", objects, "--audit", auditFile, "--health", health}
	// It is ended by stop, so that it can drain.
	g := &gateway{cmd: d.command(context.WithoutCancel(ctx), args...), log: &bytes.Buffer{}, ended: make(chan error, 1)}
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start hopgate: %w", err)
	}
	go func() { g.ended <- g.cmd.Wait() }()
	if err := ready(ctx, "http://"+health+"/readyz", g.ended); err != nil {
		_ = g.cmd.Process.Kill() // it may be gone
		return nil, fmt.Errorf("%w; it said:\n%s", err, g.log)
	}
	d.show("operator", "$ %s\nready", "hopgate "+strings.Join(args, " "))
	return g, nil
}

// stop asks the gateway to drain, and waits for it.
func (g *gateway) stop() error {
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop hopgate: %w", err)
	}
	if err := <-g.ended; err != nil {
		return fmt.Errorf("hopgate ended badly: %w", err)
	}
	return nil
}

func ready(ctx context.Context, url string, ended chan error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			ended <- err
			return errors.Join(errors.New("hopgate ended before it was ready"), err)
		case <-time.After(20 * time.Millisecond):
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}
