package audit

import (
	"context"
	"errors"
	"time"
)

// errTwice is a second Run.
var errTwice = errors.New("audit log runs already, or is closed")

// Run writes until ctx ends or Close is called; then it writes what is queued
// and a last checkpoint, and closes the log. Records that come later are
// refused: end it after everything that makes records. It returns an error if
// records could not be written at the end.
func (l *Log) Run(ctx context.Context) error {
	if !l.started.CompareAndSwap(false, true) {
		return errTwice
	}
	defer close(l.ran)
	l.loop(ctx)
	l.err = l.finish()
	return l.err
}

// Close ends Run and waits for it; without a Run it closes the log itself.
func (l *Log) Close() error {
	l.stopped.Do(func() { close(l.stop) })
	if l.started.CompareAndSwap(false, true) {
		l.err = l.finish()
		close(l.ran)
	}
	<-l.ran
	return l.err
}

// loop does what comes, one thing at a time.
func (l *Log) loop(ctx context.Context) {
	tick := time.NewTicker(l.cfg.CheckpointInterval)
	defer tick.Stop()
	retry := time.NewTimer(l.cfg.Retry)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.stop:
			return
		case <-l.queue.wake:
			l.gather(ctx)
			l.unlessFailing(l.w.flush)
		case <-tick.C:
			l.unlessFailing(l.w.interval)
		case <-l.reopen:
			l.w.interval()
		case <-retry.C:
			if l.w.failing {
				l.w.flush()
			}
		}
		if l.w.failing {
			retry.Reset(l.cfg.Retry)
		}
	}
}

// unlessFailing leaves a failing file alone until it is time to try again.
func (l *Log) unlessFailing(do func()) {
	if !l.w.failing {
		do()
	}
}

// gather waits a moment for more records, unless somebody waits for these.
func (l *Log) gather(ctx context.Context) {
	if l.cfg.Linger <= 0 || l.w.failing {
		return
	}
	t := time.NewTimer(l.cfg.Linger)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.queue.urgent:
	case <-l.stop:
	case <-ctx.Done():
	}
}

// finish writes the rest and lets go of everything.
func (l *Log) finish() error {
	l.queue.close()
	l.w.flush()
	err := l.w.close()
	l.subs.close()
	return errors.Join(err, l.lock.Close())
}
