package policy

import (
	"sort"
	"strings"
)

// affixes finds those of many prefixes (or suffixes) that a text has. They are
// sorted, and each knows the longest other one that is an affix of it: so the
// nearest in order leads to all, and the search is logarithmic in their number.
type affixes struct {
	texts  []string
	parent []int32
	nodes  []*branch
	// reversed: they are suffixes, sorted from the end.
	reversed bool
}

func newAffixes(byText map[string]*branch, reversed bool) *affixes {
	if len(byText) == 0 {
		return nil
	}
	a := &affixes{reversed: reversed}
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
	return a
}

// find is the place of the longest affix of s, from which parent leads to the
// others; -1: none.
func (a *affixes) find(s string) int32 {
	if a == nil {
		return -1
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

// matching appends the branches of all affixes that s has.
func (a *affixes) matching(s string, out []*branch) []*branch {
	for i := a.find(s); i >= 0; i = a.parent[i] {
		out = append(out, a.nodes[i])
	}
	return out
}

// all are the branches of every affix.
func (a *affixes) all() []*branch {
	if a == nil {
		return nil
	}
	return a.nodes
}

func (a *affixes) has(s, affix string) bool {
	if a.reversed {
		return strings.HasSuffix(s, affix)
	}
	return strings.HasPrefix(s, affix)
}

func (a *affixes) compare(x, y string) int {
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
