package resolve

import (
	"sync"
	"time"
)

const (
	// refusalsPerSecond is how many refusals are said; more go unanswered.
	refusalsPerSecond = 100
	refusalBurst      = 200
)

// bucket bounds a rate.
type bucket struct {
	now func() time.Time

	mu   sync.Mutex // guards what follows
	left float64
	at   time.Time
}

func newBucket(now func() time.Time) *bucket {
	return &bucket{now: now, left: refusalBurst, at: now()}
}

// take reports whether there is one left, and takes it.
func (b *bucket) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if passed := now.Sub(b.at); passed > 0 {
		b.left = min(refusalBurst, b.left+passed.Seconds()*refusalsPerSecond)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
