package strictjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped appends the text of raw, the inside of a valid string.
func appendUnescaped(dst, raw []byte) []byte {
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		r, n := unescape(raw[i:])
		dst = utf8.AppendRune(dst, r)
		raw = raw[i+n:]
	}
	return dst
}

// unescapesTo reports whether the text of raw, the inside of a valid string,
// is s.
func unescapesTo(raw []byte, s string) bool {
	for len(raw) > 0 {
		var r rune
		var n int
		if raw[0] == '\\' {
			r, n = unescape(raw)
		} else {
			r, n = utf8.DecodeRune(raw)
		}
		have, size := utf8.DecodeRuneInString(s)
		if size == 0 || have != r || (r == utf8.RuneError && size == 1) {
			return false
		}
		raw, s = raw[n:], s[size:]
	}
	return s == ""
}

// unescape reads the valid escape that raw begins with, and its length.
func unescape(raw []byte) (rune, int) {
	switch raw[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		hi, _ := hex4(raw)
		if !utf16.IsSurrogate(hi) {
			return hi, 6
		}
		lo, _ := hex4(raw[6:])
		return utf16.DecodeRune(hi, lo), 12
	}
	return rune(raw[1]), 2
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Control characters and the line
// separators U+2028 and U+2029 are escaped; what is not UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20 || 0x7F <= r && r < 0xA0 || r == 0x2028 || r == 0x2029:
			dst = appendHex(dst, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

func appendHex(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u',
		hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
