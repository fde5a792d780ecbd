package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
)

// Config is how a Server works. The zero value works.
type Config struct {
	// Check is asked about each built message after its generated rules; an
	// error keeps it from being sent. It is pure. nil: nothing is checked.
	Check func(proto.Message) error
	// Empty is what an Envoy is told that asks for a name there is nothing by:
	// it may wait for an answer without end. nil, from it or of it: it is told
	// that the resource does not exist.
	Empty func(typeURL, name string) proto.Message
	// Observer is told what became of owners; nil: nobody is.
	Observer Observer
	// MinVersion is the oldest Envoy that is served; a node that does not say
	// its version is refused then. Zero: everyone is served.
	MinVersion Version
	// Gate bounds how long an update of a listener or route table waits for
	// clusters that are new to an Envoy. It starts again with each cluster
	// that comes, ten times at most. 0: 1s.
	Gate time.Duration
	// Linger is how long nothing must have referred to a resource before it
	// is removed. 0: 1s.
	Linger time.Duration
	// MaxBytes bounds one resource. 0: 4 MiB less 4 KiB, since more than
	// 4 MiB in one message ends the stream of an Envoy with that limit.
	MaxBytes int
	// MaxNames bounds what one Envoy may name of one type. 0: 65536.
	MaxNames int
	// Now is the clock. nil: time.Now.
	Now func() time.Time
	// Log gets refusals and comings and goings of Envoys. nil: none.
	Log *slog.Logger
}

// Server owns the desired set of resources and brings each connected Envoy to
// it. Its methods may be called at any time from anywhere.
type Server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	cfg Config

	// mu guards what follows. It is held while resources are built, never
	// while anything is sent or an observer is called.
	mu      sync.Mutex
	cat     *catalogue
	streams map[streamID]*connection
	last    streamID
	ready   bool
	stopped bool
	// moved is closed and replaced when anything happens.
	moved chan struct{}

	// unsaid has room for one: there are outcomes to tell.
	unsaid chan struct{}
	// done is closed when Run ends.
	done chan struct{}
}

// connection is a stream and how its goroutine is woken.
type connection struct {
	*stream
	// wake has room for one.
	wake chan struct{}
	from time.Time
}

var errConfig = errors.New("negative limit")

// New makes a Server with nothing to serve.
func New(cfg Config) (*Server, error) {
	if cfg.Gate < 0 || cfg.Linger < 0 || cfg.MaxBytes < 0 || cfg.MaxNames < 0 {
		return nil, fmt.Errorf("make xds server: %w", errConfig)
	}
	cfg = cfg.withDefaults()
	return &Server{
		cfg:     cfg,
		cat:     newCatalogue(press{check: cfg.Check, maxBytes: cfg.MaxBytes}, cfg.Empty),
		streams: map[streamID]*connection{},
		moved:   make(chan struct{}),
		unsaid:  make(chan struct{}, 1),
		done:    make(chan struct{}),
	}, nil
}

func (c Config) withDefaults() Config {
	orTime := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	orInt := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	orTime(&c.Gate, time.Second)
	orTime(&c.Linger, time.Second)
	orInt(&c.MaxBytes, 4<<20-4<<10)
	orInt(&c.MaxNames, 1<<16)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Set makes desired the complete set of resources, and returns the number of
// this call. Resources are compared with those of the last call by pointer,
// then by the versions of their parts; what did not change costs nothing. A
// resource or part that is not fit to be sent is carried forward as it was and
// told to its owners: that is no error. An error means that desired itself is
// malformed (a name twice, an owner twice in one resource); nothing changed.
func (s *Server) Set(desired []*Resource) (Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rev, err := s.cat.set(desired)
	if err != nil {
		return 0, err
	}
	s.spread()
	return rev, nil
}

// ErrUnknown is returned for a resource that is not desired.
var ErrUnknown = errors.New("resource is not desired")

// Retry offers again what was refused of a resource although it did not
// change, for a refusal that was not the content's fault, such as an address
// in use. When to do so is the caller's decision. Without a refusal it does
// nothing.
func (s *Server) Retry(typeURL, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := Key{typeURL, name}
	if !s.cat.retry(k) {
		return fmt.Errorf("retry %s: %w", k, ErrUnknown)
	}
	s.spread()
	return nil
}

// Run tells the observer what becomes of owners, until ctx ends. Then the
// streams end, and no new one is taken. A stream that is stuck in sending ends
// with its gRPC server. Run is called once.
func (s *Server) Run(ctx context.Context) error {
	defer s.stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.unsaid:
			s.tell()
		}
	}
}

func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.stopped = true
		close(s.done)
	}
}

func (s *Server) tell() {
	s.mu.Lock()
	outs := s.cat.ledger.take()
	s.mu.Unlock()
	if len(outs) > 0 && s.cfg.Observer != nil {
		s.cfg.Observer.Observe(outs)
	}
}

// spread carries what changed in the catalogue to the streams, and wakes who
// has something to do. It ends every change of state.
func (s *Server) spread() {
	now := s.cfg.Now()
	for len(s.cat.changed) > 0 || s.appointProbers() {
		for _, k := range s.cat.takeChanged() {
			s.carry(k, now)
		}
	}
	s.cat.ledger.balance()
	if len(s.cat.ledger.unsaid) > 0 {
		notify(s.unsaid)
	}
	for _, c := range s.streams {
		notify(c.wake)
	}
	s.judgeReady()
	close(s.moved)
	s.moved = make(chan struct{})
}

// carry brings one change to all streams.
func (s *Server) carry(k Key, now time.Time) {
	for _, id := range s.sortedStreams() {
		s.streams[id].touch(k, now)
	}
	if e := s.cat.unconfirmed[k]; e != nil {
		e.confirm(s.holdings(k))
		s.cat.note(e)
	}
}

// notify leaves a mark in a channel with room for one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// appointProbers gives each narrowing trial a stream to ask, where the one it
// had is gone, and reports whether it found one.
func (s *Server) appointProbers() (found bool) {
	for k, e := range s.cat.narrowing {
		if c := s.streams[e.prober]; c != nil && c.takes(k) {
			continue
		}
		e.prober = 0
		for _, id := range s.sortedStreams() {
			if s.streams[id].takes(k) {
				e.prober = id
				s.cat.changed[k] = struct{}{}
				found = true
				break
			}
		}
	}
	return found
}

func (s *Server) sortedStreams() []streamID { return slices.Sorted(maps.Keys(s.streams)) }

// holdings are what the Envoys have that take k.
func (s *Server) holdings(k Key) []*edition {
	var out []*edition
	for _, c := range s.streams {
		if c.takes(k) {
			out = append(out, c.held(k))
		}
	}
	return out
}

// judgeReady looks whether the Envoy that came first has all that was desired
// when it came, or at the first Set.
func (s *Server) judgeReady() {
	if s.ready || s.cat.revision == 0 || len(s.streams) == 0 {
		return
	}
	first := s.streams[s.sortedStreams()[0]]
	s.ready = first.met && first.live(max(first.born, 1))
}
