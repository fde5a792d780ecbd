package budget

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
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

	mu   sync.Mutex
	free sync.Cond // of mu: the write that went on has ended
	// pending are lines that are not written yet, given is their last ticket;
	// guarded by mu.
	pending []byte
	given   ticket
	// written is the last ticket that the file has, failures how many writes have
	// failed; guarded by mu.
	written  ticket
	failures int
	busy     bool // guarded by mu: somebody writes

	// What follows is of who writes. Broken is true once a write has failed: what
	// it left, and what it left out, is mended by a new file.
	file       file
	size, base int64
	broken     bool
}

func newKeeper(path string, d disk, b *Book) *keeper {
	k := &keeper{path: path, disk: d, book: b}
	k.free.L = &k.mu
	return k
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

func (k *keeper) wait(t ticket) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for failures := k.failures; k.written < t; {
		switch {
		case k.failures != failures:
			return errNotKept
		case k.busy:
			k.free.Wait()
		default:
			k.flush()
		}
	}
	return nil
}

// flush writes what is pending; mu is held, but not while it writes.
func (k *keeper) flush() {
	lines, upto := k.pending, k.given
	k.pending, k.busy = nil, true
	k.mu.Unlock()
	err := k.write(lines)
	k.mu.Lock()
	if k.busy = false; err == nil {
		k.written = upto
	} else {
		k.failures++
	}
	k.free.Broadcast()
}

// most is how much larger than twice of what it began with the file gets.
const most = 1 << 20

// write has the file have lines. What it has too often is left out now and then.
func (k *keeper) write(lines []byte) error {
	if k.broken || k.size+int64(len(lines)) > 2*k.base+most {
		return k.renew(false)
	}
	n, err := k.file.Write(lines)
	if k.size += int64(n); err == nil {
		err = k.file.Sync()
	}
	if err != nil {
		k.broken = true
		k.book.cfg.Log.Error("budgets are closed, because what is used of them cannot be written", "file", k.path, "error", err)
	}
	return err
}

// rewrite makes a file of what the book has now. Exactly is for the last one:
// nothing is used after it.
func (k *keeper) rewrite(exactly bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.busy {
		k.free.Wait()
	}
	upto := k.given
	k.pending, k.busy = nil, true
	k.mu.Unlock()
	err := k.renew(exactly)
	k.mu.Lock()
	if k.busy = false; err == nil {
		k.written = upto
	}
	k.free.Broadcast()
	return err
}

// renew makes a file of what the book has now, whole or not at all.
func (k *keeper) renew(exactly bool) error {
	was := k.broken
	k.broken = true
	all := k.book.lines(exactly)
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
	if was && old != nil {
		k.book.cfg.Log.Info("budgets can be written again", "file", k.path)
	}
	if old != nil {
		return old.Close()
	}
	return nil
}

func (k *keeper) close() error {
	if k.file == nil {
		return nil
	}
	return k.file.Close()
}
