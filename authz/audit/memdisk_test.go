package audit

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"
)

var errDisk = errors.New("no space left on device")

// memDisk is a disk in memory that fails on demand.
type memDisk struct {
	mu     sync.Mutex
	files  map[string]*memData
	locked map[string]bool
	// fault is asked before each operation.
	fault func(op string) error
	// short is how much of a write that fails is written all the same.
	short int
	// blocked, if set, is waited for by each sync.
	blocked chan struct{}
	ops     map[string]int
}

type memData struct {
	b []byte
	// synced is what of b survives a power failure.
	synced int
}

func newMemDisk() *memDisk {
	return &memDisk{files: map[string]*memData{}, locked: map[string]bool{}, ops: map[string]int{}}
}

// fail makes the named operations fail until heal.
func (d *memDisk) fail(ops ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = func(op string) error {
		if slices.Contains(ops, op) {
			return errDisk
		}
		return nil
	}
}

// block makes each sync wait for c.
func (d *memDisk) block(c chan struct{}) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blocked = c
	return c
}

// cutWrites says how much of a write is done that fails.
func (d *memDisk) cutWrites(short int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.short = short
}

func (d *memDisk) heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = nil
}

// check counts an operation and says whether it fails; d.mu is held.
func (d *memDisk) check(op string) error {
	d.ops[op]++
	if d.fault == nil {
		return nil
	}
	return d.fault(op)
}

func (d *memDisk) count(op string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops[op]
}

func (d *memDisk) text(path string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f, ok := d.files[path]; ok {
		return string(f.b)
	}
	return ""
}

func (d *memDisk) put(path, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[path] = &memData{b: []byte(text)}
}

// edit changes a file in place.
func (d *memDisk) edit(path string, f func([]byte) []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[path].b = f(d.files[path].b)
}

func (d *memDisk) rename(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[to] = d.files[from]
	delete(d.files, from)
}

func (d *memDisk) remove(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, path)
}

// clone is the disk as a crash would leave it.
func (d *memDisk) clone() *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := newMemDisk()
	for p, f := range d.files {
		c.files[p] = &memData{b: bytes.Clone(f.b), synced: f.synced}
	}
	return c
}

func (d *memDisk) open(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check("open"); err != nil {
		return nil, err
	}
	if d.files[path] == nil {
		d.files[path] = &memData{}
	}
	return &memFile{disk: d, data: d.files[path]}, nil
}

func (d *memDisk) current(f file, path string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[path] == f.(*memFile).data, d.check("current")
}

func (d *memDisk) read(path string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[path] == nil {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(d.files[path].b), d.check("read")
}

func (d *memDisk) replace(path string, data []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check("replace"); err != nil {
		return err
	}
	d.files[path] = &memData{b: bytes.Clone(data)}
	return nil
}

func (d *memDisk) lock(path string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked[path] {
		return nil, ErrInUse
	}
	if err := d.check("lock"); err != nil {
		return nil, err
	}
	d.locked[path] = true
	return unlock(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.locked[path] = false
	}), nil
}

type unlock func()

func (u unlock) Close() error { u(); return nil }

type memFile struct {
	disk *memDisk
	data *memData
}

func (f *memFile) Write(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.check("write"); err != nil {
		n := min(f.disk.short, len(b))
		f.data.b = append(f.data.b, b[:n]...)
		return n, err
	}
	f.data.b = append(f.data.b, b...)
	return len(b), nil
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.check("readat"); err != nil {
		return 0, err
	}
	return bytes.NewReader(f.data.b).ReadAt(b, off)
}

func (f *memFile) Sync() error {
	f.disk.mu.Lock()
	blocked := f.disk.blocked
	f.disk.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.check("sync"); err != nil {
		return err
	}
	f.data.synced = len(f.data.b)
	return nil
}

func (f *memFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.check("truncate"); err != nil {
		return err
	}
	f.data.b = f.data.b[:size]
	f.data.synced = min(f.data.synced, int(size))
	return nil
}

func (f *memFile) Stat() (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return memInfo(len(f.data.b)), f.disk.check("stat")
}

func (f *memFile) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.disk.check("close")
}

type memInfo int64

func (memInfo) Name() string       { return "" }
func (i memInfo) Size() int64      { return int64(i) }
func (memInfo) Mode() fs.FileMode  { return 0o600 }
func (memInfo) ModTime() time.Time { return time.Time{} }
func (memInfo) IsDir() bool        { return false }
func (memInfo) Sys() any           { return nil }
