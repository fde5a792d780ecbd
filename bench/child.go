package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// spec is what a child is to be. It is in a file of the child's folder.
type spec struct {
	// Role is a role of newRole.
	Role string `json:"role"`
	// Dir is the child's folder.
	Dir string `json:"dir"`
	// Envoy is the binary, for a hopgate.
	Envoy string `json:"envoy,omitempty"`
	// Roots is the file of who a hopgate believes by TLS; empty: the system's.
	Roots string `json:"roots,omitempty"`
	// Profile is a folder for profiles; empty: none are taken.
	Profile string `json:"profile,omitempty"`
}

const specFile = "child.json"

// role is what a child does.
type role interface {
	// admit makes a process the one that is answered.
	admit(pid int)
	// report says how it is, once all that was asked is done.
	report() report
	// stop ends everything.
	stop() error
}

func newRole(s spec) (role, error) {
	switch s.Role {
	case roleGuard, roleBlind, roleDecoding, roleReader:
		return newChecker(s)
	case roleHopgate:
		return newProduct(s)
	default:
		return nil, fmt.Errorf("there is no role %q", s.Role)
	}
}

// play is a child's whole life. It reports once it is ready, and then for each
// line that it reads, and ends with its input: also when the run was killed.
func play(dir string, in io.Reader, out io.Writer) (err error) {
	signal.Ignore(os.Interrupt) // a terminal tells the whole group
	s, err := readSpec(dir)
	if err != nil {
		return err
	}
	kept, err := newProfile(s.Profile, filepath.Base(dir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.keep()) }()
	r, err := newRole(s)
	if err != nil {
		return fmt.Errorf("be %s: %w", s.Role, err)
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	enc := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); ; {
		if err := enc.Encode(r.report()); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		if !lines.Scan() {
			return lines.Err()
		}
		if err := obey(r, lines.Text()); err != nil {
			return err
		}
	}
}

// Orders to a child. orderReport is nothing but a reason to report,
// orderCollect has garbage collected before.
const (
	orderReport  = "report"
	orderCollect = "collect"
	orderAdmit   = "admit "
)

func obey(r role, order string) error {
	switch order {
	case orderReport:
		return nil
	case orderCollect:
		debug.FreeOSMemory()
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(order, orderAdmit))
	if err != nil {
		return fmt.Errorf("unknown order %q", order)
	}
	r.admit(pid)
	return nil
}

func readSpec(dir string) (s spec, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, specFile))
	if err != nil {
		return s, fmt.Errorf("read what to be: %w", err)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fmt.Errorf("read what to be: %w", err)
	}
	return s, nil
}

// child is a part of what is measured in a process of its own, so that its CPU
// and its memory are its own.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	first report
}

// endWithin is how long a child may take to end before it is killed.
const endWithin = 20 * time.Second

// start runs a child until stop, or until ctx ends, and waits until it is
// ready.
func (b *bench) start(ctx context.Context, s spec) (*child, error) {
	s.Profile = b.profile
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write what to be: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, specFile), raw, 0o600); err != nil {
		return nil, fmt.Errorf("write what to be: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	c := &child{cmd: exec.CommandContext(ctx, self, "-child", s.Dir)}
	c.cmd.Stderr, c.cmd.WaitDelay = os.Stderr, endWithin
	c.cmd.Cancel = func() error { return c.in.Close() }
	if err := c.open(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Role, err)
	}
	if err := c.out.Decode(&c.first); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", s.Role, err), c.stop())
	}
	return c, nil
}

func (c *child) open() (err error) {
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.out = json.NewDecoder(out)
	return c.cmd.Start()
}

// ask gives an order and returns the report that follows.
func (c *child) ask(order string) (r report, err error) {
	if _, err := io.WriteString(c.in, order+"\n"); err != nil {
		return r, fmt.Errorf("ask a child: %w", err)
	}
	if err := c.out.Decode(&r); err != nil {
		return r, fmt.Errorf("ask a child: %w", err)
	}
	return r, nil
}

func (c *child) report() (report, error) { return c.ask(orderReport) }

// collect is report after all garbage is gone.
func (c *child) collect() (report, error) { return c.ask(orderCollect) }

// admit makes a process the one that the child answers.
func (c *child) admit(pid int) error {
	_, err := c.ask(orderAdmit + strconv.Itoa(pid))
	return err
}

// stop ends the child and waits for it.
func (c *child) stop() error {
	_ = c.in.Close() // it has ended already, or ends by this
	insist := time.AfterFunc(endWithin, func() { _ = c.cmd.Process.Kill() })
	defer insist.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("end a child: %w", err)
	}
	return nil
}
