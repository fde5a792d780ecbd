package registry

import "strings"

// made reports whether s is not empty, and of letters, digits and the signs
// that are given.
func made(s, signs string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && strings.IndexByte(signs, s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// madeLower is made without capitals.
func madeLower(s, signs string) bool { return made(s, signs) && !hasUpper(s) }

func alphanumeric(c byte) bool { return digit(c) || letter(c) }

func digit(c byte) bool { return '0' <= c && c <= '9' }

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func hasUpper(s string) bool {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

// hexOf reports whether s is n lower-case hexadecimal digits.
func hexOf(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

// plainSegments reports whether each of s is of a file's usual signs, and none
// is empty.
func plainSegments(s []string) bool {
	for _, x := range s {
		if !made(x, "-._~+=@:!,$&'()*") || x == "." || x == ".." {
			return false
		}
	}
	return len(s) > 0
}

// versionLike reports whether s begins as a version does.
func versionLike(s string) bool { return s != "" && digit(s[0]) }

// closedSlash drops the empty segment that a slash at the end leaves.
func closedSlash(s []string) []string {
	if n := len(s); n > 1 && s[n-1] == "" {
		return s[:n-1]
	}
	return s
}
