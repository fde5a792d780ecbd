package nameserver

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxCallers bounds the clients that are remembered; of one that was
	// forgotten nothing counts any more.
	maxCallers = 4096
	// maxGlobs bounds the globs by which the names of one client are counted;
	// beyond it all others count as one.
	maxGlobs = 64
	// maxCounted bounds the names that are counted of all clients together;
	// beyond it no further ones are answered.
	maxCounted = 1 << 20
	// window is for how long a name counts.
	window = time.Hour
	// maxPending bounds the queries of one client that are answered at one time.
	maxPending = 64
	// burstSeconds is how much of its rate a client may use at once.
	burstSeconds = 4
	// nameBytes is how much of what a glob leaves open counts as one name.
	nameBytes = 32
)

// callers is what is remembered of clients.
type callers struct {
	now  func() time.Time
	seed maphash.Seed

	mu      sync.Mutex // guards what follows
	list    *simplelru.LRU[netip.Addr, *caller]
	counted int
}

// caller is one client.
type caller struct {
	rate    bucket
	records bucket
	pending int
	globs   map[string]*tried
}

// tried are the names that were asked for by one glob.
type tried struct {
	since time.Time
	cost  int
	names map[uint64]struct{}
}

func newCallers(now func() time.Time) *callers {
	c := &callers{now: now, seed: maphash.MakeSeed()}
	list, err := simplelru.NewLRU(maxCallers, func(_ netip.Addr, old *caller) { c.forget(old) })
	if err != nil { // only for a size below 1
		panic("make callers: " + err.Error())
	}
	c.list = list
	return c
}

// forget takes a client's names off the count; mu is held.
func (c *callers) forget(old *caller) {
	for _, t := range old.globs {
		c.counted -= len(t.names)
	}
}

// site is the client that an address belongs to: an IPv6 host has as many of
// them as it likes.
func site(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// of finds a client; mu is held.
func (c *callers) of(a netip.Addr) *caller {
	a = site(a)
	if old, ok := c.list.Get(a); ok {
		return old
	}
	now := c.now()
	out := &caller{
		rate: bucket{at: now, full: true}, records: bucket{at: now, full: true}, globs: map[string]*tried{},
	}
	c.list.Add(a, out)
	return out
}

// begin reports whether one more query of a client is answered, at this rate a
// second; done must then be called.
func (c *callers) begin(a netip.Addr, perSecond int) (done func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.of(a)
	if one.pending >= maxPending || !one.rate.take(c.now(), float64(perSecond), float64(burstSeconds*perSecond)) {
		return nil, false
	}
	one.pending++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		one.pending--
	}, true
}

// mayRecord reports whether one more refusal of a client is worth a record.
func (c *callers) mayRecord(a netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of(a).records.take(c.now(), recordsPerSecond, recordBurst)
}

// try counts a name that a client asks for by a glob, and reports whether it is
// within its number, and whether it is new. What was counted already stays open.
func (c *callers) try(a netip.Addr, glob, name string, most int) (within, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.of(a).by(glob)
	now := c.now()
	if passed := now.Sub(t.since); passed >= window || passed < 0 {
		c.counted -= len(t.names)
		*t = tried{since: now, names: map[uint64]struct{}{}}
	}
	key := maphash.String(c.seed, name)
	if _, known := t.names[key]; known {
		return true, false
	}
	cost := 1 + len(open(glob, name))/nameBytes
	if t.cost+cost > most || c.counted >= maxCounted {
		return false, true
	}
	t.names[key] = struct{}{}
	t.cost += cost
	c.counted++
	return true, true
}

// names is how many names are counted, of all clients. Those of windows that are
// over are forgotten when their client asks again, or others take its place.
func (c *callers) names() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for _, one := range c.list.Values() {
		for _, t := range one.globs {
			if passed := now.Sub(t.since); passed >= 0 && passed < window {
				n += len(t.names)
			}
		}
	}
	return n
}

// by is what is counted by a glob.
func (c *caller) by(glob string) *tried {
	if t := c.globs[glob]; t != nil {
		return t
	}
	if len(c.globs) >= maxGlobs {
		glob = ""
		if t := c.globs[glob]; t != nil {
			return t
		}
	}
	t := &tried{names: map[uint64]struct{}{}}
	c.globs[glob] = t
	return t
}

// bucket bounds a rate. full: nothing was taken yet.
type bucket struct {
	left float64
	at   time.Time
	full bool
}

// take takes one, if there is one left.
func (b *bucket) take(now time.Time, perSecond, burst float64) bool {
	if passed := now.Sub(b.at); b.full {
		b.left, b.full = burst, false
	} else if passed > 0 {
		b.left = min(burst, b.left+passed.Seconds()*perSecond)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
