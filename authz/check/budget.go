package check

import "sync/atomic"

// Budget bounds the bytes of all questions that are being answered at once,
// request bodies among them. It is safe for concurrent use.
type Budget struct {
	max  int64
	used atomic.Int64
}

// NewBudget makes a budget of so many bytes.
func NewBudget(maxBytes int64) *Budget { return &Budget{max: maxBytes} }

// take reserves n bytes, or nothing.
func (b *Budget) take(n int) bool {
	if b.used.Add(int64(n)) > b.max {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

func (b *Budget) give(n int) { b.used.Add(-int64(n)) }

// Used is how many bytes are taken now.
func (b *Budget) Used() int64 { return b.used.Load() }
