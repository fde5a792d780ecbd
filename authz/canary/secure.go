package canary

import (
	"errors"
	"io"
	"net"
	"sync"

	"github.com/hopgate/hopgate/authz/surface/clienthello"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// secure is a destination of TLS that passes. It reads what its client begins
// with, and answers by an alert in the clear: that is all that a server can say
// before there are keys, and all that a canary needs to hear.
type secure struct {
	name     string
	listener net.Listener
	tally    *tally

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu; nil: it is closed
	came  int                   // guarded by mu; connections so far
	wg    sync.WaitGroup
}

// arrived is the alert user_canceled, a warning (RFC 8446 section 6.1), which
// nothing but a destination of canaries says.
func arrived() []byte { return []byte{21, 3, 3, 0, 2, 1, 90} }

func newSecure(name string, l net.Listener, t *tally) *secure {
	return &secure{name: name, listener: l, tally: t, conns: map[net.Conn]struct{}{}}
}

func (s *secure) serve() {
	defer s.wg.Wait()
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return // it is closed
		}
		s.enter(c)
		s.wg.Go(func() {
			defer s.leave(c)
			s.answer(c)
		})
	}
}

func (s *secure) enter(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.came++
	if s.conns == nil {
		_ = c.Close() // whoever it is came too late
		return
	}
	s.conns[c] = struct{}{}
}

func (s *secure) leave(c net.Conn) {
	_ = c.Close() // it has been answered, or has gone
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// total is how many connections have come.
func (s *secure) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.came
}

func (s *secure) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close() // nobody waits for what it has to say
	}
	s.conns = nil
	if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// answer says that TLS has arrived, and does what its name asks for.
func (s *secure) answer(c net.Conn) {
	name, size, err := helloOf(c)
	if err != nil {
		return
	}
	if _, err := c.Write(arrived()); err != nil {
		return
	}
	// What is no canary's name is no path of one, and is not answered.
	switch _, what, _, _ := wire.ParseCanaryServerName(name); "/" + what {
	case pathMeter:
		s.metered(c, name, size)
	case pathCut, pathDeadline:
		_, _ = io.Copy(io.Discard, c) // until it is broken off
	}
}

// metered says once more that all has come which may pass, and waits for what
// may not.
func (s *secure) metered(c net.Conn, name string, size int) {
	if _, err := io.CopyN(io.Discard, c, int64(meterRoom-size)); err != nil {
		return
	}
	if _, err := c.Write(arrived()); err != nil {
		return
	}
	s.tally.tell(name, more(c))
}

// helloOf reads what the TLS of a client begins with: the name that it wants,
// and how many bytes that took.
func helloOf(c io.Reader) (name string, size int, err error) {
	var b []byte
	piece := make([]byte, 4<<10)
	for {
		n, err := c.Read(piece)
		b = append(b, piece[:n]...)
		h, short := clienthello.Read(b)
		switch {
		case !errors.Is(short, clienthello.ErrShort):
			return h.ServerName, len(b), short
		case err != nil:
			return "", 0, err
		}
	}
}
