package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// document is what a loader got.
type document struct {
	// raw is nil where the document is known to be the one that was accepted
	// last.
	raw        []byte
	validators validators
}

// validators make the next request a conditional one (RFC 9110 section 13).
type validators struct{ etag, lastModified string }

// loader gets a document once. have are the validators of the one that was
// accepted last; ctx has a deadline.
type loader interface {
	load(ctx context.Context, have validators) (document, error)
}

// file loads a file. It is read whole each time: its times may stand still
// when its content does not.
type file struct{ path string }

func (f file) load(context.Context, validators) (document, error) {
	// A pipe or a device would hang the reader, or never end; without
	// O_NONBLOCK, opening a pipe would wait for its writer.
	h, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return document{}, fmt.Errorf("read key set: %w", err)
	}
	defer h.Close()
	if info, err := h.Stat(); err != nil || !info.Mode().IsRegular() {
		return document{}, fmt.Errorf("read key set: %s is not a regular file", f.path)
	}
	raw, err := readBounded(h)
	if err != nil {
		return document{}, fmt.Errorf("read key set %s: %w", f.path, err)
	}
	return document{raw: raw}, nil
}

func readBounded(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("more than %d bytes", MaxBytes)
	}
	if len(raw) == 0 {
		return nil, errors.New("empty")
	}
	return raw, nil
}
