package jwks

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxWaiting bounds who waits for one attempt: with a source that hangs,
	// senders of unknown kids could otherwise fill the gateway.
	maxWaiting = 128
	// maxMissing and missingFor bound what is remembered of kids that were
	// looked for and not there: asking for them again would not help.
	maxMissing = 1024
	missingFor = time.Minute
)

// demand lets many ask for one attempt.
type demand struct {
	now  func() time.Time
	wake chan struct{} // one token: an attempt is wanted

	mu      sync.Mutex
	floor   time.Duration
	serving bool                              // guarded by mu: somebody reads wake
	began   time.Time                         // guarded by mu: the last attempt
	pending chan struct{}                     // guarded by mu: closed when the attempt that is wanted or under way has ended
	waiting int                               // guarded by mu
	missing *simplelru.LRU[string, time.Time] // guarded by mu: kid to when it may be asked for again
}

func newDemand(now func() time.Time) demand {
	lru, err := simplelru.NewLRU[string, time.Time](maxMissing, nil)
	if err != nil {
		panic(err) // only a size of zero is refused
	}
	return demand{now: now, wake: make(chan struct{}, 1), missing: lru}
}

// serve says whether wake is read.
func (d *demand) serve(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serving = on
	if !on && d.pending != nil {
		close(d.pending)
		d.pending = nil
	}
}

// begin notes that an attempt begins.
func (d *demand) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.began = d.now()
	if d.pending == nil {
		d.pending = make(chan struct{})
	}
	select { // whoever wanted an attempt has one now
	case <-d.wake:
	default:
	}
}

// end lets all go that wait for the attempt.
func (d *demand) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending != nil {
		close(d.pending)
		d.pending = nil
	}
}

// may reports whether wait would wait.
func (d *demand) may(kid string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mayLocked(kid)
}

func (d *demand) mayLocked(kid string) bool {
	if !d.serving || d.waiting >= maxWaiting || kid != "" && !ValidKeyID(kid) {
		return false // no set has a key of a kid that is none
	}
	if until, ok := d.missing.Peek(kid); ok && d.now().Before(until) {
		return false
	}
	return d.pending != nil || d.now().Sub(d.began) >= d.floor
}

// wait joins the attempt that is under way, or wants one, and waits for its
// end. False: there is none to wait for, or ctx ended first.
func (d *demand) wait(ctx context.Context, kid string) bool {
	ended := d.join(kid)
	if ended == nil {
		return false
	}
	defer d.leave()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
		return false
	}
}

func (d *demand) join(kid string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mayLocked(kid) {
		return nil
	}
	if d.pending == nil {
		d.pending = make(chan struct{})
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	d.waiting++
	return d.pending
}

func (d *demand) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting--
}

// miss remembers that a kid was looked for and not there. It keeps a copy: kid
// may be a view of a request.
func (d *demand) miss(kid string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.missing.Add(strings.Clone(kid), d.now().Add(missingFor))
}

// changed forgets which kids were missing: the set is another.
func (d *demand) changed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.missing.Purge()
}
