package audit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrUnavailable is the reason for which a record was not taken, or is not
// known to be on disk: the hop is to be denied with audit_unavailable.
var ErrUnavailable = errors.New("audit unavailable")

// The ways in which the log is unavailable. Errors are not made on the way:
// a denied flood must not cost more than an allowed one.
var (
	ErrFull   = fmt.Errorf("%w: the queue is full", ErrUnavailable)
	ErrSink   = fmt.Errorf("%w: the file cannot be written", ErrUnavailable)
	ErrClosed = fmt.Errorf("%w: the log is closed", ErrUnavailable)
)

// entryCost is what an entry takes besides its text, in bytes: itself and what
// its line has around it.
const entryCost = 320

// entry is one record on its way to the file.
type entry struct {
	enc  encoder
	kind Kind
	hop  HopID
	at   time.Time
	// done hears once whether the record is on disk; nil: nobody waits.
	done chan error
}

func (e *entry) cost() int { return len(e.enc.b) + entryCost }

// identity is the part of the body that identity wrote.
func (e *entry) identity() []byte { return e.enc.b[e.enc.from:e.enc.to] }

// queue holds records until they are in the file.
type queue struct {
	limit int
	// wake has a token when the queue is no longer empty; urgent when that
	// should not wait for more to come.
	wake, urgent chan struct{}

	// mu guards what follows.
	mu    sync.Mutex
	items []*entry
	// bytes is the cost of items and of what the writer has in hand.
	bytes  int
	closed bool
	// refused are those that no line tells of yet; the totals only grow.
	refused                    uint64
	refusedTotal, writtenTotal uint64
	// unended are hops whose end was refused.
	unended map[HopID]struct{}
	// failing is why the file cannot be written; since is when that began, or
	// when the first of refused was.
	failing error
	since   time.Time
}

func newQueue(limit int) *queue {
	return &queue{
		limit:   limit,
		wake:    make(chan struct{}, 1),
		urgent:  make(chan struct{}, 1),
		unended: map[HopID]struct{}{},
	}
}

// push takes e, or says why not; e is then the caller's again.
func (q *queue) push(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.admit(e); err != nil {
		q.refuse(e)
		return err
	}
	q.items = append(q.items, e)
	q.bytes += e.cost()
	if len(q.items) == 1 {
		signal(q.wake)
	}
	if e.done != nil || q.bytes > q.limit/8 {
		signal(q.urgent)
	}
	return nil
}

// admit keeps an eighth of the queue for ends, which free what begins take.
func (q *queue) admit(e *entry) error {
	limit := q.limit
	if e.kind != KindEnd {
		limit -= limit / 8
	}
	switch {
	case q.closed:
		return ErrClosed
	case e.done != nil && q.failing != nil:
		return ErrSink
	case q.bytes+e.cost() <= limit:
		return nil
	}
	return ErrFull
}

func (q *queue) refuse(e *entry) {
	if q.refused == 0 && q.failing == nil {
		q.since = e.at
	}
	q.refused++
	q.refusedTotal++
	if e.kind == KindEnd && len(q.unended) < maxOpen {
		q.unended[e.hop] = struct{}{}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take hands over all items; spare becomes the next list.
func (q *queue) take(spare []*entry) []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = spare[:0]
	return items
}

// empty reports whether there is nothing to write.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) == 0 && len(q.unended) == 0
}

// written frees the room of n records that are in the file.
func (q *queue) written(n, cost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= cost
	q.writtenTotal += uint64(n)
}

// fail marks the file as not writable and tells those in the queue who wait.
func (q *queue) fail(err error, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing == nil && q.refused == 0 {
		q.since = now
	}
	q.failing = err
	for _, e := range q.items {
		e.tell(ErrSink)
	}
}

// tell answers who waits for e, once.
func (e *entry) tell(err error) {
	if e.done != nil {
		e.done <- err
		e.done = nil
	}
}

// outage is what a resume line says; nil: all is well.
func (q *queue) outage() *Resume {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing == nil && q.refused == 0 {
		return nil
	}
	r := &Resume{Since: q.since, Refused: q.refused}
	if q.failing != nil {
		r.Error = q.failing.Error()
	}
	return r
}

// resumed forgets an outage that a line now tells of.
func (q *queue) resumed(told *Resume) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failing = nil
	q.refused -= told.Refused
}

// orphans are the hops whose end was refused, once all that was queued before
// is in the file: their begin is among that.
func (q *queue) orphans() []HopID {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.unended) == 0 || len(q.items) > 0 {
		return nil
	}
	hops := slices.Collect(maps.Keys(q.unended))
	clear(q.unended)
	return sortHops(hops)
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// reason is why the file cannot be written; nil: it can.
func (q *queue) reason() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failing
}
