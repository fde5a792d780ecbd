package translate

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/hopgate/hopgate/gateway/source"
)

// named says whether an object has names that Kubernetes would take. They
// become parts of names of Envoy resources and of wire.Target, whose separators
// they must not hold.
func named(ref source.Ref) bool {
	return plainName(ref.Name) && (ref.Namespace == "" || plainName(ref.Namespace))
}

// plainName is a DNS subdomain (RFC 1123), case left aside.
func plainName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool {
		lower, digit := c >= 'a' && c <= 'z', c >= '0' && c <= '9'
		return !lower && !digit && c != '-' && c != '.'
	})
}

// hostPattern is Gateway API's PreciseHostname.
var hostPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// hostName returns s in its one spelling, and whether it is a host name. What
// any reader may take for an address is none.
func hostName(s string) (string, bool) {
	s = strings.ToLower(s)
	if len(s) > 253 || !hostPattern.MatchString(s) {
		return "", false
	}
	return s, !addressLike(s)
}

// addressLike says whether the last label is a number: resolvers read 127.1,
// 0x7f.1 and 2130706433 as addresses (URL standard, host parsing).
func addressLike(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// hostPatternOf is hostName, or one with "*." before it.
func hostPatternOf(s string) (string, bool) {
	if rest, ok := strings.CutPrefix(s, "*."); ok {
		host, ok := hostName(rest)
		return "*." + host, ok
	}
	return hostName(s)
}

// quote shows what a user wrote, short and on one line.
func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "..."
	}
	return strconv.QuoteToASCII(s)
}

