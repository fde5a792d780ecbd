package jwks

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Defaults of Config.
const (
	defaultRefresh   = 5 * time.Minute
	defaultFileEvery = 5 * time.Second
	defaultFloor     = 10 * time.Second
	defaultTimeout   = 10 * time.Second
)

// Config is how sources load. The zero Config works.
type Config struct {
	// Transport fetches URLs. Nil: one of our own, without a proxy, that sends
	// plain http to loopback addresses only.
	Transport http.RoundTripper
	// Refresh is how often a URL is fetched, less up to a tenth. 0: 5 minutes.
	Refresh time.Duration
	// FileEvery is how often a file is read. 0: 5 seconds.
	FileEvery time.Duration
	// Floor is the least time between fetches of one URL that unknown kids
	// cause. 0: 10 seconds.
	Floor time.Duration
	// Timeout bounds one attempt. 0: 10 seconds.
	Timeout time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Rand spreads fetches; it must be safe for concurrent use. Nil:
	// crypto/rand.
	Rand io.Reader
	// Log is told of changes and failures. Nil: nobody is.
	Log *slog.Logger
}

func (c *Config) setDefaults() {
	c.Refresh = cmp.Or(c.Refresh, defaultRefresh)
	c.FileEvery = cmp.Or(c.FileEvery, defaultFileEvery)
	c.Floor = cmp.Or(c.Floor, defaultFloor)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Sources are the sources of all trust domains.
type Sources struct {
	cfg Config

	mu      sync.Mutex
	sources map[feedv1.Key]*Source // guarded by mu
	running context.Context        // guarded by mu; nil: Run does not run
	loops   sync.WaitGroup
}

// New makes Sources without any.
func New(cfg Config) *Sources {
	cfg.setDefaults()
	return &Sources{cfg: cfg, sources: map[feedv1.Key]*Source{}}
}

// Apply makes these the sources, keeps those that did not change with all they
// have, and returns them all. Sets that came with the feed and files are read
// before it returns; a URL is fetched by Run, or by Prefetch.
func (s *Sources) Apply(want map[feedv1.Key]feedv1.KeySet) map[feedv1.Key]*Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[feedv1.Key]*Source, len(want))
	for key, spec := range want {
		if old := s.sources[key]; old != nil && sameSpec(old.spec, spec) {
			next[key] = old
			continue
		}
		next[key] = newSource(key, spec, &s.cfg)
	}
	for key, old := range s.sources {
		if next[key] != old && old.stop != nil {
			old.stop()
		}
	}
	s.sources = next
	if s.running != nil {
		s.start()
	}
	return next
}

func sameSpec(a, b feedv1.KeySet) bool {
	return bytes.Equal(a.JWKS, b.JWKS) && a.URL == b.URL && a.File == b.File && a.MaxStale == b.MaxStale
}

// start runs the loops of all sources that have none; mu is held.
func (s *Sources) start() {
	for _, src := range s.sources {
		if src.loader == nil || src.stop != nil {
			continue
		}
		ctx, cancel := context.WithCancel(s.running)
		src.stop = cancel
		s.loops.Go(func() { src.run(ctx) })
	}
}

// Run loads until ctx ends, and returns nil. It runs once.
func (s *Sources) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.running != nil {
		s.mu.Unlock()
		return errors.New("run key sources: they run already")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.running = ctx
	s.start()
	s.mu.Unlock()
	<-ctx.Done()
	// A source that Apply starts from here on finds its context ended, and
	// ends; the lock keeps the count from growing while it is waited for.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loops.Wait()
	return nil
}

// Prefetch loads once each source that has nothing yet, one after the other:
// for a command that does not Run. What went wrong is in the statuses.
func (s *Sources) Prefetch(ctx context.Context) {
	s.mu.Lock()
	var todo []*Source
	for _, src := range s.sources {
		if src.loader != nil && src.View().Set == nil {
			todo = append(todo, src)
		}
	}
	s.mu.Unlock()
	for _, src := range todo {
		src.attempt(ctx)
	}
}

// Status is that of every source, sorted by key.
func (s *Sources) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Status, 0, len(s.sources))
	for _, src := range s.sources {
		out = append(out, src.Status(s.cfg.Now()))
	}
	slices.SortFunc(out, func(a, b Status) int { return cmp.Compare(a.Key.String(), b.Key.String()) })
	return out
}
