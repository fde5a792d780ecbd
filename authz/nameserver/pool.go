package nameserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hopgate/hopgate/authz/denial"
)

// Config is what a Pool is made of. Recorder is required.
type Config struct {
	Recorder Recorder
	// Contained says which clients are cut off; nil: none is.
	Contained Contained
	// Report is told of sockets whenever one has opened or could not be opened,
	// by one goroutine; nil: nobody is.
	Report func([]State)
	// Rand is for the names of refusals in the record; nil: they have none.
	Rand io.Reader
	// Now is the clock of rates and windows; nil: time.Now.
	Now func() time.Time
	// Total bounds one query. 0: 4s.
	Total time.Duration
	// Retry is how soon a socket is tried again that could not be opened. 0: 1s.
	Retry time.Duration
	// Log is nil for none.
	Log *slog.Logger
}

// maxQueries bounds the queries that are answered at one time.
const maxQueries = 512

// Pool is the sockets of all Gateways. Use New, then Run.
type Pool struct {
	cfg     Config
	codes   denial.Codes
	callers *callers
	said    *said
	metrics metrics
	slots   chan struct{}
	// changed has one token when sockets are to be opened or closed.
	changed chan struct{}

	mu      sync.Mutex
	wanted  map[netip.AddrPort]*View   // guarded by mu
	sockets map[netip.AddrPort]*socket // guarded by mu
	// refused are the sockets that could not be opened, and why: guarded by mu.
	refused map[netip.AddrPort]problem
	applied bool // guarded by mu; there are views to answer by
	ready   bool // guarded by mu; see Ready
	// told are the states that were last told, and are of Run alone.
	told []State
}

// New makes a Pool that answers nobody.
func New(c Config) (*Pool, error) {
	if c.Recorder == nil {
		return nil, errors.New("make name server: there is no recorder")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Total == 0 {
		c.Total = 4 * time.Second
	}
	if c.Retry == 0 {
		c.Retry = time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	callers := newCallers(c.Now)
	return &Pool{
		cfg: c, codes: denial.NewCodes(), callers: callers, said: newSaid(), metrics: newMetrics(callers),
		slots: make(chan struct{}, maxQueries), changed: make(chan struct{}, 1),
		wanted: map[netip.AddrPort]*View{}, sockets: map[netip.AddrPort]*socket{}, refused: map[netip.AddrPort]problem{},
	}, nil
}

// Apply answers by these views from when it returns, at sockets that are open.
// Of two views of one socket the first one is answered by.
func (p *Pool) Apply(views []*View) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = make(map[netip.AddrPort]*View, len(views))
	for _, v := range views {
		if first, twice := p.wanted[v.DNS.Listen]; twice {
			p.cfg.Log.Warn("two Gateways answer names at one socket: the second does not", "socket", v.DNS.Listen, "first", first.Gateway, "second", v.Gateway)
			continue
		}
		p.wanted[v.DNS.Listen] = v
	}
	for at, s := range p.sockets {
		s.view.Store(p.wanted[at]) // nil: nobody is answered
	}
	maps.DeleteFunc(p.refused, func(at netip.AddrPort, _ problem) bool { return p.wanted[at] == nil })
	p.applied = true
	p.ready = p.ready || len(p.wanted) == 0
	p.tell()
}

// tell has Run look at what is wanted.
func (p *Pool) tell() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Addresses are the sockets that are open, sorted.
func (p *Pool) Addresses() []netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []netip.AddrPort
	for at := range p.sockets {
		out = append(out, at)
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}

// Run opens and closes sockets until ctx ends, and waits for what they answer.
func (p *Pool) Run(ctx context.Context) error {
	again := time.NewTicker(p.cfg.Retry)
	defer again.Stop()
	for {
		p.settle(ctx)
		p.tellStates()
		select {
		case <-ctx.Done():
			p.Apply(nil)
			p.settle(ctx)
			return nil
		case <-p.changed:
		case <-again.C:
		}
	}
}

// settle closes what is not wanted and opens what is.
func (p *Pool) settle(ctx context.Context) {
	for _, s := range p.unwanted() {
		s.close()
	}
	if ctx.Err() != nil {
		return
	}
	for _, at := range p.missing() {
		s, err := p.open(at)
		p.mu.Lock()
		if err != nil {
			why := problemOf(at, err)
			if p.refused[at] != why {
				p.cfg.Log.Warn("names are not answered", "socket", at, "error", err)
			}
			if p.wanted[at] != nil {
				p.refused[at] = why
			}
		} else {
			delete(p.refused, at)
			s.view.Store(p.wanted[at])
			p.sockets[at] = s
		}
		p.mu.Unlock()
	}
}

// unwanted takes out the sockets that nobody wants.
func (p *Pool) unwanted() (out []*socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, s := range p.sockets {
		if p.wanted[at] == nil || s.ended() {
			out = append(out, s)
			delete(p.sockets, at)
		}
	}
	return out
}

func (p *Pool) missing() (out []netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := range p.wanted {
		if p.sockets[at] == nil {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}
