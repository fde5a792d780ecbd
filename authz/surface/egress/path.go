package egress

import (
	"strings"
	"unicode/utf8"
)

const maxPath = 4096

// CanonicalPath reads the path and query of a request as Envoy hands it on,
// and gives the path that rules compare, without its query.
//
// What a server could understand in two ways is refused: encoded delimiters,
// dot segments, doubly encoded bytes, parameters behind a semicolon, empty
// segments (one slash at the end is none), bytes outside RFC 3986 section 3.3.
// What remains is compared decoded as every server decodes it: percent
// encoding of a character that needs none is undone, other encoding is written
// in upper case (RFC 3986 section 6.2.2). So /a%2Bb and /a+b are one path to a
// rule, which no spelling gets past. The query is data: it is only held to be
// bytes that a request line can have. The error is a *Refusal.
func CanonicalPath(target string) (string, error) { return readPath(target, `/\?#`) }

// KeptPath is CanonicalPath, but that encoded slashes are kept: each stays a
// part of its segment, and is written %2F. Some server undoes them all the same,
// so that the path must be sound to him too: whichever slashes it is cut at, no
// segment is empty or of dots, and none that is encoded ends it. The error is
// a *Refusal.
func KeptPath(target string) (string, error) { return readPath(target, `\?#`) }

// readPath refuses the encoding of delimiters, besides what CanonicalPath says.
func readPath(target, delimiters string) (string, error) {
	path, query, _ := strings.Cut(target, "?")
	switch {
	case path == "" || path[0] != '/':
		return "", refuse(ReasonPathForm)
	case len(path) > maxPath:
		return "", refuse(ReasonPathLong)
	}
	if err := checkQuery(query); err != nil {
		return "", err
	}
	escapes, err := checkPath(path)
	if err != nil {
		return "", err
	}
	if escapes {
		if path, err = decodePath(path, delimiters); err != nil {
			return "", err
		}
	}
	if err := checkSegments(path); err != nil {
		return "", err
	}
	if err := checkKept(path); err != nil {
		return "", err
	}
	return path, nil
}

// encodedSlash is one as canonical paths have it.
const encodedSlash = "%2F"

// checkKept is checkSegments to who undoes encoded slashes.
func checkKept(path string) error {
	switch {
	case !strings.Contains(path, encodedSlash):
		return nil
	case strings.HasSuffix(path, encodedSlash):
		return refuse(ReasonEmptySegment)
	default:
		return checkSegments(strings.ReplaceAll(path, encodedSlash, "/"))
	}
}

func checkQuery(query string) error {
	for i := range len(query) {
		switch c := query[i]; {
		case c <= ' ' || c >= 0x7F:
			return refuse(ReasonPathBytes)
		case c == '#':
			return refuse(ReasonFragment)
		}
	}
	return nil
}

// checkPath refuses bytes that do not belong there as they stand, and says
// whether any are encoded.
func checkPath(path string) (escapes bool, err error) {
	for i := range len(path) {
		switch c := path[i]; {
		case c == '%':
			escapes = true
		case c == '#':
			return false, refuse(ReasonFragment)
		case c == ';':
			return false, refuse(ReasonParameter)
		case c != '/' && !plain(c):
			return false, refuse(ReasonPathBytes)
		}
	}
	return escapes, nil
}

// plain are the bytes of a segment that stand for themselves (RFC 3986 section
// 3.3, pchar), but for the semicolon.
func plain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-._~!$&'()*+,=:@", c) >= 0
}

// decodePath undoes the encoding of what is plain and writes the rest in upper
// case.
func decodePath(path, delimiters string) (string, error) {
	out := make([]byte, 0, len(path))
	raw := make([]byte, 0, len(path)) // fully decoded
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c != '%' {
			out, raw = append(out, c), append(raw, c)
			continue
		}
		b, ok := unhex(path[i+1:])
		if !ok {
			return "", refuse(ReasonEscape)
		}
		if err := checkDecoded(b, delimiters); err != nil {
			return "", err
		}
		raw = append(raw, b)
		if plain(b) {
			out = append(out, b)
		} else {
			out = append(out, '%', upperHex[b>>4], upperHex[b&15])
		}
		i += 2
	}
	if !utf8.Valid(raw) {
		return "", refuse(ReasonEscape)
	}
	if strings.ContainsFunc(string(raw), lookAlike) {
		return "", refuse(ReasonDelimiter)
	}
	return string(out), nil
}

const upperHex = "0123456789ABCDEF"

// unhex reads the two hexadecimal digits that s begins with.
func unhex(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, ok1 := hexDigit(s[0])
	lo, ok2 := hexDigit(s[1])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// checkDecoded refuses what would be another path once decoded.
func checkDecoded(c byte, delimiters string) error {
	switch {
	case c < ' ' || c == 0x7F || strings.IndexByte(delimiters, c) >= 0:
		return refuse(ReasonDelimiter)
	case c == '%':
		return refuse(ReasonDouble)
	case c == ';':
		return refuse(ReasonParameter)
	}
	return nil
}

// lookAlike are characters that some reader turns into a dot, a slash or a
// backslash, by compatibility normalisation (UAX 15) or by the best fit of an
// older character set; and the C1 controls.
func lookAlike(r rune) bool {
	switch r {
	case 0x2024, 0x2025, 0xFE30, 0xFE52, 0xFF0E:
		return true
	case 0x2044, 0x2215, 0x29F8, 0xFF0F, 0x2216, 0x29F5, 0x29F9, 0xFE68, 0xFF3C:
		return true
	}
	return 0x80 <= r && r < 0xA0
}

// checkSegments refuses empty segments and those of dots. An empty one at the
// end is a folder.
func checkSegments(path string) error {
	for rest := path[1:]; rest != ""; {
		segment, after, _ := strings.Cut(rest, "/")
		switch {
		case segment == "":
			return refuse(ReasonEmptySegment)
		case segment == "." || segment == "..":
			return refuse(ReasonDots)
		}
		rest = after
	}
	return nil
}
