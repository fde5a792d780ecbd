package translate

import (
	"net/netip"
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
	return s != "" && len(s) <= 253 && only(s, letters+digits+"-.")
}

// dnsName is Gateway API's PreciseHostname, with labels as long as DNS has them.
func dnsName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || !only(label, letters+digits+"-") {
			return false
		}
	}
	return len(s) <= 253
}

// Sets of characters.
const (
	letters   = "abcdefghijklmnopqrstuvwxyz"
	digits    = "0123456789"
	hexDigits = digits + "abcdef"
)

// lower is s in lower case, ASCII alone: to Unicode the Kelvin sign is a k.
func lower(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' {
			return c - 'A' + 'a'
		}
		return c
	}, s)
}

// only says whether s is made of these characters.
func only(s, characters string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return !strings.ContainsRune(characters, c) })
}

// hostName returns s in its one spelling, and whether it is a host name. What
// any reader may take for an address is none.
func hostName(s string) (string, bool) {
	s = lower(s)
	if !dnsName(s) || addressLike(s) {
		return "", false
	}
	return s, true
}

// addressLike says whether the last label is a number: resolvers read 127.1,
// 0x7f.1 and 2130706433 as addresses (URL standard, host parsing).
func addressLike(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return only(hex, hexDigits)
	}
	return last != "" && only(last, digits)
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
