package secrets

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Config is what Leaves need. CA, Now and Rand are required.
type Config struct {
	CA   *CA
	Now  func() time.Time
	Rand io.Reader
	// Life is how long a leaf is valid. 0: 12h.
	Life time.Duration
	// Linger is how long a leaf is kept that nobody uses: hosts are come back to.
	// 0: 1m.
	Linger time.Duration
	// MaxNames bounds the names that are approved or linger. 0: 8192.
	MaxNames int
	Log      *slog.Logger
}

func (c *Config) setDefaults() {
	if c.Life <= 0 {
		c.Life = 12 * time.Hour
	}
	if c.Linger <= 0 {
		c.Linger = time.Minute
	}
	if c.MaxNames <= 0 {
		c.MaxNames = 8192
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Leaves mints leaves for names that are approved, and forgets them some time
// after they are not. All have one key, which is made with it.
type Leaves struct {
	cfg Config
	key *ecdsa.PrivateKey
	pem Key

	mu    sync.Mutex
	names map[string]*entry // guarded by mu; by name in lower case
}

// entry is a name and its leaf; all of it is guarded by Leaves.mu.
type entry struct {
	leaf *Leaf
	// uses are those who approve of it; since is when that became none.
	uses  int
	since time.Time
	// watches are streams that were told of the leaf.
	watches map[*watch]bool
}

// watch is woken when something of what its stream was told has changed.
type watch struct{ wake chan struct{} }

func newWatch() *watch { return &watch{wake: make(chan struct{}, 1)} }

func (w *watch) nudge() {
	select {
	case w.wake <- struct{}{}:
	default: // it is going to look
	}
}

// NewLeaves makes the key of all leaves.
func NewLeaves(cfg Config) (*Leaves, error) {
	cfg.setDefaults()
	if cfg.CA == nil || cfg.Now == nil || cfg.Rand == nil {
		return nil, errors.New("make leaves: something is missing")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), cfg.Rand)
	if err != nil {
		return nil, fmt.Errorf("make leaves: %w", err)
	}
	l := &Leaves{cfg: cfg, key: key, names: map[string]*entry{}}
	if l.pem, err = encodeKey(key); err != nil {
		return nil, fmt.Errorf("make leaves: %w", err)
	}
	return l, nil
}

// ErrMany means that there are too many names at once.
var ErrMany = errors.New("too many names are inspected at once")

// Approve has a leaf for a name, until release is called; more calls of that do
// nothing. It is safe for concurrent use.
func (l *Leaves) Approve(name string) (release func(), err error) {
	name = strings.ToLower(name)
	if e, ok := l.use(name); ok {
		return l.releaseOf(e), nil
	}
	// Two may both do it: one is used.
	leaf, err := l.cfg.CA.mint(name, l.key, l.cfg.Life, l.cfg.Now(), l.cfg.Rand)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.names[name]
	switch {
	case e == nil && len(l.names) >= l.cfg.MaxNames && !l.forget():
		return nil, ErrMany
	case e == nil:
		e = &entry{leaf: leaf, watches: map[*watch]bool{}}
		l.names[name] = e
	case l.stale(e):
		e.leaf = leaf
		e.nudge()
	}
	e.uses++
	return l.releaseOf(e), nil
}

// use approves of a name that is known.
func (l *Leaves) use(name string) (*entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.names[name]
	if e == nil || l.stale(e) {
		return nil, false
	}
	e.uses++
	return e, true
}

// stale reports whether a leaf has less than a third of its life left; mu is
// held.
func (l *Leaves) stale(e *entry) bool { return e.leaf.NotAfter.Sub(l.cfg.Now()) < l.cfg.Life/3 }

func (l *Leaves) releaseOf(e *entry) func() {
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if e.uses--; e.uses == 0 {
			e.since = l.cfg.Now()
		}
	})
}

// forget drops one name that nobody uses; false: all are used; mu is held.
func (l *Leaves) forget() bool {
	for name, e := range l.names {
		if e.uses == 0 {
			l.drop(name, e)
			return true
		}
	}
	return false
}

// drop forgets a name and tells those who have its leaf; mu is held.
func (l *Leaves) drop(name string, e *entry) {
	delete(l.names, name)
	e.nudge()
}

func (e *entry) nudge() {
	for w := range e.watches {
		w.nudge()
	}
}

// maxWatches bounds the streams of one name. Envoy has one for each spelling of
// it, which a client is free to choose.
const maxWatches = 8

// leaf gives w the leaf of a name that is approved, and wakes it when that
// changes. One that w has been given it keeps for as long as it lingers.
func (l *Leaves) leaf(name string, w *watch) (*Leaf, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.names[strings.ToLower(name)]
	if e == nil || !e.watches[w] && (e.uses == 0 || len(e.watches) >= maxWatches) {
		return nil, false
	}
	e.watches[w] = true
	return e.leaf, true
}

// unwatch ends what leaf began.
func (l *Leaves) unwatch(name string, w *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.names[strings.ToLower(name)]; e != nil {
		delete(e.watches, w)
	}
}

// Names is how many names are approved or linger.
func (l *Leaves) Names() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.names)
}

// tick is how often leaves are looked through.
const tick = 5 * time.Second

// Run mints leaves again before they end, and forgets those that nobody uses,
// until ctx ends.
func (l *Leaves) Run(ctx context.Context) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			l.tidy()
		}
	}
}

func (l *Leaves) tidy() {
	for _, name := range l.ending() {
		leaf, err := l.cfg.CA.mint(name, l.key, l.cfg.Life, l.cfg.Now(), l.cfg.Rand)
		if err != nil {
			l.cfg.Log.Warn("a certificate is not minted again", "name", name, "error", err)
			continue
		}
		l.mu.Lock()
		if e := l.names[name]; e != nil {
			e.leaf = leaf
			e.nudge()
		}
		l.mu.Unlock()
	}
}

// ending forgets names that have lingered, and gives those whose leaves are to
// be minted again.
func (l *Leaves) ending() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.cfg.Now()
	var out []string
	for name, e := range l.names {
		switch {
		case e.uses == 0 && (now.Sub(e.since) >= l.cfg.Linger || !now.Before(e.leaf.NotAfter)):
			l.drop(name, e)
		case e.uses > 0 && l.stale(e) && l.cfg.CA.Valid(now):
			out = append(out, name)
		}
	}
	return out
}
