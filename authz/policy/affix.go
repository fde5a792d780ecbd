package policy

import (
	"sort"
	"strings"
)

// affixes finds those of many prefixes (or suffixes) that a text has. They are
// sorted, and each knows the longest other one that is an affix of it: so the
// nearest in order leads to all, and the search is logarithmic in their number;
// suffixes of host names, which begin with a dot, are looked up by their labels.
type affixes[T any] struct {
	texts  []string
	parent []int32
	nodes  []T
	// reversed: they are suffixes, sorted from the end.
	reversed bool
	// dotted is their places, where all begin with a dot or are empty.
	dotted map[string]int32
}

func newAffixes[T any](byText map[string]T, reversed bool) *affixes[T] {
	if len(byText) == 0 {
		return nil
	}
	a := &affixes[T]{reversed: reversed}
	for t := range byText {
		a.texts = append(a.texts, t)
	}
	sort.Slice(a.texts, func(i, j int) bool { return a.compare(a.texts[i], a.texts[j]) < 0 })
	for i, t := range a.texts {
		p := int32(i) - 1
		for p >= 0 && !a.has(t, a.texts[p]) {
			p = a.parent[p]
		}
		a.parent = append(a.parent, p)
		a.nodes = append(a.nodes, byText[t])
	}
	a.dot()
	return a
}

// dot fills in dotted, if it can.
func (a *affixes[T]) dot() {
	if !a.reversed {
		return
	}
	at := make(map[string]int32, len(a.texts))
	for i, t := range a.texts {
		if t != "" && t[0] != labels {
			return
		}
		at[t] = int32(i)
	}
	a.dotted = at
}

// find is the place of the longest affix of s, from which parent leads to the
// others; -1: none.
func (a *affixes[T]) find(s string) int32 {
	switch {
	case a == nil:
		return -1
	case a.dotted != nil:
		return a.findDotted(s)
	}
	lo, hi := 0, len(a.texts)
	for lo < hi {
		if mid := (lo + hi) / 2; a.compare(a.texts[mid], s) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	i := int32(lo) - 1
	for i >= 0 && !a.has(s, a.texts[i]) {
		i = a.parent[i]
	}
	return i
}

// findDotted is find: the first of its ends that is there is the longest.
func (a *affixes[T]) findDotted(s string) int32 {
	for i := strings.IndexByte(s, labels); i >= 0; {
		if at, ok := a.dotted[s[i:]]; ok {
			return at
		}
		next := strings.IndexByte(s[i+1:], labels)
		if next < 0 {
			break
		}
		i += 1 + next
	}
	if at, ok := a.dotted[""]; ok {
		return at
	}
	return -1
}

// matching appends the nodes of all affixes that s has.
func (a *affixes[T]) matching(s string, out []T) []T {
	for i := a.find(s); i >= 0; i = a.parent[i] {
		out = append(out, a.nodes[i])
	}
	return out
}

// all are the nodes of every affix.
func (a *affixes[T]) all() []T {
	if a == nil {
		return nil
	}
	return a.nodes
}

func (a *affixes[T]) has(s, affix string) bool {
	if a.reversed {
		return strings.HasSuffix(s, affix)
	}
	return strings.HasPrefix(s, affix)
}

func (a *affixes[T]) compare(x, y string) int {
	if !a.reversed {
		return strings.Compare(x, y)
	}
	for i := 1; i <= min(len(x), len(y)); i++ {
		if c := int(x[len(x)-i]) - int(y[len(y)-i]); c != 0 {
			return c
		}
	}
	return len(x) - len(y)
}
