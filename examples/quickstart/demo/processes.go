package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hopgate/hopgate/examples/stage"
)

// transaction is the one that the example's agent is in.
const transaction = "quickstart-1"

// gateway is a running hopgate.
type gateway struct {
	cmd *exec.Cmd
	log *bytes.Buffer
}

// start runs the gateway until it says that it is ready.
func (d *demo) start(ctx context.Context) (*gateway, error) {
	health, err := stage.FreeAddress()
	if err != nil {
		return nil, err
	}
	g := &gateway{log: &bytes.Buffer{}}
	g.cmd = exec.Command(d.Hopgate, "run", "-f", d.Config, "--state", d.dir, "--audit", d.audit(), "--health", health)
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start hopgate: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.cmd.Wait() }()
	if err := ready(ctx, "http://"+health+"/readyz", ended); err != nil {
		_ = g.cmd.Process.Kill() // it may be gone
		return nil, fmt.Errorf("%w; it said:\n%s", err, g.log)
	}
	d.say("ready")
	g.cmd.Cancel = func() error { return <-ended }
	return g, nil
}

// stop asks the gateway to drain, and waits for it.
func (g *gateway) stop() error {
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop hopgate: %w", err)
	}
	if err := g.cmd.Cancel(); err != nil {
		return fmt.Errorf("hopgate ended badly: %w; it said:\n%s", err, g.log)
	}
	return nil
}

func ready(ctx context.Context, url string, ended <-chan error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return errors.Join(errors.New("hopgate ended before it was ready"), err)
		case <-tick.C:
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

func (d *demo) audit() string { return d.dir + "/audit.jsonl" }

// sign makes a token of the example's transaction.
func (d *demo) sign(ctx context.Context, args ...string) (string, error) {
	args = append([]string{"token", "sign", "--state", d.dir, "--txn", transaction, "--subject", "alice", "--agent", "researcher", "--scope", "research.read"}, args...)
	out, err := exec.CommandContext(ctx, d.Hopgate, args...).Output()
	if err != nil {
		return "", fmt.Errorf("sign token: %w: %s", err, stderrOf(err))
	}
	return strings.TrimSpace(string(out)), nil
}

func stderrOf(err error) string {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(e.Stderr)
	}
	return ""
}

func (d *demo) runAgent(ctx context.Context, token, job string) error {
	cmd := exec.CommandContext(ctx, d.agent, job)
	cmd.Env = append(os.Environ(), "GATEWAY=http://"+d.ports.route(), "TXN_TOKEN="+token)
	out, err := cmd.CombinedOutput()
	d.say("%s", strings.TrimRight(string(out), "\n"))
	if err != nil {
		return fmt.Errorf("run agent %s: %w", job, err)
	}
	return nil
}
