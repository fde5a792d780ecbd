package leash

import (
	"cmp"
	"slices"
)

// Describer tells of a hop what the register does not know.
type Describer interface {
	Describe(*Stream)
}

// Hops are all that live and are not being cut, but for hopgate's own.
func (r *Register) Hops() []*Hop {
	var out []*Hop
	for i := range r.shard {
		s := &r.shard[i]
		s.mu.Lock()
		for _, h := range s.hops {
			if h.meant() {
				out = append(out, h)
			}
		}
		s.mu.Unlock()
	}
	return out
}

// Streams tell of all hops that live, oldest first.
func (r *Register) Streams() []Stream {
	hops := r.Hops()
	out := make([]Stream, 0, len(hops))
	for _, h := range hops {
		s := Stream{Hop: h.ID.String(), Since: h.entered}
		s.Until, s.Last = r.Until(h.ID)
		r.describeSeen(h, &s)
		if h.Parent != (ID{}) {
			s.Parent = h.Parent.String()
		}
		if d, ok := h.Subject.(Describer); ok {
			d.Describe(&s)
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Stream) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Hop, b.Hop)) })
	return out
}
