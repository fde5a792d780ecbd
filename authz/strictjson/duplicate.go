package strictjson

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// few is up to how many names every pair is compared.
const few = 8

// slot is one place of the table of names: its hash, and its node's index
// (never 0: that is the document's root).
type slot struct {
	hash, node uint32
}

// duplicate returns the node of a name that the object of node at, of n
// members, already had; or -1.
func (d *Doc) duplicate(at, n int) int {
	switch {
	case n < 2:
		return -1
	case n <= few && d.nodes[at].info&flagEscape == 0:
		return d.duplicateOfFew(at, n)
	}
	return d.duplicateOfMany(at, n)
}

// duplicateOfFew compares names as they came, so none may have escapes.
func (d *Doc) duplicateOfFew(at, n int) int {
	var names [few][]byte
	k := at + 1
	for i := range n {
		x := d.nodes[k]
		name := d.b[x.start:x.end]
		for _, have := range names[:i] {
			if bytes.Equal(have, name) {
				return k
			}
		}
		names[i] = name
		k = int(d.nodes[k+1].next)
	}
	return -1
}

// duplicateOfMany puts names into a hash table under a key of this Doc's own,
// so that no one can make them collide.
func (d *Doc) duplicateOfMany(at, n int) int {
	if d.seed == (maphash.Seed{}) {
		d.seed = maphash.MakeSeed()
	}
	size := 1 << bits.Len(uint(2*n))
	if cap(d.table) < size {
		d.table = make([]slot, size)
	}
	d.table = d.table[:size]
	clear(d.table)
	for k := at + 1; k < len(d.nodes); k = int(d.nodes[k+1].next) {
		if d.insert(k) {
			return k
		}
	}
	return -1
}

// insert reports whether the table had the name of node k.
func (d *Doc) insert(k int) bool {
	name := d.name(k)
	h := uint32(maphash.Bytes(d.seed, name))
	mask := uint32(len(d.table) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := &d.table[i]
		if s.node == 0 {
			*s = slot{hash: h, node: uint32(k)}
			return false
		}
		if s.hash == h && d.nameIs(int(s.node), string(name)) {
			return true
		}
	}
}

// name is the name of node k, unescaped; valid until the next call.
func (d *Doc) name(k int) []byte {
	x := d.nodes[k]
	raw := d.b[x.start+1 : x.end-1]
	if x.info&flagEscape == 0 {
		return raw
	}
	d.text = appendUnescaped(d.text[:0], raw)
	return d.text
}

// nameIs reports whether the name of node k is s. It changes nothing.
func (d *Doc) nameIs(k int, s string) bool {
	x := d.nodes[k]
	raw := d.b[x.start+1 : x.end-1]
	if x.info&flagEscape == 0 {
		return string(raw) == s
	}
	return unescapesTo(raw, s)
}
