package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of Config.
const (
	DefaultQueueBytes         = 16 << 20
	DefaultCheckpointRecords  = 1000
	DefaultCheckpointInterval = 10 * time.Second
	DefaultLinger             = 2 * time.Millisecond
	DefaultRetry              = time.Second
)

// Config says where and how a log is kept. It is not changed once it was
// handed over.
type Config struct {
	// Path is the file. Beside it lie Path.lock, which keeps a second process
	// out, and Path.state, by which a start finds the end of the log.
	Path string
	// Key signs checkpoints.
	Key ed25519.PrivateKey
	// Version is that of the program, for the boot line.
	Version string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Rand is read once, for the boot id; nil: crypto/rand.
	Rand io.Reader
	// Logger hears when the file cannot be written, and when it can again.
	// Nil: nobody.
	Logger *slog.Logger
	// Progress hears of a long read at the start, in bytes; nil: nobody.
	Progress func(done, total int64)
	// QueueBytes is what may wait to be written; 0: 16 MiB. A full queue
	// refuses records, so that their hops are denied.
	QueueBytes int
	// CheckpointRecords is the largest number of lines between two
	// checkpoints; 0: 1000.
	CheckpointRecords int
	// CheckpointInterval is how long a line stays without one; 0: 10 s.
	CheckpointInterval time.Duration
	// Linger is how long a record that nobody waits for may wait for more, so
	// that they share a write; 0: 2 ms. Negative: not at all.
	Linger time.Duration
	// Retry is the time between two attempts to write a failing file; 0: 1 s.
	Retry time.Duration
}

func (c *Config) complete() error {
	if c.Path == "" {
		return errors.New("open audit log: no path")
	}
	if len(c.Key) != ed25519.PrivateKeySize {
		return errors.New("open audit log: no signing key")
	}
	if c.QueueBytes < 0 || c.CheckpointRecords < 0 || c.CheckpointInterval < 0 || c.Retry < 0 {
		return errors.New("open audit log: a limit is negative")
	}
	c.defaults()
	return nil
}

func (c *Config) defaults() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	orDefault(&c.QueueBytes, DefaultQueueBytes)
	orDefault(&c.CheckpointRecords, DefaultCheckpointRecords)
	orDefault(&c.CheckpointInterval, DefaultCheckpointInterval)
	orDefault(&c.Linger, DefaultLinger)
	orDefault(&c.Retry, DefaultRetry)
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// Log is an open audit log. All methods may be called at any time, from any
// goroutine.
type Log struct {
	cfg    Config
	bootID string
	queue  *queue
	subs   subscribers
	// entries and waiters save the hot path from allocating.
	entries, waiters sync.Pool
	// w belongs to Run.
	w       *writer
	lock    io.Closer
	started atomic.Bool
	reopen  chan struct{}
	stop    chan struct{}
	stopped sync.Once
	ran     chan struct{}
	// err is that of the end, to be read after ran is closed.
	err error
}

// Open takes the log over: it locks it, finds its end, cuts an unfinished last
// line, and writes what the start found, an end for each hop that had none,
// and a checkpoint. A file that cannot be written is an error here; ErrInUse
// is one that another process has.
func Open(cfg Config) (*Log, error) { return open(cfg, osDisk{}) }

func open(cfg Config, d disk) (*Log, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(cfg.Rand, id); err != nil {
		return nil, fmt.Errorf("open audit log: make boot id: %w", err)
	}
	lock, err := d.lock(cfg.Path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l := newLog(cfg, hex.EncodeToString(id))
	l.lock = lock
	if l.w, err = newWriter(l, d); err != nil {
		return nil, errors.Join(fmt.Errorf("open audit log: %w", err), lock.Close())
	}
	return l, nil
}

func newLog(cfg Config, bootID string) *Log {
	return &Log{
		cfg:    cfg,
		bootID: bootID,
		queue:  newQueue(cfg.QueueBytes),
		entries: sync.Pool{New: func() any {
			return &entry{enc: encoder{b: make([]byte, 0, 1024)}}
		}},
		waiters: sync.Pool{New: func() any { return make(chan error, 1) }},
		reopen:  make(chan struct{}, 1),
		stop:    make(chan struct{}),
		ran:     make(chan struct{}),
	}
}

// BootID names this process in its lines: 32 hex digits.
func (l *Log) BootID() string { return l.bootID }

// ErrInvalid is a record that cannot be one: of a kind that is the log's own,
// or a begin or end without a hop.
var ErrInvalid = errors.New("invalid audit record")

// Append takes a begin, deny or end. It does not wait for the disk. It returns
// an ErrUnavailable when there is no room for it, and then the hop must not
// begin. Nothing of r is kept.
func (l *Log) Append(r Record) error {
	e, err := l.entry(&r)
	if err != nil {
		return err
	}
	if err := l.queue.push(e); err != nil {
		l.release(e)
		return err
	}
	return nil
}

// AppendDurable is Append that returns once the record is on disk. After an
// error it may or may not be: who denies a hop for that appends its deny, and
// that is what counts. Many who wait share one sync.
func (l *Log) AppendDurable(ctx context.Context, r Record) error {
	e, err := l.entry(&r)
	if err != nil {
		return err
	}
	done := l.waiters.Get().(chan error)
	e.done = done
	if err := l.queue.push(e); err != nil {
		e.done = nil
		l.release(e)
		l.waiters.Put(done)
		return err
	}
	select {
	case err = <-done:
		l.waiters.Put(done)
		return err
	case <-ctx.Done():
		// The writer still answers on done: it is not used again.
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

func (l *Log) entry(r *Record) (*entry, error) {
	if !appendable(r) {
		return nil, ErrInvalid
	}
	if r.Time.IsZero() {
		r.Time = l.cfg.Now()
	}
	e := l.entries.Get().(*entry)
	e.kind, e.hop, e.at = r.Kind, r.Hop, r.Time
	e.enc.encode(r, l.bootID)
	return e, nil
}

func appendable(r *Record) bool {
	switch r.Kind {
	case KindBegin, KindChange, KindEnd:
		return r.Hop != HopID{} && r.Boot == nil && r.Resume == nil && r.Checkpoint == nil
	case KindDeny:
		return r.Boot == nil && r.Resume == nil && r.Checkpoint == nil
	}
	return false
}

// release makes an entry ready for the next record.
func (l *Log) release(e *entry) {
	e.enc = encoder{b: e.enc.b[:0]}
	if cap(e.enc.b) <= maxLine/2 {
		l.entries.Put(e)
	}
}

// Reopen closes the file and opens what is now at its path: for SIGHUP after a
// rotation. A file that was renamed or removed is noticed without it.
func (l *Log) Reopen() { signal(l.reopen) }

// Stats is how the log is doing.
type Stats struct {
	// Written and Refused count records since the start.
	Written, Refused uint64
	// QueuedBytes are taken and not yet in the file, of Config.QueueBytes.
	QueuedBytes int
	// Failing is why the file cannot be written, Since when that began; nil:
	// it can.
	Failing error
	Since   time.Time
}

// Stats says how the log is doing.
func (l *Log) Stats() Stats {
	q := l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{Written: q.writtenTotal, Refused: q.refusedTotal, QueuedBytes: q.bytes, Failing: q.failing}
	if q.failing != nil {
		s.Since = q.since
	}
	return s
}
