package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/hopgate/hopgate/examples/longstream/world"
	"github.com/hopgate/hopgate/examples/stage"
)

// demo is one run.
type demo struct {
	stage.Options
	out io.Writer

	// dir is the folder of this run, in which all commands are typed. The
	// objects are a copy: one of them is edited.
	dir   string
	ports ports
}

// Names in the folder of a run.
const (
	objects   = "longstream"
	auditFile = "audit.jsonl"
)

func (d *demo) run(ctx context.Context) (err error) {
	if d.Hopgate, err = filepath.Abs(d.Hopgate); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "hopgate-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	if err := d.settle(); err != nil {
		return err
	}
	w, err := world.Start(d.ports.world())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Stop()) }()
	defer http.DefaultClient.CloseIdleConnections()
	g, err := d.start(ctx)
	if err != nil {
		return err
	}
	n, err := d.play(ctx)
	if stopped := g.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return fmt.Errorf("%w; hopgate said:\n%s", err, g.log)
	}
	fmt.Fprintf(d.out, "\nall %d scenes as expected\n", n)
	return nil
}

// play goes through the scenes, and says how many there were.
func (d *demo) play(ctx context.Context) (int, error) {
	scenes := d.scenes()
	for i, s := range scenes {
		fmt.Fprintf(d.out, "\n== %d. %s\n\n", i+1, s.title)
		if err := s.play(ctx); err != nil {
			return i, fmt.Errorf("scene %d, %s: %w", i+1, s.title, err)
		}
	}
	return len(scenes), nil
}

// show is a column of a scene: who, and what.
func (d *demo) show(who, format string, args ...any) {
	text := strings.TrimRight(fmt.Sprintf(format, args...), "\n")
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(d.out, "%-9s %s\n", who, line)
		who = ""
	}
}
