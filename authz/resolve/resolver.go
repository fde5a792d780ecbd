package resolve

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/authz/surface/egress"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Settings are what a feed says about names and addresses.
type Settings struct {
	// Space judges addresses. Nil: public space alone.
	Space *egress.Space
	// Hosts are answered here.
	Hosts []feedv1.Host
	// Servers are asked in order. None: those of the system, read again when
	// they change.
	Servers []netip.AddrPort
}

// Config is what a Resolver is made of. The zero value works.
type Config struct {
	Settings
	// Observer is nil for none.
	Observer Observer
	// Now is the clock of the cache; nil: time.Now.
	Now func() time.Time
	// Random gives query ids; nil: crypto/rand. It is read concurrently.
	Random io.Reader
	// Try bounds one exchange with one server. 0: 1s.
	Try time.Duration
	// Total bounds a whole resolution. 0: 4s, less than Envoy waits for Check.
	Total time.Duration
	// Names bounds the cache. 0: 8192.
	Names int
	// SystemFile names the system's servers. Empty: /etc/resolv.conf.
	SystemFile string
	// PlainCase sends names in lower case, where they are otherwise in random
	// case, which an answer must repeat: a forger has more to guess.
	PlainCase bool
}

// hostTTL is how long an answer of the configuration stands.
const hostTTL = time.Minute

func (c *Config) setDefaults() error {
	if c.Try < 0 || c.Total < 0 || c.Names < 0 {
		return errors.New("make resolver: a bound is negative")
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Try == 0 {
		c.Try = time.Second
	}
	if c.Total == 0 {
		c.Total = 4 * time.Second
	}
	if c.Names == 0 {
		c.Names = 8192
	}
	if c.SystemFile == "" {
		c.SystemFile = "/etc/resolv.conf"
	}
	return nil
}

// Resolver finds and judges the addresses of names.
type Resolver struct {
	cfg     Config
	view    atomic.Pointer[view]
	applied sync.Mutex // held by Apply
	flights *flights
}

// view is what a Resolver goes by at one time.
type view struct {
	policy *policy
	source *source
}

// New makes a Resolver. Close ends it.
func New(c Config) (*Resolver, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	r := &Resolver{cfg: c, flights: newFlights()}
	r.Apply(c.Settings)
	return r, nil
}

// Apply replaces the settings. Answers that are cached are judged by the new
// ones from now on; with other servers, nothing that is cached counts.
func (r *Resolver) Apply(s Settings) {
	r.applied.Lock()
	defer r.applied.Unlock()
	next := &view{policy: newPolicy(s)}
	if old := r.view.Load(); old != nil && slices.Equal(old.source.servers.fixed, s.Servers) {
		next.source = old.source
	} else {
		next.source = newSource(r, s.Servers)
	}
	r.view.Store(next)
}

// Close ends all that is under way and waits for it. Lookups fail from then
// on, but for names that are known.
func (r *Resolver) Close() { r.flights.close() }

// Lookup finds the addresses of a name: of egress.hosts, of the cache, or of
// the servers. The error is a *Refused, an *egress.Refusal or a *Failure.
// Nothing is allocated for a name that is cached, if it is canonical.
func (r *Resolver) Lookup(ctx context.Context, name string) (Answer, error) {
	name, err := egress.ParseName(name)
	if err != nil {
		return Answer{}, err
	}
	v := r.view.Load()
	if h, ok := v.policy.hosts[name]; ok {
		return h.answer()
	}
	if egress.ClassifyName(name) != egress.NamePublic {
		return Answer{}, &egress.Refusal{Reason: egress.ReasonName}
	}
	e := v.source.cache.get(name, r.cfg.Now())
	if e == nil {
		if e, err = v.source.fetch(ctx, name); err != nil {
			return Answer{}, err
		}
	}
	// The policy may have changed while we waited.
	return r.view.Load().policy.judge(e, r.cfg.Now())
}

// host is a name that the configuration answers.
type host struct{ addrs []netip.Addr }

func (h host) answer() (Answer, error) {
	if len(h.addrs) == 0 {
		return Answer{}, &egress.Refusal{Reason: egress.ReasonNoAddress, Class: egress.ClassInvalid}
	}
	return Answer{Addrs: h.addrs, Mode: wire.ModeHosts, TTL: hostTTL}, nil
}
