package audit

import (
	"encoding/json"
	"unicode/utf8"
)

// appendJSON appends a JSON text so that it is safe to show: white space gone,
// inside strings the same rule as for all other text. It reports false, with
// dst as it was, when raw is not JSON.
func appendJSON(dst, raw []byte) ([]byte, bool) {
	if !json.Valid(raw) {
		return dst, false
	}
	if dense(raw) {
		return append(dst, raw...), true
	}
	quoted, marks := false, maxMarks
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case quoted && c == '\\':
			dst = append(dst, c, raw[i+1])
			i++
			marks = maxMarks
		case c == '"':
			quoted = !quoted
			dst = append(dst, c)
			marks = maxMarks
		case quoted:
			r, size := utf8.DecodeRune(raw[i:])
			dst, marks = formJSON.appendRune(dst, string(raw[i:i+size]), r, marks)
			i += size
			continue
		case c > ' ':
			dst = append(dst, c)
		}
		i++
	}
	return dst, true
}

// dense reports whether raw has nothing to take out or to escape; the hot
// path's common case.
func dense(raw []byte) bool {
	for _, c := range raw {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
