package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/gateway/infra/process"
)

// part is a part of the run that can be asked for by name.
type part struct {
	name string
	// envoy is whether it needs one.
	envoy bool
	run   func(*bench, context.Context) ([]figure, error)
}

func allParts() []part {
	return []part{
		{"check", false, (*bench).check},
		{"rules", false, (*bench).rules},
		{"verify", false, (*bench).verify},
		{"envoy", true, (*bench).through},
		{"routes", true, (*bench).routes},
		{"streams", true, (*bench).streams},
		{"egress", true, (*bench).egress},
	}
}

func partNames() []string {
	var out []string
	for _, p := range allParts() {
		out = append(out, p.name)
	}
	return out
}

// choose gives the parts that are named, in their own order; empty: all.
func choose(only string) ([]part, error) {
	all := allParts()
	if only == "" {
		return all, nil
	}
	names := strings.Split(only, ",")
	for _, n := range names {
		if !slices.Contains(partNames(), n) {
			return nil, fmt.Errorf("there is no part %q; there are %s", n, strings.Join(partNames(), ", "))
		}
	}
	return slices.DeleteFunc(all, func(p part) bool { return !slices.Contains(names, p.name) }), nil
}

// bench is one run.
type bench struct {
	options
	progress
	// dir is where everything is that has to be in files.
	dir string
	// binary is Envoy; empty: no part needs it.
	binary string
}

func (b *bench) findEnvoy(parts []part) error {
	if !slices.ContainsFunc(parts, func(p part) bool { return p.envoy }) {
		return nil
	}
	var err error
	b.binary, err = process.Finder{Flag: b.envoy, Getenv: os.Getenv, Dirs: []string{"."}}.Find()
	return err
}

var errInterrupted = errors.New("interrupted")

// all runs the parts, and ends at the first that fails.
func (b *bench) all(ctx context.Context, parts []part) ([]figure, error) {
	var out []figure
	for _, p := range parts {
		b.say("%s", p.name)
		figures, err := p.run(b, ctx)
		out = append(out, figures...)
		if ctx.Err() != nil {
			return out, errInterrupted // what else failed failed by that
		}
		if err != nil {
			return out, fmt.Errorf("measure %s: %w", p.name, err)
		}
	}
	return out, nil
}

// span is how long each thing is measured.
func (b *bench) span() time.Duration {
	if b.quick {
		return 300 * time.Millisecond
	}
	return time.Duration(b.seconds * float64(time.Second))
}

// pick is few in a quick run, and many otherwise.
func (b *bench) pick(few, many int) int {
	if b.quick {
		return few
	}
	return many
}

// folder makes a folder of this run.
func (b *bench) folder(name string) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder to work in: %w", err)
	}
	return dir, nil
}

// progress tells what goes on. It is for one goroutine.
type progress struct {
	out         io.Writer
	begun, last time.Time
}

func (p *progress) say(format string, args ...any) {
	p.last = time.Now()
	fmt.Fprintf(p.out, "%6.1fs %s\n", p.last.Sub(p.begun).Seconds(), fmt.Sprintf(format, args...))
}

// mention says it where nothing was said for a while.
func (p *progress) mention(format string, args ...any) {
	if time.Since(p.last) > time.Second {
		p.say(format, args...)
	}
}
