package audit

import "strings"

// width is the number of terminal columns of text that is fit to be shown.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case combining(r):
		return 0
	case wide(r):
		return 2
	}
	return 1
}

// wide holds the blocks of East Asian Wide and Fullwidth characters (Unicode
// Standard Annex 11). Too wide by one at a block's edge costs a column only.
func wide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115f, 0x2e80 <= r && r <= 0xa4cf && r != 0x303f, 0xac00 <= r && r <= 0xd7a3:
		return true
	case 0xf900 <= r && r <= 0xfaff, 0xfe30 <= r && r <= 0xfe6f, 0xff00 <= r && r <= 0xff60, 0xffe0 <= r && r <= 0xffe6:
		return true
	}
	return 0x1f300 <= r && r <= 0x1faff || 0x20000 <= r && r <= 0x3fffd
}

// pad fills s up to columns with spaces.
func pad(s string, columns int) string {
	if n := columns - width(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

// trim cuts the spaces at the end.
func trim(s string) string { return strings.TrimRight(s, " ") }
