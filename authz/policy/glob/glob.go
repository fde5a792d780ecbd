package glob

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxBytes is the longest pattern.
const MaxBytes = 2048

// Glob is a compiled pattern. The zero Glob matches nothing.
type Glob struct {
	text string
	kind kind
	sep  byte
	// head and tail are what stands before the first star and after the last.
	head, tail string
	// cross: the only star is a double one.
	cross bool
	many  *many
}

type kind uint8

const (
	nothing kind = iota
	exact
	lone
	single
	several
)

var (
	errEmpty = errors.New("empty pattern")
	errLong  = fmt.Errorf("pattern longer than %d bytes", MaxBytes)
	errStars = errors.New("more than two stars in a row")
	errUTF8  = errors.New("pattern is not valid UTF-8")
	errByte  = errors.New("control character in pattern")
)

// Compile reads a pattern whose segments sep separates.
func Compile(pattern string, sep byte) (Glob, error) {
	if err := check(pattern); err != nil {
		return Glob{}, fmt.Errorf("compile glob: %w", err)
	}
	g := Glob{text: pattern, sep: sep}
	first := strings.IndexByte(pattern, '*')
	if first < 0 {
		g.kind, g.head = exact, pattern
		return g, nil
	}
	last := strings.LastIndexByte(pattern, '*')
	g.head, g.tail = pattern[:first], pattern[last+1:]
	g.cross = last > first
	switch {
	case strings.Trim(pattern, "*") == "":
		g.kind = lone
	case strings.Trim(pattern[first:last+1], "*") == "":
		g.kind = single
	default:
		g.kind, g.many = several, newMany(pattern, sep)
	}
	return g, nil
}

func check(pattern string) error {
	switch {
	case pattern == "":
		return errEmpty
	case len(pattern) > MaxBytes:
		return errLong
	case strings.Contains(pattern, "***"):
		return errStars
	case !utf8.ValidString(pattern):
		return errUTF8
	case strings.ContainsFunc(pattern, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return errByte
	}
	return nil
}

// Match reports whether g matches the whole of s.
func (g *Glob) Match(s string) bool {
	switch g.kind {
	case exact:
		return s == g.head
	case lone:
		return s != ""
	case single:
		return g.fits(s) && (g.cross || strings.IndexByte(s[len(g.head):len(s)-len(g.tail)], g.sep) < 0)
	case several:
		return g.fits(s) && g.many.match(s)
	}
	return false
}

// fits reports whether s begins and ends as g does, without overlap.
func (g *Glob) fits(s string) bool {
	return len(s) >= len(g.head)+len(g.tail) && strings.HasPrefix(s, g.head) && strings.HasSuffix(s, g.tail)
}

// String is the pattern.
func (g *Glob) String() string { return g.text }

// Exact reports whether g has no star: it matches its own text only.
func (g *Glob) Exact() bool { return g.kind == exact }

// Lone reports whether g is * or **: any text but the empty one.
func (g *Glob) Lone() bool { return g.kind == lone }

// Head and Tail are what every text that matches begins and ends with.
func (g *Glob) Head() string { return g.head }

// Tail is what every text that matches ends with.
func (g *Glob) Tail() string { return g.tail }
