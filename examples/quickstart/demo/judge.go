package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/audit"
)

// expected is one decision that must be in the record, in this order.
type expected struct {
	surface, method, name string
	// code is why it is denied; empty: it is allowed. Of several, with a bar
	// between them, any will do.
	code string
	// end is how it must have ended; empty: any way.
	end audit.End
}

func allow(surface, method, name string) expected {
	return expected{surface: surface, method: method, name: name}
}

func deny(surface, method, name, code string) expected {
	return expected{surface: surface, method: method, name: name, code: code}
}

func ends(e expected, how audit.End) expected {
	e.end = how
	return e
}

func (d *demo) expect(es ...expected) { d.shown = append(d.shown, es...) }

// judge shows the transaction as a tree, checks the record, and compares each
// decision with what it must be.
func (d *demo) judge(ctx context.Context) error {
	d.say("\n== hopgate audit show audit.jsonl")
	if err := d.tool(ctx, "audit", "show", d.audit()); err != nil {
		return err
	}
	d.say("\n== hopgate audit verify audit.jsonl")
	if err := d.tool(ctx, "audit", "verify", "--state", d.dir, d.audit()); err != nil {
		return err
	}
	decisions, ended, err := d.records()
	if err != nil {
		return err
	}
	if err := compare(d.shown, decisions, ended); err != nil {
		return err
	}
	d.say("\nall %d verdicts are the expected ones", len(d.shown))
	return nil
}

func (d *demo) tool(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, d.Hopgate, args...)
	cmd.Stdout, cmd.Stderr = d.out, d.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hopgate %s: %w", args[0]+" "+args[1], err)
	}
	return nil
}

// records are the decisions that are more than the base of a protocol, and how
// hops ended.
func (d *demo) records() ([]audit.Record, map[audit.HopID]audit.End, error) {
	f, err := os.Open(d.audit())
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var out []audit.Record
	ended := map[audit.HopID]audit.End{}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		r, err := audit.Decode(sc.Bytes())
		if err != nil {
			return nil, nil, fmt.Errorf("read record: %w", err)
		}
		switch r.Kind {
		case audit.KindEnd:
			ended[r.Hop] = r.End
		case audit.KindBegin, audit.KindDeny:
			if r.Kind == audit.KindDeny || !base(r.Method) {
				out = append(out, r)
			}
		}
	}
	return out, ended, sc.Err()
}

// base are the methods by which an MCP client and server find each other.
func base(method string) bool {
	switch method {
	case "initialize", "server/discover", "notifications/initialized", "notifications/cancelled", "tools/list", "GET", "DELETE":
		return true
	}
	return false
}

func compare(want []expected, got []audit.Record, ended map[audit.HopID]audit.End) error {
	var errs []error
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			errs = append(errs, fmt.Errorf("decision %d is missing: %+v", i+1, want[i]))
		case i >= len(want):
			errs = append(errs, fmt.Errorf("decision %d was not expected: %s %s", i+1, got[i].Method, got[i].Code))
		default:
			if err := want[i].differs(&got[i], ended); err != nil {
				errs = append(errs, fmt.Errorf("decision %d: %w", i+1, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (e expected) differs(r *audit.Record, ended map[audit.HopID]audit.End) error {
	name := r.Name
	if name == "" {
		name = r.Host
	}
	if r.Surface != e.surface || r.Method != e.method || name != e.name || !slices.Contains(strings.Split(e.code, "|"), r.Code) {
		return fmt.Errorf("%s %s %s is %q, want %s %s %s %q", r.Surface, r.Method, name, r.Code, e.surface, e.method, e.name, e.code)
	}
	if e.end != "" && ended[r.Hop] != e.end {
		return fmt.Errorf("%s %s ended as %q, want %q", r.Method, name, ended[r.Hop], e.end)
	}
	return nil
}
