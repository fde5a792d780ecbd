package audit

import "fmt"

// ready makes the file at the path the open one, and its end the place where
// the next line goes.
func (w *writer) ready() error {
	ours, err := w.disk.current(w.file, w.log.cfg.Path)
	if err != nil {
		return fmt.Errorf("find audit log: %w", err)
	}
	if !ours {
		return w.turn()
	}
	st, err := w.file.Stat()
	if err != nil {
		return fmt.Errorf("find audit log: %w", err)
	}
	return w.mend(st.Size())
}

// mend deals with a file that does not end with our last line.
func (w *writer) mend(size int64) error {
	switch {
	case size == w.size:
		w.dirty = false
	case size < w.size:
		// Copied and truncated by a rotation, or cut: what comes now is the
		// first line of what is left.
		return w.enter(size, "audit log was truncated")
	case w.dirty:
		if err := w.file.Truncate(w.size); err != nil {
			return fmt.Errorf("mend audit log: %w", err)
		}
		w.dirty = false
	default:
		// Another program has written into it. That is not ours to remove:
		// Verify is to find it.
		w.logger.Warn("audit log has lines of another program", "path", w.log.cfg.Path)
		return w.follow(size)
	}
	return nil
}

// turn seals the file that was renamed or removed and begins the next.
func (w *writer) turn() error {
	w.seal()
	f, err := w.disk.open(w.log.cfg.Path)
	if err != nil {
		return fmt.Errorf("open audit log again: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open audit log again: %w", err)
	}
	if err := w.file.Close(); err != nil {
		w.logger.Warn("audit log of before did not close", "error", err)
	}
	w.file, w.dirty = f, false
	return w.enter(st.Size(), "audit log was rotated")
}

// enter begins after what a new file holds, which is nothing as a rule.
func (w *writer) enter(size int64, why string) error {
	if err := w.follow(size); err != nil {
		return err
	}
	w.logger.Info(why, //nolint:sloglint // one of a few constants
		"path", w.log.cfg.Path, "seq", w.chain.seq)
	w.fresh, w.sealed = true, false
	w.save(false)
	return nil
}

// follow moves the place of the next line to the end of a file of this size.
func (w *writer) follow(size int64) error {
	w.midline = false
	if size > 0 {
		last := make([]byte, 1)
		if _, err := w.file.ReadAt(last, size-1); err != nil {
			return fmt.Errorf("find the end of the audit log: %w", err)
		}
		w.midline = last[0] != '\n'
	}
	w.size, w.dirty = size, false
	return nil
}

// seal gives the old file its last checkpoint, if it can still be written.
func (w *writer) seal() {
	if w.sealed {
		return
	}
	w.sealed = true
	if w.dirty && w.file.Truncate(w.size) != nil {
		return
	}
	b := batch{chain: w.chain}
	w.checkpoint(&b, whyRotate)
	if err := w.write(b); err != nil {
		w.logger.Warn("audit log has no last checkpoint before its rotation", "error", err)
		return
	}
	w.chain = b.chain
	w.start, w.size = w.size, w.size+int64(len(b.out))
	w.log.subs.publish(b.out)
}

// close writes a last checkpoint and lets the file go.
func (w *writer) close() error {
	err := w.last()
	if n := len(w.work) - w.next; err != nil {
		err = fmt.Errorf("close audit log, %d records not written: %w", n, err)
	}
	if cerr := w.file.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("close audit log: %w", cerr)
	}
	return err
}

func (w *writer) last() error {
	if w.failing {
		return w.log.queue.reason()
	}
	if err := w.ready(); err != nil {
		return err
	}
	b := w.begin()
	w.checkpoint(&b, whyClose)
	if err := w.commit(b); err != nil {
		return err
	}
	w.save(true)
	return nil
}
