package h2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// window is what a stream may send without being asked: all it has.
	window = 1<<31 - 1
	// defaultWindow is what a connection may send unasked (RFC 9113, 6.9.2).
	defaultWindow = 1<<16 - 1
	// refill is how much of a connection's window is used before it is given
	// again.
	refill = 1 << 20
	// maxHeaders bounds the headers of an answer.
	maxHeaders = 64 << 10
)

// Conn is one connection. It is safe for concurrent use.
type Conn struct {
	conn net.Conn
	done chan struct{} // closed when nothing is read any more

	mu      sync.Mutex
	framer  *http2.Framer      // guarded by mu for writing; run alone reads
	block   bytes.Buffer       // guarded by mu
	encoder *hpack.Encoder     // guarded by mu; writes to block
	next    uint32             // guarded by mu; the id of the next stream
	streams map[uint32]*Stream // guarded by mu; those that live
	err     error              // guarded by mu; why nothing is read any more

	used uint32 // of the connection's window, since it was given; of run alone
}

// Dial opens a connection to an address. Close ends it.
func Dial(ctx context.Context, address string) (*Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	c := &Conn{conn: conn, done: make(chan struct{}), framer: http2.NewFramer(conn, conn), next: 1, streams: map[uint32]*Stream{}}
	c.encoder = hpack.NewEncoder(&c.block)
	c.framer.ReadMetaHeaders, c.framer.MaxHeaderListSize = hpack.NewDecoder(4096, nil), maxHeaders
	if err := c.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("dial: %w", err), conn.Close())
	}
	go c.run()
	return c, nil
}

// begin says who speaks (RFC 9113, section 3.4).
func (c *Conn) begin() error {
	if _, err := c.conn.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	if err := c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window},
	); err != nil {
		return err
	}
	return c.framer.WriteWindowUpdate(0, window-defaultWindow)
}

// Close ends the connection, and with it what lives on it.
func (c *Conn) Close() error {
	err := c.conn.Close()
	<-c.done
	return err
}

// Request is what a stream begins with.
type Request struct {
	Method, Authority, Path string
	// Header is in lower case.
	Header [][2]string
	// Body is sent whole, and is less than a peer's first window.
	Body []byte
	// Open leaves the client's side open, for Write: a CONNECT, which has no
	// path, is always so.
	Open bool
	// Keep is how many of the last bytes of the answer are kept.
	Keep int
}

// Start sends a request. It does not wait for an answer.
func (c *Conn) Start(r *Request) (*Stream, error) {
	s := &Stream{conn: c, begun: make(chan struct{}), done: make(chan struct{}), keep: r.Keep}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	s.id = c.next
	c.next += 2
	c.encode(r)
	open := r.Open || r.Method == "CONNECT"
	c.streams[s.id] = s
	if err := c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: s.id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: !open && len(r.Body) == 0,
	}); err != nil {
		return nil, fmt.Errorf("send a request: %w", err)
	}
	if len(r.Body) == 0 {
		return s, nil
	}
	if err := c.framer.WriteData(s.id, !open, r.Body); err != nil {
		return nil, fmt.Errorf("send a request: %w", err)
	}
	return s, nil
}

// encode writes a request's headers to block; mu is held.
func (c *Conn) encode(r *Request) {
	c.block.Reset()
	add := func(name, value string) {
		// A buffer takes all.
		_ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	add(":method", r.Method)
	add(":authority", r.Authority)
	if r.Method != "CONNECT" {
		add(":scheme", "http")
		add(":path", r.Path)
	}
	for _, h := range r.Header {
		add(h[0], h[1])
	}
}

// run reads until the connection ends.
func (c *Conn) run() {
	var err error
	for err == nil {
		var f http2.Frame
		if f, err = c.framer.ReadFrame(); err == nil {
			err = c.frame(f)
		}
	}
	now := time.Now()
	c.mu.Lock()
	c.err = fmt.Errorf("the connection ended: %w", err)
	for id, s := range c.streams {
		delete(c.streams, id)
		s.end(now, HowLost, 0)
	}
	c.mu.Unlock()
	close(c.done)
}

// frame takes one frame.
func (c *Conn) frame(f http2.Frame) error {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[f.Header().StreamID]
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.MetaHeadersFrame:
		return c.headers(s, f, now)
	case *http2.DataFrame:
		c.data(s, f, now)
		return c.give(f.Length)
	case *http2.RSTStreamFrame:
		c.end(s, now, HowReset, f.ErrCode)
	case *http2.GoAwayFrame:
		if f.ErrCode != http2.ErrCodeNo {
			return fmt.Errorf("the peer goes away: %s", f.ErrCode)
		}
	}
	return nil
}

func (c *Conn) headers(s *Stream, f *http2.MetaHeadersFrame, now time.Time) error {
	if s == nil {
		return nil // it was cancelled
	}
	if text := f.PseudoValue("status"); text != "" {
		status, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("read a status: %w", err)
		}
		s.answered(status)
	}
	if f.StreamEnded() {
		c.end(s, now, HowEnded, 0)
	}
	return nil
}

func (c *Conn) data(s *Stream, f *http2.DataFrame, now time.Time) {
	if s == nil {
		return // it was cancelled
	}
	s.take(f.Data())
	if f.StreamEnded() {
		c.end(s, now, HowEnded, 0)
	}
}

// give gives the connection's window again.
func (c *Conn) give(n uint32) error {
	if c.used += n; c.used < refill {
		return nil
	}
	n, c.used = c.used, 0
	return c.framer.WriteWindowUpdate(0, n)
}

func (c *Conn) end(s *Stream, now time.Time, h How, code http2.ErrCode) {
	if s != nil {
		delete(c.streams, s.id)
		s.end(now, h, code)
	}
}
