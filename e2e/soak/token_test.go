package soak

import (
	"fmt"
	"sync"
	"time"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// identity is a token, and its transaction.
type identity struct {
	txn, token string
	expires    time.Time
	once       bool // it is of no use to anybody else
}

// tokens are those that nobody uses now. There are never many more than
// streams: what a gateway remembers of tokens is not what is to be seen growing.
type tokens struct {
	gateway *testgateway.Gateway

	mu   sync.Mutex
	free []*identity // guarded by mu
	made int         // guarded by mu
}

func newTokens(g *testgateway.Gateway) *tokens { return &tokens{gateway: g} }

const (
	// lasting is the life of most tokens, fresh how much of it is to be left.
	lasting = 10 * time.Minute
	fresh   = 5 * time.Minute
)

// take gives a token that no other stream has.
func (t *tokens) take(m manner) *identity {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m == expires {
		return t.mint(tokenLife, true)
	}
	for len(t.free) > 0 {
		last := len(t.free) - 1
		id := t.free[last]
		t.free = t.free[:last]
		if time.Until(id.expires) > fresh {
			return id
		}
	}
	return t.mint(lasting, false)
}

func (t *tokens) give(id *identity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !id.once {
		t.free = append(t.free, id)
	}
}

// mint makes a token in a transaction of its own; mu is held.
func (t *tokens) mint(life time.Duration, once bool) *identity {
	t.made++
	id := &identity{txn: fmt.Sprintf("soak-%06d", t.made), once: once}
	id.token = t.gateway.Token(func(p *token.Params) {
		p.Audience, p.Txn, p.Lifetime = audience, id.txn, life
		id.expires = p.IssuedAt.Truncate(time.Second).Add(life)
	})
	return id
}
