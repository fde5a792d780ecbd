package surface

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// Resembles reports whether some reader could take a member called name for
// the one called known: they are equal but for case (by Unicode's simple
// folding, as encoding/json compares) and for all that is neither letter nor
// digit (the signs that encoding/json/v2 and binders of other languages pass
// over, and a NUL that ends a C string early). Equal names resemble too.
func Resembles(name, known string) bool {
	for {
		a, rest := nextLetter(name)
		b, restKnown := nextLetter(known)
		if a == b && a == 0 {
			return true
		}
		if a != b && (a == 0 || b == 0 || Fold(a) != Fold(b)) {
			return false
		}
		name, known = rest, restKnown
	}
}

// nextLetter is the first letter or digit of s and what follows it; 0: none.
func nextLetter(s string) (rune, string) {
	for s != "" {
		r, n := rune(s[0]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s)
		}
		s = s[n:]
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r, s
		}
	}
	return 0, ""
}

// Fold is the one rune that stands for r and all that are equal to it but for
// case, by simple folding, as strings.EqualFold compares.
func Fold(r rune) rune {
	if r >= utf8.RuneSelf {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		r = least
	}
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

// Variant reports whether name is another spelling of one of known, and none
// of them.
func Variant(name string, known ...string) bool {
	return !slices.Contains(known, name) &&
		slices.ContainsFunc(known, func(k string) bool { return Resembles(name, k) })
}

const (
	// MaxMembers is more members than any object has that is looked at for its
	// names.
	MaxMembers = 1024
	// maxMemberName is longer than any name that decides, with signs in it.
	maxMemberName = 256
)

// ExactNames refuses an object with a member that some reader could take for
// one of deciding. It bounds the work too: a name of a kilobyte of signs is no
// name, and an object of thousands of members is none that decides.
func ExactNames(object strictjson.Value, deciding ...string) error {
	if object.Len() > MaxMembers {
		return RefuseAt(ReasonMembers, object)
	}
	for name, v := range object.Members() {
		if len(name) > maxMemberName || Variant(name, deciding...) {
			return RefuseAt(ReasonCaseVariant, v)
		}
	}
	return nil
}

// CleanName reports whether s can name a thing: it is not empty, no space
// begins or ends it, and it holds no control character. A name that a server
// would cut or trim is another name than the one that was judged.
func CleanName(s string) bool {
	if s == "" || strings.TrimSpace(s) != s {
		return false
	}
	return !strings.ContainsFunc(s, unicode.IsControl)
}
