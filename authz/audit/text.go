package audit

import (
	"math"
	"unicode"
	"unicode/utf8"
)

const (
	ellipsis = "…"
	hexDigit = "0123456789abcdef"
	// maxMarks is how many combining marks may stand on one character: enough
	// for any script, too few to cover the lines above and below.
	maxMarks = 3
)

// form is how text is written.
type form int

const (
	// formJSON is the inside of a JSON string; limits are bytes.
	formJSON form = iota
	// formShow is for a terminal, inside quotes; limits are columns.
	formShow
)

// Quote returns s in double quotes, fit for a terminal or a log: one line,
// with everything visible that could move the cursor, hide or reorder text.
func Quote(s string) string {
	b := append(make([]byte, 0, len(s)+2), '"')
	b, _ = formShow.append(b, s, 0) // without a limit nothing is cut
	return string(append(b, '"'))
}

// Display returns s as it is when it is one word of ASCII, and quoted
// otherwise: whatever stands outside quotes cannot deceive. It takes at most
// columns columns (at least 3), ending in an ellipsis when it was longer;
// 0: no limit.
func Display(s string, columns int) string {
	if word(s) {
		return clip(s, columns)
	}
	inside := columns
	if columns > 0 {
		inside = max(columns-2, 1)
	}
	b, _ := formShow.append([]byte{'"'}, s, inside) // that it is cut is shown in it
	return string(append(b, '"'))
}

func word(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// clip shortens text that is already fit to be shown.
func clip(s string, columns int) string {
	if columns <= 0 || width(s) <= columns {
		return s
	}
	used := 1
	for i, r := range s {
		if used += runeWidth(r); used > columns {
			return s[:i] + ellipsis
		}
	}
	return s
}

// appendText appends s as the inside of a JSON string, at most limit bytes of
// it, and reports whether it was cut.
func appendText(dst []byte, s string, limit int) ([]byte, bool) {
	if len(s) <= limit && plain(s) {
		return append(dst, s...), false
	}
	return formJSON.append(dst, s, limit)
}

// plain reports whether s needs no escaping; the hot path's common case.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// append writes s until limit is used up; an ellipsis is part of the limit.
func (f form) append(dst []byte, s string, limit int) (out []byte, cut bool) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	used, fit, marks := 0, len(dst), maxMarks
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		at := len(dst)
		dst, marks = f.appendRune(dst, s[i:i+size], r, marks)
		if used += f.cost(dst[at:]); used > limit {
			return append(dst[:fit], ellipsis...), true
		}
		if used <= limit-f.cost([]byte(ellipsis)) {
			fit = len(dst)
		}
		i += size
	}
	return dst, false
}

func (f form) cost(b []byte) int {
	if f == formJSON {
		return len(b)
	}
	n := 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		n += runeWidth(r)
		b = b[size:]
	}
	return n
}

// appendRune writes one rune, raw being its bytes. marks counts the combining
// marks since the last character that can carry one.
func (f form) appendRune(dst []byte, raw string, r rune, marks int) ([]byte, int) {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return f.appendByte(dst, raw[0]), maxMarks
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r)), maxMarks
	case !shown(r):
		return f.appendEscape(dst, r), maxMarks
	case !combining(r):
		return append(dst, raw...), 0
	case marks >= maxMarks:
		return f.appendEscape(dst, r), maxMarks
	}
	return append(dst, raw...), marks + 1
}

// appendByte shows a byte that is not UTF-8. JSON has no word for it, so that
// there the value holds the text of an escape.
func (f form) appendByte(dst []byte, c byte) []byte {
	if f == formJSON {
		dst = append(dst, '\\')
	}
	return append(dst, '\\', 'x', hexDigit[c>>4], hexDigit[c&15])
}

func (f form) appendEscape(dst []byte, r rune) []byte {
	switch {
	case r == '\n':
		return append(dst, '\\', 'n')
	case r == '\r':
		return append(dst, '\\', 'r')
	case r == '\t':
		return append(dst, '\\', 't')
	case r <= 0xffff:
		return appendHex(append(dst, '\\', 'u'), uint32(r), 4)
	case f == formShow:
		return appendHex(append(dst, '\\', 'U'), uint32(r), 8)
	}
	// Beyond the first plane JSON has pairs only (RFC 8259 section 7).
	r -= 0x10000
	dst = appendHex(append(dst, '\\', 'u'), uint32(0xd800+r>>10), 4)
	return appendHex(append(dst, '\\', 'u'), uint32(0xdc00+r&0x3ff), 4)
}

func appendHex(dst []byte, v uint32, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, hexDigit[v>>(4*i)&15])
	}
	return dst
}

// shown reports whether r may stand in a line as itself. Letters written from
// right to left may not: they reorder the digits and signs beside them.
func shown(r rune) bool {
	if r < 0x7f {
		return r >= 0x20
	}
	return unicode.IsPrint(r) && !invisible(r) && !rightToLeft(r)
}

// invisible holds what Unicode calls printable and nobody can see: fillers,
// variation selectors, the empty braille cell.
func invisible(r rune) bool {
	return r == 0x2800 || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// rightToLeft holds the blocks of scripts with bidirectional class R or AL
// (Unicode Standard Annex 9, DerivedBidiClass defaults).
func rightToLeft(r rune) bool {
	switch {
	case r < 0x590:
		return false
	case r <= 0x8ff, 0xfb1d <= r && r <= 0xfdff, 0xfe70 <= r && r <= 0xfeff:
		return true
	}
	return 0x10800 <= r && r <= 0x10fff || 0x1e800 <= r && r <= 0x1efff
}

func combining(r rune) bool {
	return r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Me)
}
