package budget

import (
	"hash/maphash"
	"sync"
	"time"
)

// Config is how a book works.
type Config struct {
	// Now gives the time.
	Now func() time.Time
	// MaxAccounts bounds memory; who would need one more is refused. 0: 65536.
	MaxAccounts int
}

const usualAccounts = 1 << 16

// Book is all accounts.
type Book struct {
	cfg  Config
	seed maphash.Seed
	counts

	mu       sync.Mutex
	accounts map[key]*account // guarded by mu
	swept    time.Time        // guarded by mu
}

// New makes an empty book.
func New(cfg Config) *Book {
	if cfg.MaxAccounts <= 0 {
		cfg.MaxAccounts = usualAccounts
	}
	return &Book{cfg: cfg, seed: maphash.MakeSeed(), counts: newCounts(), accounts: map[key]*account{}}
}

// Ask is a hop that is about to begin.
type Ask struct {
	Who    Principal
	Limits []Limit
	// Head is what its head takes, in bytes, Body what its body does; -1: that
	// is not known yet, and is counted as it comes.
	Head, Body int64
	// Host is where it goes.
	Host string
	// Cut ends the hop when there is no room for it any more. It must not block,
	// and must not call the book.
	Cut func()
}

// Refusal is why there is no room for a hop.
type Refusal struct {
	// Limit is the one that is used up.
	Limit Limit
	// Names is true where it is that of names.
	Names bool
	// Full is true where there are too many accounts.
	Full bool
	// Wait is when there will be room; Never: there will be none, since this asks
	// for more than the limit is.
	Wait  time.Duration
	Never bool
}

// Begin finds room for a hop by all limits, or by none. A nil Charge: nothing
// of the hop is counted.
func (b *Book) Begin(a *Ask) (*Charge, *Refusal) {
	if len(a.Limits) == 0 {
		return nil, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Now()
	c := &Charge{book: b, cut: a.Cut, counted: a.Body < 0, body: max(0, a.Body)}
	for i := range a.Limits {
		if r := b.enter(c, &a.Limits[i], a, now); r != nil {
			c.undo()
			b.refused(r)
			return nil, r
		}
	}
	return c, nil
}

// enter finds room by one limit; mu is held.
func (b *Book) enter(c *Charge, l *Limit, a *Ask, now time.Time) *Refusal {
	acc := b.account(key{a.Who, l.Policy, l.Rule, l.Window}, now)
	if acc == nil {
		return &Refusal{Limit: *l, Full: true, Wait: l.Window}
	}
	acc.turn(now)
	n := plus(max(0, a.Head), c.body)
	if l.UploadBytes > 0 {
		least := n
		if c.counted {
			least = plus(n, 1) // it means to send something
		}
		if acc.used() > l.UploadBytes-least || least > l.UploadBytes {
			wait, ever := acc.room(least, l.UploadBytes, now)
			return &Refusal{Limit: *l, Wait: wait, Never: !ever}
		}
	}
	if l.Names > 0 && a.Host != "" {
		ok, fresh := acc.name(hashOf(b.seed, a.Host), l.Names)
		if !ok {
			return &Refusal{Limit: *l, Names: true, Wait: acc.nextName(now)}
		}
		if fresh {
			b.entropy.Observe(Entropy(a.Host))
		}
	}
	if l.UploadBytes > 0 {
		acc.add(n)
		c.parts = append(c.parts, part{acc, acc.at, n, l.UploadBytes})
		if c.counted {
			if acc.live == nil {
				acc.live = map[*Charge]struct{}{}
			}
			acc.live[c] = struct{}{}
		}
	}
	return nil
}

// account finds or makes one; nil: there is no room. mu is held.
func (b *Book) account(k key, now time.Time) *account {
	if a := b.accounts[k]; a != nil {
		return a
	}
	if len(b.accounts) >= b.cfg.MaxAccounts {
		b.sweep(now)
		if len(b.accounts) >= b.cfg.MaxAccounts {
			return nil
		}
	}
	a := &account{key: k}
	b.accounts[k] = a
	return a
}

// sweepEvery is how often at most all accounts are looked at.
const sweepEvery = time.Second

// sweep forgets accounts of which nothing counts; mu is held.
func (b *Book) sweep(now time.Time) {
	if now.Sub(b.swept) < sweepEvery {
		return
	}
	b.swept = now
	for k, a := range b.accounts {
		if a.turn(now); a.idle() {
			delete(b.accounts, k)
		}
	}
}

// Len is how many accounts there are.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.accounts)
}
