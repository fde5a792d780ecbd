package release

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

var (
	// ErrUnknown: the registry was asked, and does not say.
	ErrUnknown = errors.New("the registry does not say when it was published")
	// ErrLate: there is no answer yet.
	ErrLate = errors.New("the registry has not answered in time")
	// ErrBusy: too many others are being asked.
	ErrBusy = errors.New("too many registries are being asked")

	errClosed = errors.New("the guard goes down")
)

// Exit finds addresses that may be dialled.
type Exit interface {
	Addresses(ctx context.Context, host string, port uint16) ([]netip.Addr, error)
}

// Question is one file of a release.
type Question struct {
	// Gateway is whose question it is.
	Gateway string
	// Index is the registry whose index says.
	Index *feedv1.Registry
	// Name, Version and File are as the request was read.
	Name, Version, File string
	// Host, Port and Path are where the file is asked for. Host is empty where
	// that is not known.
	Host string
	Port uint16
	Path string
	Exit Exit
	// Headers are what the index wants to be shown.
	Headers [][2]string
}

// Config is how a Reader works. The zero value works.
type Config struct {
	// Wait is how long whoever asks waits. 0: 3s, less than Envoy waits.
	Wait time.Duration
	// Fetch bounds one answer of an index. 0: 20s.
	Fetch time.Duration
	// Bytes bounds one answer of an index. 0: 32 MiB.
	Bytes int64
	// Lists is how many lists are kept, 0: 256, and Entries how many releases in
	// all of them. 0: 500,000.
	Lists, Entries int
	// AtOnce is how many questions are asked at once, 0: 64, of one index no more
	// than half of them: one that is slow is not to stand in the way of others.
	AtOnce int
	// Keep is how long a list counts. 0: 10m. What it does not have is looked up
	// again when it is older than Again. 0: 30s.
	Keep, Again time.Duration
	// Roots is the file of certificates by which an index is verified that has no
	// others; empty: the system's.
	Roots string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

func (c *Config) setDefaults() {
	setDefault(&c.Wait, 3*time.Second)
	setDefault(&c.Fetch, 20*time.Second)
	setDefault(&c.Bytes, 32<<20)
	setDefault(&c.Lists, 256)
	setDefault(&c.Entries, 500_000)
	setDefault(&c.AtOnce, 64)
	setDefault(&c.Keep, 10*time.Minute)
	setDefault(&c.Again, 30*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
}

func setDefault[T int | int64 | time.Duration](to *T, usual T) {
	if *to <= 0 {
		*to = usual
	}
}

// Reader asks indexes.
type Reader struct {
	cfg     Config
	ctx     context.Context //nolint:containedctx // what is fetched outlives who asks; Close ends it
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool                   // guarded by mu
	lists   *lru.Cache[key, *list] // guarded by mu
	entries int                    // guarded by mu; those of lists
	fetches map[key]*list          // guarded by mu; those under way
}

// key is one package of one registry, as one Gateway asks it: another one may be
// led to another place, or be shown something else.
type key struct {
	gateway, ref, protocol, host, path, name string
	port                                     uint16
}

// list is when the releases of a package were published. It is read once done is
// closed.
type list struct {
	done chan struct{}
	at   time.Time
	// files are by file name where the index lists files, versions by version.
	files    map[string]file
	versions map[string]time.Time
	err      error
}

// file is one that an index lists.
type file struct {
	published time.Time
	// host and path are where it is handed out.
	host, path string
}

// New makes a Reader. Close ends it.
func New(c Config) (*Reader, error) {
	c.setDefaults()
	r := &Reader{cfg: c, fetches: map[key]*list{}}
	var err error
	if r.lists, err = lru.NewWithEvict(c.Lists, func(_ key, l *list) { r.entries -= l.len() }); err != nil {
		return nil, fmt.Errorf("make reader of releases: %w", err)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// Close ends what is under way, and waits for it.
func (r *Reader) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.running.Wait()
}

// Published is when what q asks for was published. The error is ErrUnknown
// where the registry does not say.
func (r *Reader) Published(ctx context.Context, q *Question) (time.Time, error) {
	if pathOf(q.Index.Protocol, q.Name) == "" {
		return time.Time{}, ErrUnknown
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Wait)
	defer cancel()
	k := key{
		gateway: strings.Clone(q.Gateway), ref: q.Index.Ref, protocol: q.Index.Protocol,
		host: q.Index.Hostname, port: q.Index.Port, path: q.Index.Path, name: strings.Clone(q.Name),
	}
	l, err := r.list(ctx, k, q, r.cfg.Keep)
	if err != nil {
		return time.Time{}, err
	}
	at, ok := l.find(q)
	if !ok {
		// A release may be newer than the list.
		if l, err = r.list(ctx, k, q, r.cfg.Again); err != nil {
			return time.Time{}, err
		}
		if at, ok = l.find(q); !ok {
			return time.Time{}, ErrUnknown
		}
	}
	return at, nil
}

// list is the list of a package, no older than most.
func (r *Reader) list(ctx context.Context, k key, q *Question, most time.Duration) (*list, error) {
	l, err := r.begin(k, q, most)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.done:
		return l, l.err
	case <-ctx.Done():
		return nil, ErrLate
	}
}

// begin finds a list, or has it fetched.
func (r *Reader) begin(k key, q *Question, most time.Duration) (*list, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l, ok := r.lists.Get(k); ok && r.cfg.Now().Sub(l.at) < most {
		return l, nil
	}
	if l, ok := r.fetches[k]; ok {
		return l, nil
	}
	switch {
	case r.closed:
		return nil, errClosed
	case len(r.fetches) >= r.cfg.AtOnce || r.asking(k) >= max(1, r.cfg.AtOnce/2):
		return nil, ErrBusy
	}
	l := &list{done: make(chan struct{})}
	r.fetches[k] = l
	// Copies: strings of a question may be views of a request.
	f := fetch{index: *q.Index, name: k.name, exit: q.Exit, headers: cloned(q.Headers), most: r.cfg.Bytes, roots: r.cfg.Roots}
	r.running.Go(func() {
		ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Fetch)
		defer cancel()
		l.err = f.into(ctx, l)
		r.keep(k, l)
	})
	return l, nil
}

// asking is how often the index of k is asked now; mu is held.
func (r *Reader) asking(k key) int {
	n := 0
	for other := range r.fetches {
		if other.gateway == k.gateway && other.ref == k.ref {
			n++
		}
	}
	return n
}

// keep ends a fetch. What failed is not kept: who asks again tries again.
func (r *Reader) keep(k key, l *list) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.at = r.cfg.Now()
	delete(r.fetches, k)
	if l.err == nil {
		r.lists.Remove(k) // one that is replaced is not told of
		r.lists.Add(k, l)
		r.entries += l.len()
	}
	for r.entries > r.cfg.Entries && r.lists.Len() > 1 {
		r.lists.RemoveOldest()
	}
	close(l.done)
}

func (l *list) len() int { return len(l.files) + len(l.versions) }

func cloned(headers [][2]string) [][2]string {
	out := make([][2]string, 0, len(headers))
	for _, h := range headers {
		out = append(out, [2]string{strings.Clone(h[0]), strings.Clone(h[1])})
	}
	return out
}

// find is when what q asks for was published; false: the list does not say. A
// file that is listed at another place is another one.
func (l *list) find(q *Question) (time.Time, bool) {
	if l.files == nil {
		at, ok := l.versions[q.Version]
		return at, ok
	}
	f, ok := l.files[q.File]
	if !ok || f.path != q.Path || q.Host != "" && f.host != hostPort(q.Host, q.Port) {
		return time.Time{}, false
	}
	return f.published, true
}
