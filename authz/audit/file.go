package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrInUse is returned by Open when another process writes the log.
var ErrInUse = errors.New("the audit log is in use by another process")

// file is what the log needs of an open file. Writes go to its end.
type file interface {
	io.ReaderAt
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
}

// disk is where the log lies; tests put a failing one in its place.
type disk interface {
	// open opens a file for appending, or makes it, readable by its owner only.
	open(path string) (file, error)
	// current reports whether f is what lies at path.
	current(f file, path string) (bool, error)
	read(path string) ([]byte, error)
	// replace puts a whole file in the place of another, or leaves that.
	replace(path string, data []byte) error
	// lock keeps other processes out until its file is closed; ErrInUse.
	lock(path string) (io.Closer, error)
}

// osDisk is the operating system's.
type osDisk struct{}

func (osDisk) open(path string) (file, error) {
	_, missing := os.Stat(path)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err := regular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if missing != nil {
		// Without this a new file may be gone after a crash, lines and all.
		if err := syncDir(filepath.Dir(path)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func regular(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.Name())
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (osDisk) current(f file, path string) (bool, error) {
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	here, err := f.Stat()
	return err == nil && os.SameFile(here, there), err
}

func (osDisk) read(path string) ([]byte, error) { return os.ReadFile(path) }

func (osDisk) replace(path string, data []byte) error {
	next := path + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

func (osDisk) lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w%s (lock: %s)", ErrInUse, holder(f), path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, sign(f)
}

// sign leaves our process id for whom the lock keeps out.
func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// holder says which process holds the lock, if it left its id.
func holder(f *os.File) string {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0) // the file is shorter than b; what was not read is no id
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" %d", pid)
}
