package serve

import (
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type deltaStream = grpc.BidiStreamingServer[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]

// DeltaAggregatedResources serves one Envoy. Its goroutine sends; one more
// reads, and ends with the stream.
func (s *Server) DeltaAggregatedResources(gs deltaStream) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer s.disconnect(c)
	ended := make(chan error, 1)
	go func() { ended <- s.read(gs, c) }()
	return s.write(gs, c, ended)
}

func (s *Server) connect() (*connection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, status.Error(codes.Unavailable, "the server is stopping")
	}
	s.last++
	c := &connection{
		stream: newStream(s.last, s.cat, limits{
			gate: s.cfg.Gate, linger: s.cfg.Linger, names: s.cfg.MaxNames, floor: s.cfg.MinVersion,
		}),
		wake: make(chan struct{}, 1), from: s.cfg.Now(),
	}
	s.streams[c.id] = c
	return c, nil
}

func (s *Server) disconnect(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, c.id)
	c.end()
	for k := range s.cat.unconfirmed {
		// The others may have it all.
		s.cat.changed[k] = struct{}{}
	}
	s.spread()
	s.cfg.Log.Info("envoy left", "stream", c.id, "node", c.node.ID)
}

// read takes requests until the stream ends or one is not acceptable.
func (s *Server) read(gs deltaStream, c *connection) error {
	for {
		req, err := gs.Recv()
		if err != nil {
			return err
		}
		if err := s.request(c, req); err != nil {
			return err
		}
	}
}

func (s *Server) request(c *connection, req *discoveryv3.DeltaDiscoveryRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	met := c.met
	if err := c.request(req, s.cfg.Now()); err != nil {
		s.cfg.Log.Warn("envoy refused", "stream", c.id, "node", c.node.ID, "error", err)
		return err
	}
	if !met {
		s.cfg.Log.Info("envoy joined", "stream", c.id, "node", c.node.ID, "version", c.node.Version.String())
	}
	if d := req.GetErrorDetail(); d != nil {
		s.cfg.Log.Warn("update refused", "stream", c.id, "type", shortType(req.GetTypeUrl()), "message", refusalWords(req.GetTypeUrl(), d.GetMessage()))
	}
	s.spread()
	return nil
}

// write sends what there is to send. No lock is held while it does.
func (s *Server) write(gs deltaStream, c *connection, ended <-chan error) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		resp, wait := s.next(c)
		if resp != nil {
			if err := gs.Send(resp); err != nil {
				return err
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-c.wake:
		case <-timer.C:
		case err := <-ended:
			return err
		case <-s.done:
			return status.Error(codes.Unavailable, "the server is stopping")
		}
	}
}

// idle is how long a stream sleeps at most without being woken.
const idle = time.Hour

// next is the next response, or how long to wait.
func (s *Server) next(c *connection) (*discoveryv3.DeltaDiscoveryResponse, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	resp, wake := c.next(now)
	if wake.IsZero() {
		return resp, idle
	}
	return resp, max(0, wake.Sub(now))
}
