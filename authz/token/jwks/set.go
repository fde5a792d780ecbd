package jwks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// Bounds of a set.
const (
	// MaxBytes is the largest document.
	MaxBytes = 512 << 10
	// MaxKeys is how many keys it may list, used or not.
	MaxKeys  = 100
	maxDepth = 16
	maxNodes = 1 << 15
)

// Set is the keys of one JWK Set that can be used here. It never changes.
type Set struct {
	keys []*Key // sorted by ID
	// problems say, in the order of the document, which keys are not used.
	problems []string
}

// Parse reads a JWK Set (RFC 7517 section 5). A key that cannot be used, for
// whatever reason, is left out and noted; it never takes the others with it.
// An error means that there is no set to read at all. A set without keys is
// one: its issuer has withdrawn them.
//
// A kid that two different keys have names neither: what a token means must
// not hang on an order. A key whose private half is in the set, under whatever
// kid, is not used: who reads the set could sign.
func Parse(raw []byte) (*Set, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("read key set: more than %d bytes", MaxBytes)
	}
	var doc strictjson.Doc
	if err := doc.Parse(raw, strictjson.Limits{Depth: maxDepth, Nodes: maxNodes}); err != nil {
		return nil, fmt.Errorf("read key set: %w", err)
	}
	list, _ := doc.Root().Member("keys")
	if list.Kind() != strictjson.Array {
		return nil, errors.New("read key set: it is not an object with an array keys")
	}
	if list.Len() > MaxKeys {
		return nil, fmt.Errorf("read key set: more than %d keys", MaxKeys)
	}
	b := builder{reader: newReader(), poison: map[string]bool{}}
	for v := range list.Elems() {
		b.add(v)
	}
	return b.set(), nil
}

// builder collects the keys of a set.
type builder struct {
	reader *reader
	n      int
	out    Set
	// poison are kids that name no key.
	poison map[string]bool
	// leaked are public keys whose private half is in the set.
	leaked []publicKey
}

func (b *builder) add(v strictjson.Value) {
	b.n++
	k, err := b.reader.key(v)
	if err != nil {
		b.problem(b.n, err)
		if errors.Is(err, errPrivate) {
			id, _ := keyID(v)
			b.poison[id] = true
			if public, err := b.reader.public(v); err == nil {
				b.leaked = append(b.leaked, public)
			}
		}
		return
	}
	for _, have := range b.out.keys {
		if have.same(k) {
			return
		}
		if have.ID == k.ID {
			b.poison[k.ID] = true
			b.problem(b.n, errKeyID)
		}
	}
	b.out.keys = append(b.out.keys, k)
}

var errKeyID = errors.New("another key has its kid, or has none either: neither is used")

func (b *builder) problem(n int, err error) {
	b.out.problems = append(b.out.problems, fmt.Sprintf("key %d is not used: %v", n, err))
}

func (b *builder) set() *Set {
	b.out.keys = slices.DeleteFunc(b.out.keys, func(k *Key) bool {
		return b.poison[k.ID] || slices.ContainsFunc(b.leaked, func(p publicKey) bool { return p.Equal(k.public) })
	})
	slices.SortStableFunc(b.out.keys, func(a, c *Key) int { return strings.Compare(a.ID, c.ID) })
	return &b.out
}

// Find is the key of that kid, by exact comparison. An empty kid means the
// only key of the set, where it has exactly one that can be used. Nil: there
// is none.
func (s *Set) Find(kid string) *Key {
	if kid == "" {
		if len(s.keys) == 1 {
			return s.keys[0]
		}
		return nil
	}
	i, ok := slices.BinarySearchFunc(s.keys, kid, func(k *Key, id string) int { return strings.Compare(k.ID, id) })
	if !ok {
		return nil
	}
	return s.keys[i]
}

// IDs are the kids, sorted; empty for a key without.
func (s *Set) IDs() []string {
	ids := make([]string, len(s.keys))
	for i, k := range s.keys {
		ids[i] = k.ID
	}
	return ids
}

// Problems say which keys are not used and why. They hold nothing of a key.
func (s *Set) Problems() []string { return s.problems }

// keeps reports whether all that verified with old verifies with s: no key is
// gone or another.
func (s *Set) keeps(old *Set) bool {
	for _, k := range old.keys {
		if !slices.ContainsFunc(s.keys, k.same) {
			return false
		}
	}
	// The empty kid names another key, or none, when the number changes.
	return len(old.keys) != 1 || len(s.keys) == 1
}
