package credential

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Holder has the secrets of the feed's Credentials.
type Holder struct {
	getenv func(string) string
	log    *slog.Logger

	mu      sync.RWMutex
	entries map[feedv1.Key]entry // guarded by mu
}

type entry struct {
	credential feedv1.Credential
	secret     Secret
	err        error
}

// New makes an empty Holder; getenv reads the guard's environment.
func New(getenv func(string) string, log *slog.Logger) *Holder {
	return &Holder{getenv: getenv, log: log, entries: map[feedv1.Key]entry{}}
}

// Apply reads the secrets of these Credentials and forgets all others.
func (h *Holder) Apply(cs []feedv1.Credential) {
	next := make(map[feedv1.Key]entry, len(cs))
	for _, c := range cs {
		next[c.Key] = h.load(c)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries = next
}

func (h *Holder) load(c feedv1.Credential) entry {
	if c.Rejected != "" {
		return entry{credential: c, err: errRejected}
	}
	s, err := read(&c, h.getenv)
	return entry{credential: c, secret: s, err: err}
}

// Get is the secret of exactly this Credential; false: it cannot be had now.
// While a feed is taken over, whoever still decides by the old one does not
// get the secret of the new one, which may be another backend's.
func (h *Holder) Get(c *feedv1.Credential) (Secret, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	e, ok := h.entries[c.Key]
	if !ok || e.err != nil || e.credential != *c {
		return Secret{}, false
	}
	return e.secret, true
}

// Problem says why a Credential has no secret; nil: it has one.
func (h *Holder) Problem(key feedv1.Key) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.entries[key].err
}

// every is how often files are read again.
const every = 5 * time.Second

// Run reads files again until ctx ends. A file that has gone takes its secret
// with it: what was withdrawn is not used any more.
func (h *Holder) Run(ctx context.Context) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			h.refresh()
		}
	}
}

func (h *Holder) refresh() {
	h.mu.RLock()
	var files []feedv1.Credential
	for _, e := range h.entries {
		if e.credential.File != "" {
			files = append(files, e.credential)
		}
	}
	h.mu.RUnlock()
	for _, c := range files {
		h.replace(h.load(c))
	}
}

func (h *Holder) replace(e entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, ok := h.entries[e.credential.Key]
	if !ok || old.credential != e.credential {
		return // the feed has moved on
	}
	if (old.err == nil) != (e.err == nil) || old.secret.Reveal() != e.secret.Reveal() {
		h.log.Info("credential changed", "credential", e.credential.Key.String(), "problem", e.err)
	}
	h.entries[e.credential.Key] = e
}
