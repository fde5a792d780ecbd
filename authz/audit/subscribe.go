package audit

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// Event is what a subscriber gets.
type Event struct {
	// Line is one line of the log without its newline; it is shared and must
	// not be changed. Nil: only Missed counts.
	Line []byte
	// Missed is the number of lines that this subscriber was too slow for,
	// right before Line.
	Missed uint64
}

// Subscription is one reader of the lines that are written from now on. It is
// for one goroutine.
type Subscription struct {
	subs *subscribers
	size int
	// more has a token when there is something to read.
	more chan struct{}

	// mu guards what follows.
	mu     sync.Mutex
	events []Event
	missed uint64
	closed bool
}

// Subscribe hands out every line once it is in the file. A subscriber that
// lags by more than size lines loses lines and is told how many; the log never
// waits for one. A size below 1 is 1. It must be closed.
func (l *Log) Subscribe(size int) *Subscription {
	s := &Subscription{subs: &l.subs, size: max(size, 1), more: make(chan struct{}, 1)}
	l.subs.add(s)
	return s
}

// Next waits for the next event. It returns io.EOF when the log or the
// subscription is closed and all was read, and ctx's error when that ends.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok, closed := s.pop(); ok {
			return e, nil
		} else if closed {
			return Event{}, io.EOF
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.subs.remove(s)
	s.end()
}

func (s *Subscription) pop() (e Event, ok, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.events) > 0:
		e = s.events[0]
		s.events[0] = Event{}
		s.events = s.events[1:]
		return e, true, false
	case s.missed > 0:
		e.Missed, s.missed = s.missed, 0
		return e, true, false
	}
	return Event{}, false, s.closed
}

// push adds a line, or counts it.
func (s *Subscription) push(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) >= s.size {
		s.missed++
		return
	}
	s.events = append(s.events, Event{Line: line, Missed: s.missed})
	s.missed = 0
	signal(s.more)
}

func (s *Subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	signal(s.more)
}

// subscribers are those of one log. The zero value is ready.
type subscribers struct {
	// count spares the writer the lock and a copy when nobody listens.
	count atomic.Int32

	// mu guards what follows.
	mu     sync.Mutex
	all    []*Subscription
	closed bool
}

func (s *subscribers) add(sub *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		sub.end()
		return
	}
	s.all = append(s.all, sub)
	s.count.Store(int32(len(s.all)))
}

func (s *subscribers) remove(sub *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.all, sub); i >= 0 {
		s.all = slices.Delete(s.all, i, i+1)
	}
	s.count.Store(int32(len(s.all)))
}

// publish hands out whole lines; the bytes are copied once for all.
func (s *subscribers) publish(out []byte) {
	if s.count.Load() == 0 {
		return
	}
	out = bytes.Clone(out)
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range bytes.Lines(out) {
		if l = bytes.TrimSuffix(l, []byte("\n")); len(l) == 0 {
			continue
		}
		for _, sub := range s.all {
			sub.push(slices.Clip(l))
		}
	}
}

func (s *subscribers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, sub := range s.all {
		sub.end()
	}
}
