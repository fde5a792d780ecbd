package check

import "strings"

// spelling is a path with its query in the one spelling of all that servers
// take for the same (RFC 3986 sections 3.4 and 6.2.2): escapes in upper case,
// and none of a character that can stand for itself there. Clients write them
// either way. What separates something to some servers, + & = ; is spelled as it
// was: %2B is another byte than + to who reads a form.
func spelling(path, query string) string {
	var b strings.Builder
	b.Grow(len(path) + 1 + len(query))
	spell(&b, path, "-._~!$'()*,:@", "/+&=;")
	b.WriteByte('?')
	spell(&b, query, "-._~!$'()*,:@/?", "+&=;")
	return b.String()
}

// spell writes s, of which letters, digits and signs are the same as their
// escapes, and separators are not.
func spell(b *strings.Builder, s, signs, separators string) {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c, escaped := s[i], false
		if c == '%' && i+2 < len(s) {
			if high, low := nibble(s[i+1]), nibble(s[i+2]); high < 16 && low < 16 {
				c, escaped, i = high<<4|low, true, i+2
			}
		}
		if alphanumeric(c) || strings.IndexByte(signs, c) >= 0 || !escaped && strings.IndexByte(separators, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// nibble is the value of a hexadecimal digit; 16: it is none.
func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}
