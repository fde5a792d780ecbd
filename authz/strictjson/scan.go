package strictjson

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops marks, with the high bit of its byte, the first byte of w (the lowest)
// that is a quote, a backslash or a control character. Bytes above the first
// may be marked wrongly.
func stops(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
}

// run returns the index of the first quote, backslash or control character at
// or behind i, or len(b); and whether a byte outside ASCII may lie before it.
func run(b []byte, i int) (int, bool) {
	var seen uint64
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if s := stops(w); s != 0 {
			n := bits.TrailingZeros64(s) / 8
			seen |= w & (1<<(8*n) - 1)
			return i + n, seen&highs != 0
		}
		seen |= w
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c == '"' || c == '\\' || c < 0x20 {
			break
		}
		seen |= uint64(c)
	}
	return i, seen&highs != 0
}

// scanString reads the string whose opening quote is at i. It returns the
// index behind the closing quote, or with a reason the place of the fault.
func scanString(b []byte, i int) (end int, escaped bool, why Reason) {
	start, wide := i, false
	for i++; ; {
		j, w := run(b, i)
		wide = wide || w
		switch {
		case j >= len(b):
			return len(b), false, ReasonTruncated
		case b[j] == '"':
			if wide && !utf8.Valid(b[start:j]) {
				return start + badUTF8(b[start:j]), false, ReasonUTF8
			}
			return j + 1, escaped, ""
		case b[j] != '\\':
			return j, false, ReasonControl
		}
		n, r := scanEscape(b[j:])
		switch r {
		case "":
			i, escaped = j+n, true
		case ReasonTruncated:
			return len(b), false, r
		default:
			return j + n, false, r
		}
	}
}

// badUTF8 is the index of the first byte of b that is not valid UTF-8.
func badUTF8(b []byte) int {
	i := 0
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		i += n
	}
	return i
}

// scanEscape returns the length of the escape that b begins with, or with a
// reason the place of the fault within it.
func scanEscape(b []byte) (int, Reason) {
	if len(b) < 2 {
		return 0, ReasonTruncated
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, ""
	case 'u':
		return scanUnicode(b)
	}
	return 1, ReasonSyntax
}

// scanUnicode does the same for an escape by number, or a surrogate pair of
// two.
func scanUnicode(b []byte) (int, Reason) {
	hi, n := hex4(b)
	if n < 6 {
		return n, shortOr(b, n, ReasonSyntax)
	}
	if !utf16.IsSurrogate(hi) {
		return 6, ""
	}
	lo, n := hex4(b[6:])
	if n < 6 {
		return 0, shortOr(b, 6+n, ReasonSurrogate)
	}
	if utf16.DecodeRune(hi, lo) == utf8.RuneError {
		return 0, ReasonSurrogate
	}
	return 12, ""
}

// shortOr is ReasonTruncated if b ends before n, else why.
func shortOr(b []byte, n int, why Reason) Reason {
	if n >= len(b) {
		return ReasonTruncated
	}
	return why
}

// hex4 reads an escape by number; the length is less than 6 where b is not
// that, and says how far it was.
func hex4(b []byte) (rune, int) {
	var r rune
	for i := range 6 {
		if i >= len(b) {
			return 0, i
		}
		switch c := b[i]; {
		case i == 0 && c == '\\', i == 1 && c == 'u':
		case i >= 2 && '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case i >= 2 && 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, i
		}
	}
	return r, 6
}

// maxNumber is the longest number that is read, in bytes: more digits than
// anyone means, and few enough that only an exponent can leave a float64.
const maxNumber = 128

// scanNumber returns the index behind the number at i (RFC 8259 section 6), or
// with a reason the place of the fault.
func scanNumber(b []byte, i int) (int, Reason) {
	end, ok := scanInteger(b, i)
	if ok && end < len(b) && b[end] == '.' {
		end, ok = atLeastOne(b, end+1)
	}
	exp := end
	if ok && end < len(b) && b[end]|0x20 == 'e' {
		end, ok = scanExponent(b, end+1)
	}
	switch {
	case !ok:
		return end, ReasonSyntax
	case end-i > maxNumber || end-exp > 3 && !finite(b[i:end]):
		return i, ReasonNumber
	}
	return end, ""
}

// scanInteger passes over a sign and digits without a leading zero.
func scanInteger(b []byte, i int) (int, bool) {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		return i + 1, true
	}
	return atLeastOne(b, i)
}

func scanExponent(b []byte, i int) (int, bool) {
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		i++
	}
	return atLeastOne(b, i)
}

// atLeastOne passes over digits; false where there is none.
func atLeastOne(b []byte, i int) (int, bool) {
	end := digits(b, i)
	return end, end > i
}

func digits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

func finite(b []byte) bool {
	_, err := strconv.ParseFloat(string(b), 64)
	return err == nil
}
