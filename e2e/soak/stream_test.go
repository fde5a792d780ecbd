package soak

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/hopgate/hopgate/bench/h2"
)

// keep is how much of the end of a stream is kept.
const keep = 1024

// ending is how a client saw a stream end.
type ending struct {
	at   time.Time
	how  string
	tail string
}

func (e ending) String() string { return fmt.Sprintf("%s, after %q", e.how, e.tail) }

// stream is one stream from its client's side.
type stream struct {
	done  chan struct{} // closed when it has ended
	leave func()
	last  ending // set before done is closed
}

// end is how it ended; it must have.
func (s *stream) end() ending { return s.last }

// told reports whether a word came at the end.
func (s *stream) told(word string) bool { return strings.Contains(s.last.tail, word) }

// stays waits, and is an error where the stream ends by itself.
func (s *stream) stays(d time.Duration) error {
	select {
	case <-s.done:
		return fmt.Errorf("it ended by itself: %s", s.last)
	case <-time.After(d):
		return nil
	}
}

// ends waits for the end, no longer than that.
func (s *stream) ends(within time.Duration) error {
	select {
	case <-s.done:
		return nil
	case <-time.After(within):
		return fmt.Errorf("it lives on after %s", within)
	}
}

// follow reads a stream to its end. close ends it, and is called at the end.
func follow(r io.Reader, c net.Conn) *stream {
	s := &stream{done: make(chan struct{}), leave: func() { c.Close() }}
	go func() {
		defer close(s.done)
		defer c.Close()
		var tail []byte
		buf := make([]byte, 4096)
		var err error
		for err == nil {
			var n int
			n, err = r.Read(buf)
			tail = append(tail, buf[:n]...)
			tail = tail[max(0, len(tail)-keep):]
		}
		s.last = ending{time.Now(), err.Error(), string(tail)}
	}()
	return s
}

// followed is a stream on a connection of HTTP/2.
func followed(h *h2.Stream) *stream {
	s := &stream{done: make(chan struct{}), leave: h.Cancel}
	go func() {
		defer close(s.done)
		e := h.End()
		s.last = ending{e.At, string(e.How), e.Tail}
	}()
	return s
}
