package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/netutil"
)

const (
	// maxQueries bounds the queries that are answered at one time, maxConns the
	// TCP connections.
	maxQueries = 512
	maxConns   = 32
	// idle is how long a TCP connection may say nothing.
	idle = 5 * time.Second
	// stopping bounds the end of a Server.
	stopping = 2 * time.Second
)

// ServerConfig is what a Server is made of. The zero value works.
type ServerConfig struct {
	// Address is what it listens on, UDP and TCP: loopback. The zero value is
	// 127.0.0.1 and a free port; port 0 is a free one too.
	Address netip.AddrPort
	// Observer is nil for none.
	Observer Observer
	// Now is the clock of approvals; nil: time.Now.
	Now func() time.Time
	// Total bounds one query. 0: 4s.
	Total time.Duration
}

// Server answers Envoy's DNS. Every process of this machine can reach it, so
// that it answers nothing but names that were approved, and asks nobody about
// any other.
type Server struct {
	cfg      ServerConfig
	udp      net.PacketConn
	tcp      net.Listener
	approved *approvals
	slots    chan struct{}
	refusals *bucket

	mu    sync.Mutex // guards zones
	zones []*Zone
}

// NewServer takes its port. Run serves it; Close gives it up without.
func NewServer(c ServerConfig) (*Server, error) {
	if !c.Address.IsValid() {
		c.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), c.Address.Port())
	}
	if !c.Address.Addr().IsLoopback() {
		return nil, fmt.Errorf("serve dns: %s is not loopback", c.Address)
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Total == 0 {
		c.Total = 4 * time.Second
	}
	s := &Server{
		cfg: c, approved: newApprovals(maxApproved), slots: make(chan struct{}, maxQueries), refusals: newBucket(c.Now),
	}
	var err error
	if s.udp, s.tcp, err = listenBoth(c.Address); err != nil {
		return nil, err
	}
	return s, nil
}

// listenBoth finds a port that is free for UDP and for TCP.
func listenBoth(at netip.AddrPort) (net.PacketConn, net.Listener, error) {
	var last error
	for range 16 {
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return nil, nil, fmt.Errorf("serve dns: %w", err)
		}
		got := u.LocalAddr().(*net.UDPAddr).AddrPort()
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(got))
		if err == nil {
			return u, netutil.LimitListener(l, maxConns), nil
		}
		last = err
		_ = u.Close()
		if at.Port() != 0 {
			break
		}
	}
	return nil, nil, fmt.Errorf("serve dns: %w", last)
}

// Address is what the Server listens on.
func (s *Server) Address() netip.AddrPort {
	return s.udp.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Zone opens a Zone whose names r answers.
func (s *Server) Zone(r Lookuper) *Zone {
	z := &Zone{asks: r, server: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones = append(s.zones, z)
	return z
}

func (s *Server) forget(z *Zone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones = slices.DeleteFunc(slices.Clone(s.zones), func(o *Zone) bool { return o == z })
}

// zone is who answers name; nil: it was not approved.
func (s *Server) zone(name string) *Zone {
	if z := s.approved.zone(name, s.cfg.Now()); z != nil {
		return z
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, z := range s.zones {
		if z.keeps(name) {
			return z
		}
	}
	return nil
}

// Close gives up the port of a Server that does not run.
func (s *Server) Close() error { return errors.Join(s.udp.Close(), s.tcp.Close()) }

// Run serves until ctx ends, and waits for what is under way.
func (s *Server) Run(ctx context.Context) error {
	inner, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	both := [...]*dns.Server{s.transport(inner, s.udp, nil), s.transport(inner, nil, s.tcp)}
	var wg sync.WaitGroup
	for _, d := range both {
		wg.Go(func() {
			if err := d.ActivateAndServe(); err != nil {
				fail(err)
			}
		})
	}
	<-inner.Done()
	s.stop(both[:])
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve dns: %w", context.Cause(inner))
}

// transport serves a socket; one of u and l is nil.
func (s *Server) transport(ctx context.Context, u net.PacketConn, l net.Listener) *dns.Server {
	return &dns.Server{
		PacketConn: u, Listener: l, MsgAcceptFunc: accept,
		Handler:     dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { s.serve(ctx, w, m) }),
		ReadTimeout: idle, WriteTimeout: idle, IdleTimeout: func() time.Duration { return idle },
	}
}

// stop ends what runs. One that has not begun to run cannot be told; it ends
// at once with its socket.
func (s *Server) stop(both []*dns.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopping)
	defer cancel()
	for _, d := range both {
		_ = d.ShutdownContext(ctx)
	}
	_ = s.Close()
}
