// Package testproto changes messages as an attacker would who owned their
// bytes, so that who reads them field by field can be held against who reads
// them whole.
package testproto

import (
	"bytes"
	"math/rand/v2"
)

// Mutate is b changed at random: bits, bytes, pieces cut, doubled, and joined to
// those of another message. Neither of the two is touched.
func Mutate(r *rand.Rand, b, other []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + r.IntN(3) {
		if len(b) == 0 {
			return bytes.Clone(other)
		}
		i := r.IntN(len(b))
		j := i + r.IntN(len(b)-i)
		switch r.IntN(8) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b[i] = byte(r.Uint32())
		case 2:
			b = append(b[:i], b[j:]...)
		case 3:
			b = append(b[:j:j], b[i:]...)
		case 4:
			b = b[:i]
		case 5: // one message behind the other is both, merged
			b = append(b, other...)
		case 6:
			b = append(append(bytes.Clone(b[:i]), byte(r.Uint32())), b[i:]...)
		case 7: // another type for a field of the same number
			b[i] = b[i]&^7 | byte(r.IntN(6))
		}
	}
	return b
}
