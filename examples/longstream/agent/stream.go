package agent

import (
	"context"
	"io"
	"sync"
	"time"
)

// How a stream ended.
const (
	// Clean is an end that its protocol has: the last chunk of an answer.
	Clean = "a clean end"
	// Closed is a close frame of a WebSocket.
	Closed = "a close frame"
	// Left is an end that the agent wanted.
	Left = "left by the agent"
	// Broken is any other: a reset, or bytes that make no sense.
	Broken = "broken off"
)

// Heard is what came through a stream.
type Heard struct {
	// Pieces are how many events or messages there were, without the last one
	// of a stream that has ended with a word.
	Pieces int
	// Last is the last event's data or the last message.
	Last string
	// Status and Reason are those of a close frame.
	Status int
	Reason string
	// How it ended, and when; empty: it lives.
	How string
	At  time.Time
	Err error
}

// Stream is one that the agent holds.
type Stream struct {
	// Name is what it is called.
	Name string

	conn io.Closer
	done chan struct{} // closed at the end

	mu    sync.Mutex
	left  bool          // guarded by mu; the agent wants no more
	heard Heard         // guarded by mu
	more  chan struct{} // guarded by mu; closed at the next piece
}

// hold reads a stream until its end. next blocks for the next piece, and
// returns how it ended.
func hold(name string, conn io.Closer, next func(*Heard) (how string, err error)) *Stream {
	s := &Stream{Name: name, conn: conn, done: make(chan struct{}), more: make(chan struct{})}
	go func() {
		defer close(s.done)
		defer conn.Close()
		for s.take(next) {
		}
	}()
	return s
}

// take is one piece; false: there are no more.
func (s *Stream) take(next func(*Heard) (string, error)) bool {
	h := s.Heard()
	how, err := next(&h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if how != "" {
		h.How, h.Err, h.At = how, err, time.Now()
	}
	if how != "" && s.left {
		h.How, h.Err = Left, nil
	}
	s.heard = h
	close(s.more)
	s.more = make(chan struct{})
	return how == ""
}

// Heard is what has come by now.
func (s *Stream) Heard() Heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

// Wait waits for this many pieces; false: it has ended before.
func (s *Stream) Wait(ctx context.Context, pieces int) bool {
	for {
		s.mu.Lock()
		h, more := s.heard, s.more
		s.mu.Unlock()
		if h.Pieces >= pieces || h.How != "" {
			return h.Pieces >= pieces
		}
		select {
		case <-ctx.Done():
			return false
		case <-more:
		}
	}
}

// End waits until it has ended.
func (s *Stream) End(ctx context.Context) (Heard, error) {
	select {
	case <-ctx.Done():
		return s.Heard(), ctx.Err()
	case <-s.done:
		return s.Heard(), nil
	}
}

// Leave ends it from the agent's side.
func (s *Stream) Leave() {
	s.mu.Lock()
	s.left = true
	s.mu.Unlock()
	_ = s.conn.Close() // it may have ended
	<-s.done
}
