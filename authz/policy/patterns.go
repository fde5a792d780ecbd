package policy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/policy/glob"
)

// patterns are alternatives of one selector. A nil *patterns selects anything,
// also what is empty or not known.
type patterns struct {
	exact []string // sorted
	globs []glob.Glob
	nets  []netip.Prefix
	text  []string // as written
}

const (
	segments = '/'
	labels   = '.'
)

// newPatterns compiles list; bad is told which are wrong.
func newPatterns(list []string, bad func(i int, err error)) *patterns {
	p := &patterns{text: list}
	for i, text := range list {
		g, err := glob.Compile(text, segments)
		switch {
		case err != nil:
			bad(i, err)
		case g.Exact():
			p.exact = append(p.exact, text)
		default:
			p.globs = append(p.globs, g)
		}
	}
	slices.Sort(p.exact)
	return p
}

// match reports whether one of p matches s. Nothing matches the empty string.
func (p *patterns) match(s string) bool {
	if p == nil {
		return true
	}
	if s == "" {
		return false
	}
	if contains(p.exact, s) {
		return true
	}
	for i := range p.globs {
		if p.globs[i].Match(s) {
			return true
		}
	}
	return len(p.nets) > 0 && p.matchAddr(s)
}

// few is up to how many strings looking at each is quicker than searching.
const few = 8

// contains reports whether s is in sorted.
func contains(sorted []string, s string) bool {
	if len(sorted) <= few {
		return slices.Contains(sorted, s)
	}
	_, ok := slices.BinarySearch(sorted, s)
	return ok
}

// keys are what p is indexed by; none: it cannot be.
func (p *patterns) keys(dst []key) []key {
	if p == nil {
		return dst
	}
	for _, s := range p.exact {
		dst = append(dst, key{kind: keyExact, text: s})
	}
	for i := range p.globs {
		dst = append(dst, globKey(&p.globs[i]))
	}
	for _, n := range p.nets {
		dst = append(dst, key{kind: keyNet, net: n})
	}
	return dst
}

// globKey leaves it to the index by which end a glob is found.
func globKey(g *glob.Glob) key {
	if g.Head() == "" && g.Tail() == "" {
		return key{kind: keyRest}
	}
	return key{kind: keyGlob, text: g.Head(), tail: g.Tail()}
}

// String is the alternatives as they were written.
func (p *patterns) String() string {
	if p == nil {
		return "anything"
	}
	return strings.Join(p.text, ", ")
}
