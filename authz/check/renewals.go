package check

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// renewals are the hops that a fresher token can renew, by who may present it.
// Where there are none a question costs one look at a counter. The zero value
// is empty.
type renewals struct {
	n  atomic.Int64
	mu sync.Mutex
	by map[principal]*renewable // guarded by mu
}

// principal is who may renew: the caller of a hop, in its transaction. Identity
// means nothing outside its trust domain.
type principal struct {
	domain                    feedv1.Key
	txn, subject, agent, peer string
	// actors are the chain, each behind a zero byte, which no claim has.
	actors string
}

func principalOf(c *token.Claims, peer string) principal {
	return principal{
		domain: c.Domain, txn: c.Txn, subject: c.Subject, agent: c.Agent, peer: peer, actors: strings.Join(c.Actors, "\x00"),
	}
}

// renewable are the hops of one principal.
type renewable struct {
	hops []*Held
	// tried is the expiry of the freshest token that they were asked by, in
	// this epoch of the feed: no other changes anything.
	tried time.Time
	epoch uint64
	// busy is true while they are asked by one token. The freshest that comes
	// meanwhile is next.
	busy bool
	next *token.Claims
}

// add takes a hop in that was entered, unless it is over by now.
func (r *renewals) add(h *Held) {
	if h.by == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.gone {
		return
	}
	if r.by == nil {
		r.by = map[principal]*renewable{}
	}
	e := r.by[*h.by]
	if e == nil {
		e = &renewable{}
		r.by[*h.by] = e
	}
	// What it began with may be older than what was tried.
	e.hops, e.tried = append(e.hops, h), time.Time{}
	r.n.Add(1)
}

// remove lets a hop go that is over.
func (r *renewals) remove(h *Held) {
	if h.by == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h.gone = true
	e := r.by[*h.by]
	if e == nil {
		return
	}
	i := slices.Index(e.hops, h)
	if i < 0 {
		return
	}
	r.n.Add(-1)
	if e.hops = slices.Delete(e.hops, i, i+1); len(e.hops) == 0 {
		delete(r.by, *h.by)
	}
}

// presented are the hops that claims may renew: none where nothing is new, or
// while others are asked. Who gets some says done when they were asked.
func (r *renewals) presented(c *token.Claims, peer string, epoch uint64) []*Held {
	if r.n.Load() == 0 {
		return nil
	}
	who := principalOf(c, peer)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.by[who]
	switch {
	case e == nil || e.epoch == epoch && !c.ExpiresAt.After(e.tried):
		return nil
	case e.busy:
		if e.next == nil || c.ExpiresAt.After(e.next.ExpiresAt) {
			e.next = c
		}
		return nil
	}
	e.tried, e.epoch, e.busy = c.ExpiresAt, epoch, true
	return slices.Clone(e.hops)
}

// done lets the hops of a principal be asked by another token, and says which
// one came meanwhile; nil: none. Again has the same one be asked by, too: not all
// could be renewed that would have been.
func (r *renewals) done(c *token.Claims, peer string, again bool) (next *token.Claims) {
	who := principalOf(c, peer)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.by[who]
	if e == nil {
		return nil
	}
	next, e.next, e.busy = e.next, nil, false
	if again {
		e.tried = time.Time{}
	}
	return next
}
