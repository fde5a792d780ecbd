package resolve

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// How long answers stand, whatever their servers say.
const (
	// minTTL is long enough that Envoy, which asks right after Check, gets what
	// Check judged.
	minTTL = 5 * time.Second
	maxTTL = 5 * time.Minute
	// refusedTTL bounds answers that were refused when they came: the name may
	// be mended.
	refusedTTL = 30 * time.Second
	// noneTTL is that of names without addresses, failedTTL that of failures: a
	// name that failed once must heal.
	noneTTL   = 2 * time.Second
	failedTTL = time.Second
)

// entry is what servers said of one name. Only judged changes.
type entry struct {
	// addrs are sorted, without duplicates; empty: failed says why.
	addrs []netip.Addr
	// aliases are the names that the name stands for, in order.
	aliases []string
	// services are of an entry for HTTPS records; addrs are then their hints.
	services []Service
	failed   Kind
	expires  time.Time
	judged   atomic.Pointer[judgement]
}

func (e *entry) refused(cause *egress.Refusal) error {
	return &Refused{Addrs: e.addrs, Aliases: e.aliases, cause: cause}
}

// cache holds the names that were asked for last.
type cache struct {
	mu    sync.Mutex // guards names
	names *simplelru.LRU[string, *entry]
}

func newCache(size int) *cache {
	names, err := simplelru.NewLRU[string, *entry](size, nil)
	if err != nil { // only for a size below 1, which Config refuses
		panic("make cache: " + err.Error())
	}
	return &cache{names: names}
}

// get is what is known of a name; nil: nothing that still stands.
func (c *cache) get(name string, now time.Time) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.names.Get(name)
	if !ok || !now.Before(e.expires) {
		return nil
	}
	return e
}

func (c *cache) put(name string, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names.Add(name, e)
}
