package source

import (
	"maps"
	"slices"
)

// Delta is a change to the set of wanted objects.
type Delta struct {
	// Upserts are new or changed objects, sorted by Ref. One with the Hash
	// that the consumer holds already has only moved: its Value is the same,
	// its Origin is another.
	Upserts []Object
	// Deletes are objects that are no longer wanted, sorted.
	Deletes []Ref
	// Problems is the complete list as it stands after this change, sorted by
	// place. It replaces the one before.
	Problems []Problem
}

// Set is the wanted objects after some Deltas. The zero value is empty.
type Set struct {
	objects map[Ref]Object
}

// Apply changes the set by one Delta.
func (s *Set) Apply(d Delta) {
	if s.objects == nil {
		s.objects = make(map[Ref]Object, len(d.Upserts))
	}
	for _, ref := range d.Deletes {
		delete(s.objects, ref)
	}
	for _, o := range d.Upserts {
		s.objects[o.Ref] = o
	}
}

// Len is the number of objects.
func (s *Set) Len() int { return len(s.objects) }

// Get returns one object.
func (s *Set) Get(ref Ref) (Object, bool) {
	o, ok := s.objects[ref]
	return o, ok
}

// All returns the objects, sorted by Ref.
func (s *Set) All() []Object {
	return slices.SortedFunc(maps.Values(s.objects), byRef)
}

// OfKind returns the objects of one kind, sorted by Ref.
func (s *Set) OfKind(group, kind string) []Object {
	var out []Object
	for ref, o := range s.objects {
		if ref.Group == group && ref.Kind == kind {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, byRef)
	return out
}

func byRef(a, b Object) int { return a.Ref.Compare(b.Ref) }

// Diff is the Delta that leads from one state to the next. Problems are left
// empty.
func Diff(before, after map[Ref]Object) Delta {
	var d Delta
	for ref, o := range after {
		if old, ok := before[ref]; !ok || changed(old, o) {
			d.Upserts = append(d.Upserts, o)
		}
	}
	for ref := range before {
		if _, ok := after[ref]; !ok {
			d.Deletes = append(d.Deletes, ref)
		}
	}
	slices.SortFunc(d.Upserts, byRef)
	slices.SortFunc(d.Deletes, Ref.Compare)
	return d
}

func changed(a, b Object) bool {
	if (a.Broken == nil) != (b.Broken == nil) {
		return true
	}
	if a.Broken != nil && *a.Broken != *b.Broken {
		return true
	}
	return a.Hash != b.Hash || a.Origin != b.Origin
}
