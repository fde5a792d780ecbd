package nameserver

import (
	"math"
	"strings"
)

// open is what a glob leaves open of a name that it matches: what stands
// between its first star and its last.
func open(glob, name string) string {
	first, last := strings.IndexByte(glob, '*'), strings.LastIndexByte(glob, '*')
	if first < 0 || len(name) < first+len(glob)-last-1 {
		return ""
	}
	return name[first : len(name)-(len(glob)-last-1)]
}

// entropy is Shannon's, in bits for each byte of s: of words between 2 and 4,
// of base32 nearly 5.
func entropy(s string) float64 {
	var counts [256]int
	for i := range len(s) {
		counts[s[i]]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(s))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
