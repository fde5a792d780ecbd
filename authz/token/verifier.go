package token

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Config is how tokens are verified. The zero Config works.
type Config struct {
	// Keys is how key sources load.
	Keys jwks.Config
	// CacheSize is how many verified tokens of a trust domain are remembered.
	// 0: 8192.
	CacheSize int
	// Log is told of changes of keys. Nil: Keys.Log is.
	Log *slog.Logger
}

const defaultCacheSize = 8192

// Verifier verifies tokens of the trust domains that it was given last.
type Verifier struct {
	cacheSize int
	sources   *jwks.Sources
	starts    *starts
	slots     chan struct{}
	// epoch grows when everything that was verified is to be verified again.
	epoch    atomic.Uint64
	domains  atomic.Pointer[map[feedv1.Key]*domain]
	attempts sync.Pool

	mu    sync.Mutex // held by Apply
	rules uint64     // guarded by mu: the last number given
}

// domain is a trust domain, its keys, and the tokens of it that were verified.
// A domain that changes is another one, with nothing remembered.
type domain struct {
	feedv1.TrustDomain
	// rules is a number that no other domain of this Verifier has had.
	rules  uint64
	source *jwks.Source
	cache  *lru.Cache[string, *believed]
}

// believed is a verified token. Whether it may be presented now, and by this
// peer, is looked at each time.
type believed struct {
	claims *Claims
	cnf    confirmation
	// from is the later one of iat and nbf.
	from time.Time
	// start is the transaction's, and began is when that was: claims end by it.
	start      *start
	began      time.Time
	generation uint64 // of the key set
	epoch      uint64
}

// New makes a Verifier that believes nobody.
func New(cfg Config) (*Verifier, error) {
	if cfg.CacheSize < 0 {
		return nil, fmt.Errorf("make verifier: it cannot remember %d tokens", cfg.CacheSize)
	}
	if cfg.Log != nil {
		cfg.Keys.Log = cfg.Log
	}
	begun, err := newStarts()
	if err != nil {
		return nil, fmt.Errorf("make verifier: %w", err)
	}
	v := &Verifier{
		cacheSize: cmp.Or(cfg.CacheSize, defaultCacheSize), sources: jwks.New(cfg.Keys), starts: begun,
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	v.attempts.New = func() any { return new(attempt) }
	v.domains.Store(&map[feedv1.Key]*domain{})
	return v, nil
}

// Apply makes these the trust domains. One that did not change keeps its keys
// and what was verified of it.
func (v *Verifier) Apply(want []feedv1.TrustDomain) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	sets := make(map[feedv1.Key]feedv1.KeySet, len(want))
	for i := range want {
		sets[want[i].Key] = want[i].KeySet
	}
	sources := v.sources.Apply(sets)
	old := *v.domains.Load()
	next := make(map[feedv1.Key]*domain, len(want))
	for i := range want {
		d := &domain{TrustDomain: want[i], source: sources[want[i].Key]}
		if have := old[d.Key]; have != nil && have.source == d.source && sameRules(&have.TrustDomain, &d.TrustDomain) {
			next[d.Key] = have
			continue
		}
		var err error
		if d.cache, err = lru.New[string, *believed](v.cacheSize); err != nil {
			return fmt.Errorf("remember tokens of %s: %w", d.Key, err)
		}
		v.rules++
		d.rules = v.rules
		next[d.Key] = d
	}
	v.domains.Store(&next)
	return nil
}

// sameRules compares all but the keys, whose source is compared by itself.
func sameRules(a, b *feedv1.TrustDomain) bool {
	return a.Audience == b.Audience && a.Issuer == b.Issuer && slices.Equal(a.Algorithms, b.Algorithms) &&
		a.MaxLifetime == b.MaxLifetime && a.MaxTxn == b.MaxTxn && a.Leeway == b.Leeway &&
		a.Binding == b.Binding && a.AgentProfile == b.AgentProfile
}

// Run loads keys until ctx ends.
func (v *Verifier) Run(ctx context.Context) error { return v.sources.Run(ctx) }

// Keys is the state of every key source, sorted by trust domain.
func (v *Verifier) Keys() []jwks.Status { return v.sources.Status() }

// Forget has every token verified again that was verified before.
func (v *Verifier) Forget() { v.epoch.Add(1) }

// Verify checks a token that came on a listener, sent by peer. The claims are
// shared; leeway is that of their trust domain. The code is empty, or a name
// of the denial table, and then there are no claims.
func (v *Verifier) Verify(ctx context.Context, now time.Time, raw string, l *feedv1.Listener, p Peer) (c *Claims, leeway time.Duration, code string) {
	if len(raw) > MaxBytes { // not even looked up: that costs by the byte
		return nil, 0, ReasonMalformed.Code()
	}
	domains := *v.domains.Load()
	epoch := v.epoch.Load()
	for _, key := range l.TrustDomains {
		d := domains[key]
		if d == nil {
			continue
		}
		if b, ok := d.cache.Get(raw); ok && b.current(d, now, epoch) {
			if !b.cnf.holds(d.Binding, b.claims, l.Peers, p) {
				return nil, 0, ReasonNotBound.Code()
			}
			return b.claims, d.Leeway, ""
		}
	}
	return v.verify(ctx, now, raw, l, p, epoch)
}

// current reports whether what was verified would be verified now.
func (b *believed) current(d *domain, now time.Time, epoch uint64) bool {
	view := d.source.View()
	return b.epoch == epoch && view.Usable(now) && view.Generation == b.generation &&
		b.claims.ExpiresAt.Add(d.Leeway).After(now) && !b.from.After(now.Add(d.Leeway)) &&
		b.start.at().Equal(b.began) && b.began.Add(d.MaxTxn).After(now)
}

// verify goes through all steps, and remembers a token that passes.
func (v *Verifier) verify(ctx context.Context, now time.Time, raw string, l *feedv1.Listener, p Peer, epoch uint64) (*Claims, time.Duration, string) {
	a := v.attempts.Get().(*attempt)
	defer func() {
		a.reset()
		v.attempts.Put(a)
	}()
	a.raw, a.now, a.peer, a.peers, a.starts, a.slots = raw, now, p, l.Peers, v.starts, v.slots
	domains := *v.domains.Load()
	for _, key := range l.TrustDomains {
		if d := domains[key]; d != nil {
			a.candidates = append(a.candidates, d)
		}
	}
	for _, s := range steps() {
		if rej := s.run(a, ctx); rej != nil {
			return nil, 0, rej.Reason.Code()
		}
	}
	// The key is a copy: raw may be a view of a request.
	a.domain.cache.Add(strings.Clone(raw), &believed{
		claims: a.claims, cnf: a.cnf, from: a.from, start: a.start, began: a.began, generation: a.view.Generation, epoch: epoch,
	})
	return a.claims, a.domain.Leeway, ""
}

// Current reports whether claims that were verified once would be believed
// now, as far as their trust domain goes: it is there, has the same rules, and
// publishes the key that signed. Their own times are not looked at.
func (v *Verifier) Current(c *Claims, now time.Time) bool {
	d := (*v.domains.Load())[c.Domain]
	return d != nil && c.Rules == d.rules && d.source.View().Find(c.KeyID, now) != nil
}

// Generations are numbers of all trust domains: one grows whenever a key of it
// is withdrawn.
func (v *Verifier) Generations() map[feedv1.Key]uint64 {
	domains := *v.domains.Load()
	out := make(map[feedv1.Key]uint64, len(domains))
	for k, d := range domains {
		out[k] = d.source.View().Generation
	}
	return out
}
