package surface

import (
	"strings"
	"unicode/utf8"
)

// maxQuery is the longest query that is judged: a rule's parameter is looked
// for from its beginning to its end.
const maxQuery = 8 << 10

// maxParameters is how many parts of a query every server looks at: frameworks
// pass over what comes behind so many, the least of which say 1000.
const maxParameters = 512

// ParameterWord is what a query, without its question mark, says in one
// parameter. Servers do not agree on how a query is read (WHATWG URL section
// 5.1, RFC 3986 section 3.4, and each framework its own way): what one of them
// could take for another value, or for another parameter of this name, is in
// doubt. name is of letters, digits and the signs -._~$.
func ParameterWord(query, name string) Word {
	if len(query) > maxQuery || strings.Count(query, "&") >= maxParameters {
		return Word{Doubt: DoubtLong}
	}
	if query == "" {
		return Word{Doubt: DoubtMissing}
	}
	if !plainQuery(query) {
		return Word{Doubt: DoubtForm}
	}
	found, n := "", 0
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		switch {
		case key == name:
			found = value
			n++
		case mayBe(key, name):
			return Word{Doubt: DoubtTwice}
		}
	}
	switch {
	case n > 1:
		return Word{Doubt: DoubtTwice}
	case found == "":
		return Word{Doubt: DoubtMissing}
	}
	return valueWord(found)
}

// plainQuery refuses what is no query, and the second separator that some
// servers know (HTML 4 appendix B.2.2).
func plainQuery(q string) bool {
	for i := range len(q) {
		if c := q[i]; c <= ' ' || c > '~' || c == ';' || c == '#' {
			return false
		}
	}
	return true
}

// mayBe reports whether some reader could take a parameter of this key for the
// one called name: by decoding it once or again, by another case, by dropping
// signs, or as a member of it.
func mayBe(key, name string) bool {
	for range 3 {
		if !utf8.ValidString(key) || Resembles(key, name) || Resembles(beforeMember(key), name) {
			return true
		}
		next, whole := unescape(key)
		if !whole {
			return true // what stands in for an escape that is none differs
		}
		if next == key {
			return false
		}
		key = next
	}
	return true
}

// beforeMember is the name that a key is a member of, for those who read
// name[x] or name.x so, and what of it stands before a NUL, for those who end
// a text there.
func beforeMember(key string) string {
	if i := strings.IndexAny(key, "[.\x00"); i > 0 {
		return key[:i]
	}
	return key
}

// valueWord decodes a value, once.
func valueWord(v string) Word {
	doubt := Word{Doubt: DoubtForm}
	if strings.ContainsAny(v, `+"<>\^{}|`+"`") {
		return doubt // a plus is a space for some; the others belong encoded
	}
	if needless(v) {
		return doubt
	}
	text, ok := unescape(v)
	if !ok || !utf8.ValidString(text) || strings.ContainsAny(text, "%&;#") {
		return doubt // whoever decodes it again sees another one
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			return doubt
		}
	}
	return Word{Text: text}
}

// needless reports whether v encodes what nobody needs to encode (RFC 3986
// section 2.3).
func needless(v string) bool {
	for i := 0; i+2 < len(v); i++ {
		if c, ok := escaped(v[i:]); ok && unreserved(c) {
			return true
		}
	}
	return false
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// unescape decodes each escape once; false: one of them is none.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		c, ok := escaped(s[i:])
		if !ok {
			return "", false
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), true
}

// escaped is the byte that s begins with an escape of.
func escaped(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	hi, ok := hexDigit(s[1])
	lo, ok2 := hexDigit(s[2])
	return hi<<4 | lo, ok && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// MethodParameter is the method that a query asks for in place of the
// request's own, by a parameter such as _method; said is false where it does
// not.
func MethodParameter(query string) (method string, said bool) {
	n := 0
	for part := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' || r == '?' }) {
		key, value, _ := strings.Cut(part, "=")
		if plain, _ := unescape(key); namesMethod(plain) {
			method = value
			n++
		}
	}
	if n > 1 {
		return "", true
	}
	return method, n == 1
}

// namesMethod reports whether some server takes another method from a parameter
// of this name: _method, and _HttpMethod or $httpMethod, with what else stands
// for the sign before it (a dot and a space for PHP, a bracket for others). One
// called method is anybody's own.
func namesMethod(key string) bool {
	if key == "" || 'a' <= key[0]|0x20 && key[0]|0x20 <= 'z' {
		return false
	}
	key, _, _ = strings.Cut(key, "\x00")
	return Resembles(key, "method") || Resembles(key, "httpmethod")
}
