package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
)

// ends are how the streams of a transaction ended, by what the record says.
type ends struct {
	tool, socket audit.End
	// hops are all that were decided: what is asked for just before may be
	// written a moment later.
	hops int
	// changes is how often a stream was decided again with a change.
	changes int
}

// recorded waits until all hops of a transaction have ended, compares how the
// streams did, and shows what the record says.
func (d *demo) recorded(ctx context.Context, txn string, want ends) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		got, open, err := d.ends(txn)
		if err != nil {
			return err
		}
		over := open == 0 && got.hops >= want.hops
		if over && got != want {
			return fmt.Errorf("the record says %+v, want %+v", got, want)
		}
		if over {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the record has no end of %d hops of %s: %+v", open, txn, got)
		case <-time.After(20 * time.Millisecond):
		}
	}
	args := []string{"audit", "show", auditFile, "--txn", txn}
	out, err := d.tool(ctx, args...)
	d.show("record", "$ %s\n%s", line(args), out)
	return err
}

// ends reads how the first hop of each kind ended, which is the stream, and how
// many hops have not ended.
func (d *demo) ends(txn string) (out ends, open int, err error) {
	raw, err := os.ReadFile(filepath.Join(d.dir, auditFile))
	if err != nil {
		return out, 0, err
	}
	streams := map[string]audit.HopID{} // by surface
	for text := range bytes.Lines(raw) {
		if !bytes.HasSuffix(text, []byte("\n")) {
			break // it is being written
		}
		r, err := audit.Decode(bytes.TrimSuffix(text, []byte("\n")))
		if err != nil {
			return out, 0, fmt.Errorf("read record: %w", err)
		}
		if r.Txn != txn {
			continue
		}
		switch r.Kind {
		case audit.KindDeny:
			out.hops++
		case audit.KindBegin:
			out.hops++
			open++
			if _, ok := streams[r.Surface]; !ok {
				streams[r.Surface] = r.Hop
			}
		case audit.KindChange:
			out.changes++
		case audit.KindEnd:
			open--
			if r.Hop == streams["Tools"] {
				out.tool = r.End
			}
			if r.Hop == streams["HTTP"] {
				out.socket = r.End
			}
		}
	}
	return out, open, nil
}
