package incr

import (
	"maps"
	"slices"
)

// bag counts how often each mark was put.
type bag[M Mark[M]] struct {
	count map[M]int
	// list is the distinct marks, sorted; nil: to be made.
	list []M
}

func newBag[M Mark[M]]() *bag[M] { return &bag[M]{count: map[M]int{}} }

func (b *bag[M]) len() int { return len(b.count) }

// add says whether the mark is new.
func (b *bag[M]) add(m M) bool {
	b.count[m]++
	if b.count[m] > 1 {
		return false
	}
	b.list = nil
	return true
}

// remove says whether the mark is gone.
func (b *bag[M]) remove(m M) bool {
	b.count[m]--
	if b.count[m] > 0 {
		return false
	}
	delete(b.count, m)
	b.list = nil
	return true
}

func (b *bag[M]) sorted() []M {
	if b.list == nil {
		b.list = slices.SortedFunc(maps.Keys(b.count), M.Compare)
	}
	return b.list
}
