package egress

import "strings"

// What a request names a place by, one function for each thing. They differ in
// what may be left out, and in nothing that they accept.

// ParseTarget reads the target of a CONNECT (RFC 9112 section 3.2.3), which
// names a port. The error is a *Refusal.
func ParseTarget(s string) (Destination, error) { return ParseAuthority(s, 0) }

// ParseHost reads a Host header or an :authority, of a request that came by a
// scheme with this default port. The error is a *Refusal.
func ParseHost(s string, defaultPort uint16) (Destination, error) {
	if defaultPort == 0 {
		return Destination{}, refuse(ReasonNoPort)
	}
	return ParseAuthority(s, defaultPort)
}

// ParsePort reads a port: 1 to 65535 in decimal, one spelling for each. The
// error is a *Refusal.
func ParsePort(s string) (uint16, error) { return parsePort(s) }

// ParseServerName reads the name that a TLS client asks for (RFC 6066 section
// 3): a name as ParseName takes it, but without a dot at its end, and never an
// address. The error is a *Refusal.
func ParseServerName(s string) (string, error) {
	if strings.HasSuffix(s, ".") {
		return "", refuse(ReasonHost)
	}
	return ParseName(s)
}

// PlainMethod reports whether a method is one that no server takes for another
// one: there is no registered one with a lower-case letter (RFC 9110 section
// 16.1).
func PlainMethod(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

// httpScheme is the one scheme whose requests a proxy is sent in absolute-form:
// others come by a CONNECT.
const httpScheme = "http://"

// ParseAbsolute reads the target of a request in absolute-form (RFC 9112
// section 3.2.2): where to, and the path and query, not read any further. The
// error is a *Refusal.
func ParseAbsolute(s string) (d Destination, path string, err error) {
	if len(s) < len(httpScheme) || !strings.EqualFold(s[:len(httpScheme)], httpScheme) {
		return Destination{}, "", refuse(ReasonScheme)
	}
	authority := s[len(httpScheme):]
	if i := strings.IndexAny(authority, "/?#"); i >= 0 {
		authority, path = authority[:i], authority[i:]
	}
	if d, err = ParseHost(authority, 80); err != nil {
		return Destination{}, "", err
	}
	switch {
	case path == "":
		path = "/"
	case path[0] == '#':
		return Destination{}, "", refuse(ReasonFragment)
	case path[0] != '/':
		return Destination{}, "", refuse(ReasonPathForm)
	}
	return d, path, nil
}
