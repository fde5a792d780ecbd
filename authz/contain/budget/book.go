package budget

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Config is how a book works.
type Config struct {
	// Path is the file that keeps what is used; empty: it does not outlive the
	// process.
	Path string
	// Now gives the time.
	Now func() time.Time
	// Rand is for the key by which names are hashed; nil: the system's.
	Rand io.Reader
	// Log is told what is wrong with the file; nil: nobody is.
	Log *slog.Logger
	// MaxAccounts bounds memory; who would need one more is refused. 0: 65536.
	MaxAccounts int
	// MaxFile is how large the file gets, in bytes; a larger one is not read. What
	// the book has takes half of it at most: who would need more is refused. 0: 512
	// MiB.
	MaxFile int64
}

const (
	usualAccounts = 1 << 16
	usualFile     = 512 << 20
)

// Book is all accounts.
type Book struct {
	cfg Config
	// hashKey has hashes of names say nothing to who reads the file alone.
	hashKey [16]byte
	keeper  *keeper // nil: nothing is kept
	counts

	mu       sync.Mutex
	accounts map[key]*account // guarded by mu
	weight   int64            // guarded by mu; what all of them take in the file, or more
	swept    time.Time        // guarded by mu
}

// Open makes a book of what the file has. One that is damaged is set aside, and
// all begin anew; the error says that none can be written.
func Open(cfg Config) (*Book, error) { return open(cfg, osDisk{}) }

func open(cfg Config, d disk) (*Book, error) {
	b, err := empty(cfg)
	if err != nil || cfg.Path == "" {
		return b, err
	}
	b.keeper = newKeeper(cfg.Path, d, b)
	if err := b.load(); err != nil {
		return nil, err
	}
	if err := b.keeper.renew(false); err != nil {
		return nil, fmt.Errorf("keep budgets: %w", err)
	}
	return b, nil
}

func empty(cfg Config) (*Book, error) {
	if cfg.MaxAccounts <= 0 {
		cfg.MaxAccounts = usualAccounts
	}
	if cfg.MaxFile <= 0 {
		cfg.MaxFile = usualFile
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	b := &Book{cfg: cfg, counts: newCounts(), accounts: map[key]*account{}}
	if _, err := io.ReadFull(cfg.Rand, b.hashKey[:]); err != nil {
		return nil, fmt.Errorf("make budgets: %w", err)
	}
	return b, nil
}

// Close writes what is used, and gives up the file. Nothing may begin after it.
// It does not wait for ever: the error says that the file has not all of it.
func (b *Book) Close() error {
	if b.keeper == nil {
		return nil
	}
	ended, err := b.keeper.last()
	if !ended {
		return err
	}
	return errors.Join(err, b.keeper.close())
}

func (b *Book) hash(host string) uint64 {
	sum := sha256.Sum256(append(b.hashKey[:len(b.hashKey):len(b.hashKey)], host...))
	return binary.BigEndian.Uint64(sum[:])
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
	// Full is true where there are too many accounts, or too many names in all.
	Full bool
	// Unkept is why it cannot be kept that something is used; nil: it can.
	Unkept error
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
	if b.keeper.stuck() {
		return nil, b.unkept(a, errNotKept)
	}
	c, last, r := b.begin(a)
	if r != nil {
		return nil, r
	}
	if err := b.wait(last); err != nil {
		c.Cancel()
		return nil, b.unkept(a, err)
	}
	return c, nil
}

func (b *Book) unkept(a *Ask, err error) *Refusal {
	r := &Refusal{Limit: a.Limits[0], Unkept: err}
	b.refused(r)
	return r
}

// begin is Begin, but for that the file must have what last says.
func (b *Book) begin(a *Ask) (c *Charge, last ticket, r *Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Now()
	c = &Charge{book: b, cut: a.Cut, counted: a.Body < 0, body: max(0, a.Body)}
	for i := range a.Limits {
		t, r := b.enter(c, &a.Limits[i], a, now)
		if r != nil {
			c.undo()
			b.refused(r)
			return nil, 0, r
		}
		last = max(last, t)
	}
	return c, last, nil
}

// enter finds room by one limit; mu is held.
func (b *Book) enter(c *Charge, l *Limit, a *Ask, now time.Time) (ticket, *Refusal) {
	if l.Names > 0 && !b.fits(nameWeight) {
		b.sweep(now)
	}
	acc := b.account(key{a.Who, l.Policy, l.Rule, l.Window}, now)
	if acc == nil {
		return 0, &Refusal{Limit: *l, Full: true, Wait: l.Window}
	}
	acc.turn(now)
	b.weigh(acc)
	n := plus(max(0, a.Head), c.body)
	if l.UploadBytes > 0 {
		least := n
		if c.counted {
			least = plus(n, 1) // it means to send something
		}
		if acc.used() > l.UploadBytes-least || least > l.UploadBytes {
			wait, ever := acc.room(least, l.UploadBytes, now)
			return 0, &Refusal{Limit: *l, Wait: wait, Never: !ever}
		}
	}
	var named []uint64
	if l.Names > 0 && a.Host != "" {
		named = []uint64{b.hash(a.Host)}
		if r := b.name(acc, l, named[0], a.Host, now); r != nil {
			return 0, r
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
	return b.keep(acc, l.UploadBytes, named...), nil
}

// name notes that acc goes to a host; mu is held.
func (b *Book) name(acc *account, l *Limit, h uint64, host string, now time.Time) *Refusal {
	ok, fresh := acc.name(h, l.Names)
	switch {
	case !ok:
		return &Refusal{Limit: *l, Names: true, Wait: acc.nextName(now)}
	case !fresh:
		return nil
	case !b.fits(nameWeight):
		delete(acc.names, h)
		return &Refusal{Limit: *l, Full: true, Wait: l.Window}
	}
	b.weigh(acc)
	b.entropy.Observe(Entropy(host))
	return nil
}

// account finds or makes one; nil: there is no room. mu is held.
func (b *Book) account(k key, now time.Time) *account {
	if a := b.accounts[k]; a != nil {
		return a
	}
	a := newAccount(k)
	if !b.hasRoom(a) {
		b.sweep(now)
		if !b.hasRoom(a) {
			return nil
		}
	}
	b.accounts[k] = a
	b.weigh(a)
	return a
}

// hasRoom reports whether there is room for one account more; mu is held.
func (b *Book) hasRoom(a *account) bool {
	return len(b.accounts) < b.cfg.MaxAccounts && b.fits(a.bare)
}

// fits reports whether there is room for n bytes of the file; mu is held.
func (b *Book) fits(n int64) bool { return b.weight+n <= b.cfg.MaxFile/2 }

// weigh has all of a count in the book's weight; mu is held.
func (b *Book) weigh(a *account) {
	w := a.bare + nameWeight*int64(len(a.names))
	b.weight += w - a.weight
	a.weight = w
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
		a.turn(now)
		if b.weigh(a); a.idle() {
			delete(b.accounts, k)
			b.weight -= a.weight
		}
	}
}

// Len is how many accounts there are.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.accounts)
}
