package policy

import (
	"net/netip"
	"slices"
)

// posting is one entry of one rule, by their places.
type posting struct{ rule, entry int32 }

// dimension is what a branch divides its postings by.
type dimension uint8

const (
	byNothing dimension = iota
	byName
	byHost
	byPath
	byAgent
	bySubject
	byPeer
)

type keyKind uint8

const (
	// keyRest: by this dimension it cannot be found.
	keyRest keyKind = iota
	keyExact
	// keyGlob is keyPrefix or keySuffix, whichever tells more apart.
	keyGlob
	keyPrefix
	keySuffix
	keyNet
)

// key is where a posting is put in a branch.
type key struct {
	kind       keyKind
	text, tail string
	net        netip.Prefix
}

// branch is a tree over postings. It leaves out only postings that cannot
// match: what it returns is still to be judged.
type branch struct {
	// list is used when by is byNothing.
	list []posting
	by   dimension

	exact    map[string]*branch
	prefixes *affixes[*branch]
	suffixes *affixes[*branch]
	nets     map[netip.Prefix]*branch
	bits     []int
	rest     *branch
}

const (
	// leafSize is how many postings are looked at without dividing them.
	leafSize = 8
	// fanFirst and fan are how often one posting may be put in one branch, in
	// the outermost and in others; one with more alternatives is in rest.
	fanFirst, fan = 256, 16
)

// keyer tells the keys of a posting; none, or a keyRest among them: rest.
type keyer func(d dimension, p posting, dst []key) []key

func grow(ps []posting, dims []dimension, limit int, keys keyer) *branch {
	if len(ps) == 0 {
		return nil
	}
	if len(dims) == 0 || len(ps) <= leafSize {
		return &branch{list: ps}
	}
	groups, rest := divide(ps, dims[0], limit, keys)
	if len(groups) == 0 {
		return grow(ps, dims[1:], limit, keys)
	}
	b := &branch{by: dims[0], rest: grow(rest, dims[1:], fan, keys)}
	b.attach(groups, func(ps []posting) *branch { return grow(ps, dims[1:], fan, keys) })
	return b
}

func divide(ps []posting, d dimension, limit int, keys keyer) (groups map[key][]posting, rest []posting) {
	groups = map[key][]posting{}
	common := commonEnds(ps, d, keys)
	var buf []key
	for _, p := range ps {
		buf = keys(d, p, buf[:0])
		if len(buf) == 0 || len(buf) > limit || slices.ContainsFunc(buf, func(k key) bool { return k.kind == keyRest }) {
			rest = append(rest, p)
			continue
		}
		for _, k := range buf {
			k = common.end(k)
			groups[k] = append(groups[k], p)
		}
	}
	return groups, rest
}

// ends counts how many globs begin and end with a text.
type ends struct{ heads, tails map[string]int }

func commonEnds(ps []posting, d dimension, keys keyer) ends {
	e := ends{map[string]int{}, map[string]int{}}
	var buf []key
	for _, p := range ps {
		buf = keys(d, p, buf[:0])
		for _, k := range buf {
			if k.kind == keyGlob {
				e.heads[k.text]++
				e.tails[k.tail]++
			}
		}
	}
	return e
}

// end chooses the end that fewer globs share.
func (e ends) end(k key) key {
	switch {
	case k.kind != keyGlob:
		return k
	case k.text == "" || k.tail != "" && e.tails[k.tail] < e.heads[k.text]:
		return key{kind: keySuffix, text: k.tail}
	}
	return key{kind: keyPrefix, text: k.text}
}

func (b *branch) attach(groups map[key][]posting, child func([]posting) *branch) {
	prefixes, suffixes := map[string]*branch{}, map[string]*branch{}
	b.exact = map[string]*branch{}
	for k, ps := range groups {
		switch k.kind {
		case keyExact:
			b.exact[k.text] = child(ps)
		case keyPrefix:
			prefixes[k.text] = child(ps)
		case keySuffix:
			suffixes[k.text] = child(ps)
		case keyNet:
			b.addNet(k.net, child(ps))
		}
	}
	b.prefixes, b.suffixes = newAffixes(prefixes, false), newAffixes(suffixes, true)
}

func (b *branch) addNet(p netip.Prefix, child *branch) {
	if b.nets == nil {
		b.nets = map[netip.Prefix]*branch{}
	}
	b.nets[p] = child
	if !slices.Contains(b.bits, p.Bits()) {
		b.bits = append(b.bits, p.Bits())
	}
}

// collect appends the postings that may match q.
func (b *branch) collect(q *Question, out []posting) []posting {
	if b == nil {
		return out
	}
	if b.by == byNothing {
		return append(out, b.list...)
	}
	var buf [8]*branch
	for _, c := range b.matching(q, buf[:0]) {
		out = c.collect(q, out)
	}
	return out
}

// matching appends the branches in b that may hold a match.
func (b *branch) matching(q *Question, out []*branch) []*branch {
	if b.rest != nil {
		out = append(out, b.rest)
	}
	v, ok := q.value(b.by)
	if !ok {
		return out
	}
	if c := b.exact[v]; c != nil {
		out = append(out, c)
	}
	out = b.prefixes.matching(v, out)
	out = b.suffixes.matching(v, out)
	if b.nets != nil {
		out = b.ranges(v, out)
	}
	return out
}

func (b *branch) ranges(host string, out []*branch) []*branch {
	a, ok := hostAddr(host)
	if !ok {
		return out
	}
	for _, n := range b.bits {
		if p, err := a.Prefix(n); err == nil && b.nets[p] != nil {
			out = append(out, b.nets[p])
		}
	}
	return out
}

// value is what q says in one dimension; false: nothing.
func (q *Question) value(d dimension) (string, bool) {
	switch d {
	case byName:
		return q.Action.Name, q.Action.Name != ""
	case byHost:
		return q.Action.Host, q.Action.Host != ""
	case byPath:
		return q.Action.Path, q.Action.Path != ""
	case byAgent:
		return q.agent()
	case bySubject:
		return q.subject()
	case byPeer:
		return q.Peer, q.Peer != ""
	}
	return "", false
}
