package token

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// maxStarts is how many transactions are remembered. To have one forgotten,
// so many others must have been seen since; nobody but the issuer can make them.
const maxStarts = 1 << 17

// start is when a transaction began, in seconds since 1970: the earliest iat
// that was seen of it.
type start struct{ unix atomic.Int64 }

func (s *start) at() time.Time { return time.Unix(s.unix.Load(), 0) }

// earlier takes an iat into account.
func (s *start) earlier(iat time.Time) {
	for {
		have := s.unix.Load()
		if iat.Unix() >= have || s.unix.CompareAndSwap(have, iat.Unix()) {
			return
		}
	}
}

// starts remember when transactions began. A nil one remembers nothing.
type starts struct {
	mu  sync.Mutex
	lru *simplelru.LRU[startKey, *start] // guarded by mu
}

// startKey is a hash of trust domain and txn: both together name a
// transaction, and neither is bounded to be short.
type startKey [sha256.Size]byte

func newStarts() (*starts, error) {
	lru, err := simplelru.NewLRU[startKey, *start](maxStarts, nil)
	if err != nil {
		return nil, err
	}
	return &starts{lru: lru}, nil
}

// first is when a transaction began, as far as is known with this iat.
func (s *starts) first(domain feedv1.Key, txn string, iat time.Time) *start {
	fresh := &start{}
	fresh.unix.Store(iat.Unix())
	if s == nil {
		return fresh
	}
	// Neither part of a key can hold a NUL: both are names of objects.
	key := startKey(sha256.Sum256([]byte(domain.Namespace + "\x00" + domain.Name + "\x00" + txn)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.lru.Get(key); ok {
		have.earlier(iat)
		return have
	}
	s.lru.Add(key, fresh)
	return fresh
}
