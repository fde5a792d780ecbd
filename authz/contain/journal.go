package contain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// journal is the file of orders: a JSON object a line, one for each order and
// one for each that was lifted.
type journal struct {
	path string
	disk disk
	file file
	// broken is true after a write that may have been half done, behind good
	// bytes: what comes behind it could not be read.
	broken bool
	good   int64
}

type entry struct {
	Order *Order `json:"order,omitempty"`
	Lift  string `json:"lift,omitempty"`
}

// file is what the journal needs of an open file.
type file interface {
	io.Seeker
	io.WriteCloser
	Name() string
	Sync() error
	Truncate(size int64) error
}

// disk is where the journal lies; tests put one that tells in its place.
type disk interface {
	// temp makes a file in dir that only its owner can read.
	temp(dir string) (file, error)
	rename(from, to string) error
	// syncDir has the names in dir outlive a crash.
	syncDir(dir string) error
}

// osDisk is the operating system's.
type osDisk struct{}

func (osDisk) temp(dir string) (file, error) { return os.CreateTemp(dir, ".orders-*") } // 0600

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// maxJournal is more than maxOrders orders take, in bytes.
const maxJournal = 512 << 20

// openJournal reads the file, and writes it again without what is over.
func openJournal(path string, now time.Time, d disk) (*journal, []Order, error) {
	if path == "" {
		return &journal{}, nil, nil
	}
	orders, err := readJournal(path)
	if err != nil {
		return nil, nil, err
	}
	orders = slices.DeleteFunc(orders, func(o Order) bool { return !now.Before(o.Until) })
	j := &journal{path: path, disk: d}
	return j, orders, j.rewrite(orders)
}

func readJournal(path string) ([]Order, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxJournal+1))
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	if len(raw) > maxJournal {
		return nil, fmt.Errorf("read orders: %s is larger than any that was written here", path)
	}
	return parseJournal(path, raw)
}

// parseJournal passes over a last line without its end: it was never
// acknowledged. Any other line that cannot be read is an error.
func parseJournal(path string, raw []byte) ([]Order, error) {
	standing := map[string]Order{}
	for n := 1; len(raw) > 0; n++ {
		line, rest, whole := bytes.Cut(raw, []byte("\n"))
		raw = rest
		if !whole {
			break
		}
		var e entry
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		err := dec.Decode(&e)
		switch {
		case err != nil:
		case e.Order != nil && e.Lift == "":
			err = e.Order.Check()
			standing[e.Order.ID] = *e.Order
		case e.Order == nil && e.Lift != "":
			delete(standing, e.Lift)
		default:
			err = errors.New("it has neither an order nor the end of one")
		}
		if err != nil {
			return nil, fmt.Errorf("read orders: %s:%d: %w: who is cut off is not known; mend the line, or move the file away to begin without any", path, n, err)
		}
	}
	out := make([]Order, 0, len(standing))
	for _, o := range standing {
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b Order) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// rewrite makes a file of these orders, whole or not at all.
func (j *journal) rewrite(orders []Order) error {
	dir := filepath.Dir(j.path)
	f, err := j.disk.temp(dir)
	if err != nil {
		return fmt.Errorf("write orders: %w", err)
	}
	for i := range orders {
		if err = writeEntry(f, entry{Order: &orders[i]}); err != nil {
			break
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = j.disk.rename(f.Name(), j.path)
	}
	if err == nil {
		err = j.disk.syncDir(dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write orders: %w", err), f.Close(), os.Remove(f.Name()))
	}
	j.file = f
	return nil
}

func writeEntry(w io.Writer, e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

func (j *journal) add(o Order) error    { return j.append(entry{Order: &o}) }
func (j *journal) lift(id string) error { return j.append(entry{Lift: id}) }

func (j *journal) close() error {
	if j.path == "" {
		return nil
	}
	return j.file.Close()
}

// append writes an entry that is on disk when it returns.
func (j *journal) append(e entry) error {
	if j.path == "" {
		return nil
	}
	if err := j.mend(); err != nil {
		return err
	}
	at, err := j.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("write orders: %w", err)
	}
	j.good = at
	err = writeEntry(j.file, e)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.broken = true
		return fmt.Errorf("write orders: %w", err)
	}
	return nil
}

// mend cuts off what was half written, so that a disk that was full once takes
// orders again when it is not.
func (j *journal) mend() error {
	if !j.broken {
		return nil
	}
	err := j.file.Truncate(j.good)
	if err == nil {
		_, err = j.file.Seek(j.good, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("write orders: cut off what was half written: %w", err)
	}
	j.broken = false
	return nil
}
