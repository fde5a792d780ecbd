package contain

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/authz/policy/glob"
)

// maxOrders is how many orders stand at one time. One more is refused: an old
// one is never forgotten for it.
const maxOrders = 100_000

// Config is what a Store needs. Everything but Path is required.
type Config struct {
	// Path is the file that keeps what people order; empty: it does not outlive
	// the process.
	Path string
	Now  func() time.Time
	// Rand is for the names of orders.
	Rand io.Reader
}

// Store is all orders that stand. It is safe for concurrent use.
type Store struct {
	cfg     Config
	index   atomic.Pointer[index] // never nil
	mu      sync.Mutex
	ordered map[string]Order // guarded by mu: by people, by ID
	objects map[string]Order // guarded by mu: of the feed, by ID
	journal *journal         // guarded by mu
}

type index map[Key][]standing

type place struct {
	Place
	host glob.Glob
}

// Open reads what was ordered before. A file that cannot be read whole is an
// error: without it nobody knows what is cut off.
func Open(cfg Config) (*Store, error) { return open(cfg, osDisk{}) }

func open(cfg Config, d disk) (*Store, error) {
	s := &Store{cfg: cfg, ordered: map[string]Order{}, objects: map[string]Order{}}
	j, orders, err := openJournal(cfg.Path, cfg.Now(), d)
	if err != nil {
		return nil, err
	}
	s.journal = j
	for _, o := range orders {
		s.ordered[o.ID] = o
	}
	return s, s.publish()
}

// Close gives up the file.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.close()
}

// Add has an order stand. It has a name when Add returns, and is on disk.
func (s *Store) Add(o Order) (Order, error) {
	var id [8]byte
	if _, err := io.ReadFull(s.cfg.Rand, id[:]); err != nil {
		return o, fmt.Errorf("name order: %w", err)
	}
	o.ID = hex.EncodeToString(id[:])
	if err := o.CheckNew(); err != nil {
		return o, err
	}
	if !o.Kind.Known() {
		return o, fmt.Errorf("keep order: kind %q is not for people", o.Kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	if len(s.ordered) >= maxOrders {
		return o, fmt.Errorf("keep order: %d stand already", maxOrders)
	}
	if err := s.journal.add(o); err != nil {
		return o, err
	}
	s.ordered[o.ID] = o
	return o, s.publish()
}

// Lift ends an order of a person. It reports whether there was one.
func (s *Store) Lift(id string) (Order, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.ordered[id]
	if !ok {
		return o, false, nil
	}
	if err := s.journal.lift(id); err != nil {
		return o, true, err
	}
	delete(s.ordered, id)
	return o, true, s.publish()
}

// SetObjects makes these the orders of the feed. All of them are good: the
// controller has checked them.
func (s *Store) SetObjects(orders []Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]Order, len(orders))
	for _, o := range orders {
		if err := o.Check(); err != nil {
			return fmt.Errorf("quarantine %s: %w", o.ID, err)
		}
		next[o.ID] = o
	}
	before := s.objects
	s.objects = next
	if err := s.publish(); err != nil {
		s.objects = before
		return err
	}
	return nil
}

// Cut is the order that cuts h off at now; false: none does. Of several, a
// revocation comes first, then the one that lasts longest.
func (s *Store) Cut(h *Hop, now time.Time) (Order, bool) {
	idx := *s.index.Load()
	if len(idx) == 0 {
		return Order{}, false
	}
	var found *standing
	look := func(k Key) bool {
		for i := range idx[k] {
			if o := &idx[k][i]; o.cuts(h, now) && (found == nil || before(&o.Order, &found.Order) < 0) {
				found = o
			}
		}
		return false
	}
	look(Key{Kind: KindEveryone})
	h.keys(look)
	if found == nil {
		return Order{}, false
	}
	return found.Order, true
}

func before(a, b *Order) int {
	if a.Verb != b.Verb {
		return cmp.Compare(b.Verb, a.Verb) // revoke before quarantine
	}
	return cmp.Or(b.Until.Compare(a.Until), cmp.Compare(a.ID, b.ID))
}

// Orders are all that stand, sorted by when they were given.
func (s *Store) Orders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	out := slices.Collect(maps.Values(s.ordered))
	now := s.cfg.Now()
	for _, o := range s.objects {
		if now.Before(o.Until) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b Order) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return out
}

// forget drops what is over; mu is held. The file follows when it is next
// opened.
func (s *Store) forget() {
	now := s.cfg.Now()
	maps.DeleteFunc(s.ordered, func(_ string, o Order) bool { return !now.Before(o.Until) })
}

// publish has s be asked by what it holds now; mu is held, or s is new.
func (s *Store) publish() error {
	idx := index{}
	for _, m := range []map[string]Order{s.ordered, s.objects} {
		for _, o := range m {
			st := standing{Order: o}
			for _, p := range o.Except {
				g, err := compilePlace(p)
				if err != nil {
					return err
				}
				st.places = append(st.places, g)
			}
			idx[o.Key()] = append(idx[o.Key()], st)
		}
	}
	s.index.Store(&idx)
	return nil
}

func compilePlace(p Place) (place, error) {
	out := place{Place: p}
	if p.Host == "" {
		return out, nil
	}
	var err error
	if out.host, err = glob.Compile(p.Host, '.'); err != nil {
		return out, fmt.Errorf("place %q: %w", p.Host, err)
	}
	return out, nil
}
