package incr

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// TestSorted holds a Sorted against a map under random changes.
func TestSorted(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var s Sorted[int]
	model := map[string]int{}
	for range 2000 {
		before := s.Values()
		kept := slices.Clone(before)
		for range rng.IntN(4) {
			key := strconv.Itoa(rng.IntN(60))
			if rng.IntN(3) == 0 {
				s.Delete(key)
				delete(model, key)
				continue
			}
			model[key] = rng.IntN(5)
			s.Put(key, model[key])
		}
		changed := s.Changed()
		after := s.Values()
		if !slices.Equal(before, kept) {
			t.Fatal("a slice that was handed out has changed")
		}
		if !changed && len(after) > 0 && &after[0] != &before[0] {
			t.Fatal("another slice without a change")
		}
		check(t, &s, model, after)
	}
}

func check(t *testing.T, s *Sorted[int], model map[string]int, got []int) {
	t.Helper()
	var want []int
	for _, key := range slices.Sorted(maps.Keys(model)) {
		want = append(want, model[key])
		if v, ok := s.Get(key); !ok || v != model[key] {
			t.Fatalf("Get(%s) = %d, %t, want %d", key, v, ok, model[key])
		}
	}
	if !slices.Equal(want, got) || s.Len() != len(model) || s.Changed() {
		t.Fatalf("got %v, want %v; len %d, changed %t", got, want, s.Len(), s.Changed())
	}
}

func TestSortedEmpty(t *testing.T) {
	t.Parallel()
	var s Sorted[int]
	if s.Values() != nil {
		t.Error("values of nothing")
	}
	s.Put("a", 1)
	s.Delete("a")
	if s.Values() != nil {
		t.Error("values after the last was deleted")
	}
	if _, ok := s.Get("a"); ok {
		t.Error("a deleted key is there")
	}
}
