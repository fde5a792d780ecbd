package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profile is what a child takes down of its own work, from its start to its
// end. A nil profile takes nothing.
type profile struct {
	base string
	cpu  *os.File
}

// newProfile begins; folder empty: nobody wants one.
func newProfile(folder, name string) (*profile, error) {
	if folder == "" {
		return nil, nil
	}
	p := &profile{base: filepath.Join(folder, name)}
	var err error
	if p.cpu, err = os.Create(p.base + ".cpu.pprof"); err != nil {
		return nil, fmt.Errorf("keep a profile: %w", err)
	}
	if err := pprof.StartCPUProfile(p.cpu); err != nil {
		return nil, errors.Join(fmt.Errorf("take a profile: %w", err), p.cpu.Close())
	}
	return p, nil
}

// keep ends and writes it.
func (p *profile) keep() error {
	if p == nil {
		return nil
	}
	pprof.StopCPUProfile()
	allocs, err := os.Create(p.base + ".allocs.pprof")
	if err != nil {
		return errors.Join(fmt.Errorf("keep a profile: %w", err), p.cpu.Close())
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close(), p.cpu.Close())
}
