package serve

import (
	"container/heap"
	"strings"
)

// queue holds the slots of one type that have something to send, by name.
// Removals that make room for others come first.
type queue struct{ items queueItems }

// push adds a slot that is not in yet.
func (q *queue) push(sl *slot, first bool) {
	if sl.queued == 0 {
		sl.first = first
		heap.Push(&q.items, sl)
	}
}

// pop gives the next slot; nil: there is none.
func (q *queue) pop() *slot {
	if len(q.items) == 0 {
		return nil
	}
	return heap.Pop(&q.items).(*slot)
}

// remove takes a slot out that may be in.
func (q *queue) remove(sl *slot) {
	if sl.queued > 0 {
		heap.Remove(&q.items, sl.queued-1)
	}
}

// queueItems is a heap. A slot knows its place, counted from 1.
type queueItems []*slot

func (q queueItems) Len() int { return len(q) }

func (q queueItems) Less(i, j int) bool {
	if q[i].first != q[j].first {
		return q[i].first
	}
	return strings.Compare(q[i].key.Name, q[j].key.Name) < 0
}

func (q queueItems) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].queued, q[j].queued = i+1, j+1
}

func (q *queueItems) Push(x any) {
	sl := x.(*slot)
	*q = append(*q, sl)
	sl.queued = len(*q)
}

func (q *queueItems) Pop() any {
	old := *q
	n := len(old) - 1
	sl := old[n]
	old[n] = nil
	*q = old[:n]
	sl.queued = 0
	return sl
}
