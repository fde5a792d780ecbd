package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
)

// denials are the codes of what was denied so far.
func (d *demo) denials() ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(d.dir, auditFile))
	if err != nil {
		return nil, err
	}
	var out []string
	for text := range bytes.Lines(raw) {
		if !bytes.HasSuffix(text, []byte("\n")) {
			break // it is being written
		}
		r, err := audit.Decode(bytes.TrimSuffix(text, []byte("\n")))
		if err != nil {
			return nil, fmt.Errorf("read record: %w", err)
		}
		if r.Kind == audit.KindDeny {
			out = append(out, r.Code)
		}
	}
	return out, nil
}

// patience is how long the record may take.
const patience = 10 * time.Second

// denied waits until the record has a denial with this code beyond the first
// few; without a code there must be none.
func (d *demo) denied(ctx context.Context, first int, code string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		all, err := d.denials()
		switch {
		case err != nil:
			return err
		case code == "" && len(all) > first:
			return fmt.Errorf("the record has denials: %v", all[first:])
		case code == "":
			return nil
		case slices.Contains(all[first:], code):
			d.show("gateway", "denied: %s", code)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the record has denials %v, want %s", all[first:], code)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
