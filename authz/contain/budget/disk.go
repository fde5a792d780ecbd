package budget

import (
	"errors"
	"io"
	"os"
)

// file is what a keeper needs of an open file.
type file interface {
	io.WriteCloser
	Name() string
	Sync() error
}

// disk is where the file lies; tests put one that fails in its place.
type disk interface {
	// temp makes a file in dir that only its owner can read.
	temp(dir string) (file, error)
	rename(from, to string) error
	// syncDir has the names in dir outlive a crash.
	syncDir(dir string) error
}

// osDisk is the operating system's.
type osDisk struct{}

func (osDisk) temp(dir string) (file, error) { return os.CreateTemp(dir, ".budgets-*") } // 0600

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
