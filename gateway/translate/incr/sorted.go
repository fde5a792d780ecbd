package incr

import (
	"maps"
	"slices"
)

// Sorted is a set of values, each under a key, that hands out its values in the
// order of the keys. The zero value is empty. It is a Sink.
type Sorted[V any] struct {
	values  map[string]V
	pending map[string]struct{}
	keys    []string
	list    []V
}

// Put sets the value of a key.
func (s *Sorted[V]) Put(key string, value any) {
	if s.values == nil {
		s.values = map[string]V{}
	}
	s.values[key] = value.(V)
	s.change(key)
}

// Delete removes a key.
func (s *Sorted[V]) Delete(key string) {
	delete(s.values, key)
	s.change(key)
}

func (s *Sorted[V]) change(key string) {
	if s.pending == nil {
		s.pending = map[string]struct{}{}
	}
	s.pending[key] = struct{}{}
}

// Changed says whether Values will be another slice than last time.
func (s *Sorted[V]) Changed() bool { return len(s.pending) > 0 }

// Len is the number of values.
func (s *Sorted[V]) Len() int { return len(s.values) }

// Values returns the values in the order of their keys. A slice that was handed
// out is never changed; it is the same one until something changes, and nil when
// there is none.
func (s *Sorted[V]) Values() []V {
	if !s.Changed() {
		return s.list
	}
	if len(s.values) == 0 {
		s.keys, s.list, s.pending = nil, nil, nil
		return nil
	}
	keys, list := make([]string, 0, len(s.values)), make([]V, 0, len(s.values))
	restKeys, rest := s.keys, s.list
	for _, key := range slices.Sorted(maps.Keys(s.pending)) {
		i, found := slices.BinarySearch(restKeys, key)
		keys, list = append(keys, restKeys[:i]...), append(list, rest[:i]...)
		if found {
			i++
		}
		restKeys, rest = restKeys[i:], rest[i:]
		if v, ok := s.values[key]; ok {
			keys, list = append(keys, key), append(list, v)
		}
	}
	keys, list = append(keys, restKeys...), append(list, rest...)
	s.keys, s.list = keys, list
	clear(s.pending)
	return s.list
}

// Get returns the value of a key.
func (s *Sorted[V]) Get(key string) (V, bool) {
	v, ok := s.values[key]
	return v, ok
}
