package budget

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ahead is the part of a budget by which the file is ahead of what is used, so
// that it need not be written for each byte.
const ahead = 16

// ticket is a place in what a keeper was given; 0: nothing.
type ticket uint64

// keeper writes what a book counts to its file, before it is used: whoever waits
// for a ticket knows that the file has it. Many that wait share one write.
type keeper struct {
	path string
	disk disk
	book *Book

	mu sync.Mutex
	// pending are lines that are not written yet, given is their last ticket;
	// guarded by mu.
	pending []byte
	given   ticket
	written ticket // guarded by mu; the last one that the file has
	round   *round // guarded by mu; the write that goes on; nil: none does

	// What follows is of who writes. Broken is true once a write has failed: what
	// it left, and what it left out, is mended by a new file.
	file       file
	size, base int64
	broken     bool
}

func newKeeper(path string, d disk, b *Book) *keeper {
	return &keeper{path: path, disk: d, book: b}
}

// keep gives the file what it does not have of an account, and of names that it
// has just gone to. The ticket is of all of the account; mu is held.
func (b *Book) keep(a *account, limit int64, names ...uint64) ticket {
	if b.keeper == nil {
		return 0
	}
	if l := a.unkept(limit, names); l != nil {
		a.ticket = b.keeper.give(l.append(nil))
	}
	return a.ticket
}

// unkept is what the file lacks, and something ahead of it; nil: nothing.
func (a *account) unkept(limit int64, names []uint64) *line {
	l := lineOf(a.key)
	for i := max(0, a.at-slots+1); i <= a.at; i++ {
		n := a.bytes[i%slots]
		if n <= a.kept[i%slots] {
			continue
		}
		if i == a.at {
			n = plus(n, max(0, min(limit/ahead, limit-a.used())))
		}
		a.kept[i%slots] = n
		l.Bytes = append(l.Bytes, sliceBytes{i, n})
	}
	for _, h := range names {
		if last := a.names[h]; !last.kept {
			a.names[h] = use{last.at, true}
			l.Names = append(l.Names, sliceName{last.at, h})
		}
	}
	if l.Bytes == nil && l.Names == nil {
		return nil
	}
	return l
}

// wait waits until the file has what a ticket is of. The error says that it
// cannot be written.
func (b *Book) wait(t ticket) error {
	if b.keeper == nil || t == 0 {
		return nil
	}
	return b.keeper.wait(t)
}

func (k *keeper) give(lines []byte) ticket {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = append(k.pending, lines...)
	k.given++
	return k.given
}

var errNotKept = errors.New("what is used of budgets cannot be written")

const (
	// patience is how long anybody waits for the file: Envoy waits for a decision
	// for 5 s.
	patience = 4 * time.Second
	// lastPatience is how long an end does.
	lastPatience = 10 * time.Second
)

// round is one write, of all that was pending as it began.
type round struct {
	// ended is closed when it has ended, late when it has gone on for longer than
	// anybody waits.
	ended, late chan struct{}
	err         error // once it has ended
}

// stuck reports whether nobody needs to ask, since a write goes on and on.
func (k *keeper) stuck() bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.round == nil {
		return false
	}
	select {
	case <-k.round.late:
		return true
	default:
		return false
	}
}

func (k *keeper) wait(t ticket) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.written >= t {
		return nil
	}
	over := time.NewTimer(patience)
	defer over.Stop()
	for k.written < t {
		r := k.round
		if r == nil {
			r = k.begin(patience, k.write)
		}
		if !k.await(r, over.C) || r.err != nil {
			return errNotKept
		}
	}
	return nil
}

// await reports whether r has ended before it is over; mu is held, but not while
// it waits.
func (k *keeper) await(r *round, over <-chan time.Time) bool {
	k.mu.Unlock()
	defer k.mu.Lock()
	select {
	case <-r.ended:
		return true
	case <-over:
	case <-r.late:
	}
	return false
}

// begin begins to write what is pending; mu is held, and nobody writes. Who waits
// does not write, since a write may hang.
func (k *keeper) begin(within time.Duration, work func(lines []byte) error) *round {
	r := &round{ended: make(chan struct{}), late: make(chan struct{})}
	lines, upto := k.pending, k.given
	k.pending, k.round = nil, r
	alarm := time.AfterFunc(within, func() {
		k.book.cfg.Log.Error("budgets are closed, because a write of what is used of them does not end", "file", k.path)
		close(r.late)
	})
	go func() {
		r.err = work(lines)
		if !alarm.Stop() && r.err == nil {
			k.again()
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.round = nil; r.err == nil {
			k.written = upto
		}
		close(r.ended)
	}()
	return r
}

func (k *keeper) again() {
	k.book.cfg.Log.Info("budgets can be written again", "file", k.path)
}

// write has the file have lines. That it cannot is said once.
func (k *keeper) write(lines []byte) error {
	was := k.broken
	err := k.put(lines)
	if err != nil && !was {
		k.book.cfg.Log.Error("budgets are closed, because what is used of them cannot be written", "file", k.path, "error", err)
	}
	return err
}

// most is how much larger than twice of what it began with the file gets.
const most = 1 << 20

// put adds lines to the file. What it has too often is left out now and then, and
// before it is larger than one that is read.
func (k *keeper) put(lines []byte) error {
	if k.broken || k.size+int64(len(lines)) > min(2*k.base+most, k.book.cfg.MaxFile) {
		return k.renew(false)
	}
	n, err := k.file.Write(lines)
	if k.size += int64(n); err == nil {
		err = k.file.Sync()
	}
	k.broken = err != nil
	return err
}

// last makes a file of just what is used: nothing is used after it. False: it
// has not ended, and whoever writes has the file.
func (k *keeper) last() (ended bool, err error) {
	over := time.NewTimer(lastPatience)
	defer over.Stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.round != nil {
		if !k.await(k.round, over.C) {
			return false, errNotKept
		}
	}
	r := k.begin(lastPatience, func([]byte) error { return k.renew(true) })
	if !k.await(r, over.C) {
		return false, errNotKept
	}
	return true, r.err
}

// renew makes a file of what the book has now, whole or not at all.
func (k *keeper) renew(exactly bool) error {
	was := k.broken
	k.broken = true
	all := k.book.lines(exactly)
	if int64(len(all)) > k.book.cfg.MaxFile {
		return errTooLarge
	}
	f, err := k.disk.temp(filepath.Dir(k.path))
	if err != nil {
		return err
	}
	if _, err = f.Write(all); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = k.disk.rename(f.Name(), k.path)
	}
	if err == nil {
		err = k.disk.syncDir(filepath.Dir(k.path))
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	old := k.file
	k.file, k.size, k.base, k.broken = f, int64(len(all)), int64(len(all)), false
	if old == nil {
		return nil
	}
	_ = old.Close() // nobody reads it any more
	if was {
		k.again()
	}
	return nil
}

func (k *keeper) close() error {
	if k.file == nil {
		return nil
	}
	return k.file.Close()
}
