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

	"github.com/hopgate/hopgate/examples/curated-registry/world"
	"github.com/hopgate/hopgate/examples/stage"
)

// demo is one run.
type demo struct {
	stage.Options
	out io.Writer

	// dir is the folder of this run, in which all commands are typed.
	dir   string
	ports ports
	world *world.World
	token string
}

// Names in the folder of a run.
const (
	objects   = "curated-registry"
	auditFile = "audit.jsonl"
	// txn is the transaction of all that the agent does.
	txn = "install-1"
)

func (d *demo) run(ctx context.Context) (err error) {
	if d.Hopgate, err = filepath.Abs(d.Hopgate); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "hopgate-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	if err := d.settle(); err != nil {
		return err
	}
	if d.world, err = world.Start(d.ports.world()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.world.Stop()) }()
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
	var err error
	if d.token, err = d.tool(ctx, "token", "sign", "--subject", "alice", "--agent", "builder", "--txn", txn); err != nil {
		return 0, err
	}
	d.token = strings.TrimSpace(d.token)
	scenes := d.scenes()
	for i, s := range scenes {
		fmt.Fprintf(d.out, "\n== %d. %s\n\n", i+1, s.title)
		if err := d.scene(ctx, s); err != nil {
			return i, fmt.Errorf("scene %d, %s: %w", i+1, s.title, err)
		}
	}
	fmt.Fprintln(d.out)
	shown, err := d.tool(ctx, "audit", "show", auditFile, "--txn", txn)
	d.show("record", "$ %s\n%s", "hopgate audit show "+auditFile+" --txn "+txn, shown)
	return len(scenes), err
}

// show is a column of a scene: who, and what.
func (d *demo) show(who, format string, args ...any) {
	text := strings.TrimRight(fmt.Sprintf(format, args...), "\n")
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(d.out, "%-9s %s\n", who, line)
		who = ""
	}
}
