package nameserver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxConns bounds the TCP connections of a socket, maxConnsEach those of one
	// client.
	maxConns     = 64
	maxConnsEach = 8
	// idle is how long a TCP connection may say nothing.
	idle = 5 * time.Second
	// stopping bounds the end of a socket.
	stopping = 2 * time.Second
)

// socket is one address, UDP and TCP.
type socket struct {
	// view is nil where nobody is answered any more.
	view   atomic.Pointer[View]
	both   [2]*dns.Server
	cancel context.CancelFunc
	wg     sync.WaitGroup
	broken atomic.Bool
}

// open takes an address and serves it, until close.
func (p *Pool) open(at netip.AddrPort) (*socket, error) {
	u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("answer names: %w", err)
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		_ = u.Close()
		return nil, fmt.Errorf("answer names: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &socket{cancel: cancel}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { p.serve(ctx, s, w, m) })
	serve := func(d *dns.Server) *dns.Server {
		d.Handler, d.MsgAcceptFunc = handler, accept
		d.DecorateWriter = func(w dns.Writer) dns.Writer { return &unreadable{w, p, s} }
		d.ReadTimeout, d.WriteTimeout, d.IdleTimeout = idle, idle, func() time.Duration { return idle }
		begun := make(chan struct{})
		once := sync.OnceFunc(func() { close(begun) })
		d.NotifyStartedFunc = once
		s.wg.Go(func() {
			defer once()
			if err := d.ActivateAndServe(); err != nil {
				s.broken.Store(true)
			}
		})
		<-begun
		return d
	}
	s.both = [2]*dns.Server{
		serve(&dns.Server{PacketConn: u, DecorateReader: func(r dns.Reader) dns.Reader { return &ofClients{r, s, p.metrics} }}),
		serve(&dns.Server{Listener: &clientsOnly{TCPListener: l, socket: s, open: map[netip.Addr]int{}}}),
	}
	return s, nil
}

// ended reports whether the socket serves no more, by itself.
func (s *socket) ended() bool { return s.broken.Load() }

// close gives the address up, and waits for what is under way.
func (s *socket) close() {
	s.view.Store(nil)
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), stopping)
	defer cancel()
	for _, d := range s.both {
		_ = d.ShutdownContext(ctx) // one that ended by itself cannot be told
	}
	s.wg.Wait()
}

// ofClients reads packets of clients. Those of others end here, before they are
// parsed: the server tells whoever sends it what cannot be parsed that it cannot.
type ofClients struct {
	dns.Reader
	socket  *socket
	metrics metrics
}

// ReadUDP returns the next packet: empty, which is passed over, if it is of
// nobody who is answered.
func (r *ofClients) ReadUDP(c *net.UDPConn, timeout time.Duration) ([]byte, *dns.SessionUDP, error) {
	m, from, err := r.Reader.ReadUDP(c, timeout)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // the server looks at what it is
	}
	if v := r.socket.view.Load(); v == nil || !v.answers(addrOf(from.RemoteAddr()).Addr()) {
		r.metrics.count(Stranger)
		return m[:0], from, nil
	}
	return m, from, nil
}

// clientsOnly lets in connections of clients, some of each.
type clientsOnly struct {
	*net.TCPListener
	socket *socket

	mu   sync.Mutex // guards open
	open map[netip.Addr]int
	all  int // guarded by mu
}

// Accept returns the next connection of a client. Others are closed before a
// byte of them is read.
func (l *clientsOnly) Accept() (net.Conn, error) {
	for {
		c, err := l.TCPListener.Accept()
		if err != nil {
			return nil, err
		}
		from := site(addrOf(c.RemoteAddr()).Addr())
		if v := l.socket.view.Load(); v != nil && v.answers(addrOf(c.RemoteAddr()).Addr()) && l.enter(from) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		_ = c.Close() // whoever it is has no claim to an error
	}
}

func (l *clientsOnly) enter(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= maxConns || l.open[a] >= maxConnsEach {
		return false
	}
	l.all++
	l.open[a]++
	return true
}

func (l *clientsOnly) leave(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[a]--; l.open[a] == 0 {
		delete(l.open, a)
	}
}

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close ends the connection.
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
