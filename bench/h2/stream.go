package h2

import (
	"fmt"
	"time"

	"golang.org/x/net/http2"
)

// How says how a stream ended.
type How string

// Ends of streams.
const (
	// HowEnded is an orderly end, HowReset one by the peer's RST_STREAM.
	HowEnded How = "ended"
	HowReset How = "reset"
	// HowLeft is by Cancel, HowLost by the end of the connection.
	HowLeft How = "left"
	HowLost How = "lost"
)

// End is how a stream ended.
type End struct {
	At   time.Time
	How  How
	Code http2.ErrCode
	// Status is the answer's; 0: there was none.
	Status int
	// Bytes are those of the answer's body, Tail the last of them.
	Bytes int64
	Tail  string
}

// Stream is one request and its answer. It is safe for concurrent use.
type Stream struct {
	conn *Conn
	id   uint32
	keep int

	begun, done chan struct{}

	// Of whoever holds conn.mu, until done is closed.
	status int
	bytes  int64
	tail   []byte
	ended  End
}

// Begun is closed when the answer's headers have come, or the stream has ended.
func (s *Stream) Begun() <-chan struct{} { return s.begun }

// Done is closed when the stream has ended.
func (s *Stream) Done() <-chan struct{} { return s.done }

// End waits for the end.
func (s *Stream) End() End {
	<-s.done
	return s.ended
}

// Status is the answer's so far; 0: there is none.
func (s *Stream) Status() int {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return s.status
}

// Bytes is how many have come.
func (s *Stream) Bytes() int64 {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return s.bytes
}

// Write sends a piece of an open request. It is for few bytes: it does not wait
// for a window.
func (s *Stream) Write(b []byte) (int, error) { return len(b), s.send(b, false) }

// CloseWrite ends the client's side.
func (s *Stream) CloseWrite() error { return s.send(nil, true) }

func (s *Stream) send(b []byte, end bool) error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.conn.streams[s.id] != s {
		return fmt.Errorf("send on a stream that is over: %s", s.ended.How)
	}
	return s.conn.framer.WriteData(s.id, end, b)
}

// Cancel leaves the stream; what has ended has.
func (s *Stream) Cancel() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.conn.streams[s.id] != s {
		return
	}
	s.conn.end(s, time.Now(), HowLeft, 0)
	_ = s.conn.framer.WriteRSTStream(s.id, http2.ErrCodeCancel) // an error: the connection has ended too
}

// answered notes a status. What is only on the way to one (1xx) begins nothing.
func (s *Stream) answered(status int) {
	if s.status = status; status >= 200 {
		s.open()
	}
}

func (s *Stream) open() {
	select {
	case <-s.begun:
	default:
		close(s.begun)
	}
}

func (s *Stream) take(b []byte) {
	s.bytes += int64(len(b))
	if s.keep > 0 {
		s.tail = append(s.tail, b...)
		s.tail = s.tail[max(0, len(s.tail)-s.keep):]
	}
}

func (s *Stream) end(now time.Time, h How, code http2.ErrCode) {
	s.ended = End{At: now, How: h, Code: code, Status: s.status, Bytes: s.bytes, Tail: string(s.tail)}
	s.open()
	close(s.done)
}
