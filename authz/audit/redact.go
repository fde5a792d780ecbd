package audit

import "strings"

// redacted stands for a token.
const redacted = "[token]"

// maxToken bounds how far a token may reach behind what a field can hold.
const maxToken = 16 << 10

// redact takes out what looks like a signed token (RFC 7515 section 3.1: three
// runs of base64url, the first a JSON object). An agent may put one where
// nobody looks for it, a path or an argument. It reports whether it did.
func redact(s string, limit int) (string, bool) {
	if len(s) > limit+maxToken {
		s = s[:limit+maxToken]
	}
	var out strings.Builder
	done := 0
	for i := next(s, 0); i < len(s); {
		end, past := token(s, i)
		if end > 0 {
			out.WriteString(s[done:i])
			out.WriteString(redacted)
			done = end
		}
		i = next(s, past)
	}
	if done == 0 {
		return s, false
	}
	out.WriteString(s[done:])
	return out.String(), true
}

// next finds where a token may begin: base64url of a brace and a quote or a
// space begins with ey.
func next(s string, from int) int {
	if i := strings.Index(s[from:], "ey"); i >= 0 {
		return from + i
	}
	return len(s)
}

// token returns the end of the token that begins at i, or 0, and where to look
// on.
func token(s string, i int) (end, past int) {
	head := run(s, i)
	if head-i < 12 || head == len(s) || s[head] != '.' || !opens(s[i+2]) {
		return 0, head
	}
	body := run(s, head+1)
	if body-head < 8 || body == len(s) || s[body] != '.' {
		return 0, head
	}
	end = run(s, body+1)
	return end, end
}

// opens tells the third character of an object's base64url from that of a
// word: it has the last bits of the quote or space, so it is a capital.
func opens(c byte) bool { return 'A' <= c && c <= 'D' || 'I' <= c && c <= 'L' }

// run returns where the base64url characters from i on end.
func run(s string, i int) int {
	for ; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			break
		}
	}
	return i
}
