package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
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

// line is a command as it is typed.
func line(args []string) string {
	words := append([]string{"hopgate"}, args...)
	for i, w := range words {
		if strings.Contains(w, " ") {
			words[i] = `"` + w + `"`
		}
	}
	return strings.Join(words, " ")
}

// tool runs a command of hopgate and gives what it printed.
func (d *demo) tool(ctx context.Context, args ...string) (string, error) {
	out, err := d.command(ctx, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", line(args), err, out)
	}
	return string(out), nil
}

// operate is tool, shown as what the operator did.
func (d *demo) operate(ctx context.Context, args ...string) (string, error) {
	out, err := d.tool(ctx, args...)
	d.show("operator", "$ %s\n%s", line(args), out)
	return out, err
}

// sign makes a token, and says when it expires.
func (d *demo) sign(ctx context.Context, txn, who, ttl string) (string, time.Time, error) {
	out, err := d.tool(ctx, "token", "sign", "--subject", "alice", "--agent", who, "--txn", txn, "--ttl", ttl)
	if err != nil {
		return "", time.Time{}, err
	}
	signed := strings.TrimSpace(out)
	exp, err := expiry(signed)
	return signed, exp, err
}

// expiry reads when a token expires. Whoever has got a token may look at it;
// to believe it is the gateway's.
func expiry(signed string) (time.Time, error) {
	_, rest, _ := strings.Cut(signed, ".")
	payload, _, _ := strings.Cut(rest, ".")
	var claims struct {
		Exp int64 `json:"exp"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read token: %w", err)
	}
	return time.Unix(claims.Exp, 0), nil
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
	d.show("operator", "$ %s\nready", line(args))
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
