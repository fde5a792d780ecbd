package mcp

import "strings"

// plainURI reports whether a resource's URI can be read in one way only, so
// that a rule's pattern sees what the server will open. Servers parse URIs as
// RFC 3986 or as the URL standard says; what either would rewrite is refused:
// dot segments, needless or lower-case percent encoding, backslashes, control
// characters, another case where case does not count.
func plainURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !plainScheme(scheme) || strings.Trim(s, " ") != s || !plainBytes(s) {
		return false
	}
	path, _, _ := strings.Cut(rest, "#")
	path, _, _ = strings.Cut(path, "?")
	authority := ""
	after, hasAuthority := strings.CutPrefix(path, "//")
	if hasAuthority {
		i := strings.IndexByte(after+"/", '/')
		authority, path = after[:i], after[i:]
	}
	if special(scheme) && (!hasAuthority || !plainSpecial(scheme, authority, path)) {
		return false
	}
	return !hasDots(path)
}

// plainScheme: a scheme in lower case (RFC 3986 sections 3.1 and 6.2.2.1).
func plainScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z') && (i == 0 || !('0' <= c && c <= '9') && strings.IndexByte("+-.", c) < 0) {
			return false
		}
	}
	return s != ""
}

// plainBytes: no byte that readers drop or turn, and percent encoding only of
// what needs it, in upper case (RFC 3986 section 6.2.2).
func plainBytes(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < 0x20 || c == 0x7F || c == '\\':
			return false
		case c == '%':
			if b, ok := percent(s[i:]); !ok || unreserved(b) || b < 0x20 || b == 0x7F {
				return false
			}
			i += 2
		}
	}
	return true
}

// percent reads the %XX that s begins with; hexadecimal digits in upper case.
func percent(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	hi, lo := strings.IndexByte(upperHex, s[1]), strings.IndexByte(upperHex, s[2])
	return byte(hi<<4 | lo&15), hi >= 0 && lo >= 0
}

const upperHex = "0123456789ABCDEF"

func unreserved(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// special schemes are those that the URL standard rewrites most.
func special(scheme string) bool {
	switch scheme {
	case "http", "https", "ws", "wss", "ftp", "file":
		return true
	}
	return false
}

// plainSpecial: a host in lower-case ASCII without user, default port or
// encoding, no localhost before a file's path, and no empty segment.
func plainSpecial(scheme, authority, path string) bool {
	for i := range len(authority) {
		if c := authority[i]; c >= 0x80 || 'A' <= c && c <= 'Z' || c == '%' || c == '@' || c == ' ' {
			return false
		}
	}
	if strings.Contains(path, "//") {
		return false
	}
	if scheme == "file" {
		return authority != "localhost" && path != ""
	}
	i := strings.LastIndexByte(authority, ':')
	if i < strings.LastIndexByte(authority, ']') {
		i = -1
	}
	return authority != "" && (i < 0 || i > 0 && plainPort(scheme, authority[i+1:]))
}

// plainPort: a port in decimal that the scheme does not have by itself.
func plainPort(scheme, port string) bool {
	switch scheme + port {
	case "http80", "ws80", "https443", "wss443", "ftp21":
		return false
	}
	return port != "" && port[0] != '0' && strings.Trim(port, "0123456789") == ""
}

// hasDots reports whether a segment of path, its separators decoded, is one
// or two dots.
func hasDots(path string) bool {
	path = strings.ReplaceAll(strings.ReplaceAll(path, "%2F", "/"), "%5C", "/")
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "." || seg == ".." {
			return true
		}
	}
	return false
}
