package leash

import (
	"slices"
	"time"
)

// KeyKind is what a Key names.
type KeyKind uint8

// The zero KeyKind names nothing.
const (
	_ KeyKind = iota
	KeyTxn
	KeySubject
	// KeyAgent is an agent wherever it stands in the chain of actors.
	KeyAgent
	KeyPeer
	KeyToken
	// KeyRule is the rule that allowed: Domain is its policy.
	KeyRule
	// KeyDomain is a whole trust domain; it has no Value.
	KeyDomain
)

// Key is what hops are found by: a value, and the trust domain in which it
// means something, NAMESPACE/NAME; a peer's value has its own.
type Key struct {
	Kind          KeyKind
	Domain, Value string
}

// Keyed says what a hop can be found by. A hop whose Subject does not say is
// found by every key. Keys must not call the register.
type Keyed interface {
	Keys(add func(Key))
}

const (
	// youngFor is how long a hop lives before it is entered under its keys.
	// Most are over by then, and pay nothing for it.
	youngFor = time.Second
	// maxKeys bounds the memory of one hop; one that has more is found by every
	// key, as if it were young.
	maxKeys = 128
	// minSet is the least that a set has room for once it has shrunk.
	minSet = 16
)

// notYoung is the place among the young of a hop that is entered under its keys.
const notYoung = -1

// index finds the hops of a shard that have lived for a while. Those that have
// not, or cannot be found by keys, are the young, and whoever looks for a key
// looks at each of them: a hop is always in one of the two.
type index struct {
	young []*Hop
	sets  map[Key]*set
}

// set is all hops of one key, in no order.
type set struct {
	key  Key
	hops []member
}

// member is a hop in a set, which is the nth of its own.
type member struct {
	hop *Hop
	nth int32
}

// slot is a hop's place in one set, slots are all of its places.
type (
	slot struct {
		set *set
		at  int32
	}
	slots []slot
)

// add takes up a hop that begins.
func (x *index) add(h *Hop) {
	h.young = int32(len(x.young))
	x.young = append(x.young, h)
}

// drop forgets a hop, wherever it is.
func (x *index) drop(h *Hop) {
	if h.young == notYoung {
		x.leave(h)
		return
	}
	last := len(x.young) - 1
	moved := x.young[last]
	x.young[h.young], moved.young = moved, h.young
	x.young[last] = nil
	x.young = x.young[:last]
}

// again makes a hop young once more: its keys have changed.
func (x *index) again(h *Hop) {
	h.unkeyed = false
	if h.young == notYoung {
		x.leave(h)
		x.add(h)
	}
}

// age enters those under their keys that are young no more.
func (x *index) age(now time.Time) {
	for _, h := range slices.Backward(x.young) { // from behind: drop moves the last one
		if h.unkeyed || now.Sub(h.entered) < youngFor {
			continue
		}
		keys, ok := keysOf(h)
		if !ok {
			h.unkeyed = true
			continue
		}
		x.drop(h)
		h.young = notYoung
		x.enter(h, keys)
	}
	x.young = shrunk(x.young)
}

// keysOf are the keys of h, each once; false: it is found by every key.
func keysOf(h *Hop) (keys []Key, ok bool) {
	k, ok := h.Subject.(Keyed)
	if !ok {
		return nil, false
	}
	k.Keys(func(key Key) {
		if len(keys) <= maxKeys && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	})
	return keys, len(keys) <= maxKeys
}

func (x *index) enter(h *Hop, keys []Key) {
	own := make(slots, len(keys))
	h.keys = &own
	for i, key := range keys {
		s := x.sets[key]
		if s == nil {
			s = &set{key: key}
			x.sets[key] = s
		}
		own[i] = slot{s, int32(len(s.hops))}
		s.hops = append(s.hops, member{h, int32(i)})
	}
}

// leave takes h out of its sets.
func (x *index) leave(h *Hop) {
	for _, e := range *h.keys {
		last := len(e.set.hops) - 1
		moved := e.set.hops[last]
		e.set.hops[e.at] = moved
		(*moved.hop.keys)[moved.nth].at = e.at
		e.set.hops[last] = member{}
		e.set.hops = shrunk(e.set.hops[:last])
		if last == 0 {
			delete(x.sets, e.set.key)
		}
	}
	h.keys = nil
}

// shrunk gives back memory of a list that was much longer.
func shrunk[T any](list []T) []T {
	if cap(list) <= minSet || len(list) > cap(list)/4 {
		return list
	}
	return append(make([]T, 0, max(minSet, cap(list)/2)), list...)
}

// find appends the hops that keys may name and that can be cut.
func (x *index) find(out []*Hop, keys []Key) []*Hop {
	for _, h := range x.young {
		if h.meant() {
			out = append(out, h)
		}
	}
	for _, k := range keys {
		s := x.sets[k]
		if s == nil {
			continue
		}
		for _, m := range s.hops {
			if m.hop.meant() {
				out = append(out, m.hop)
			}
		}
	}
	return out
}

// HopsOf are those that live and are not being cut, as far as keys name them,
// and others that only the asker can tell apart. One may come twice.
func (r *Register) HopsOf(keys ...Key) []*Hop {
	var out []*Hop
	for i := range r.shard {
		s := &r.shard[i]
		s.mu.Lock()
		out = s.index.find(out, keys)
		s.mu.Unlock()
	}
	return out
}

// Renamed notes that the keys of a hop have changed. Who looked for the new
// ones before it returns may have missed the hop: it is asked afterwards
// whether it may go on.
func (r *Register) Renamed(id ID) {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hops[id]; h != nil {
		s.index.again(h)
	}
}
