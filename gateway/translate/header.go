package translate

import (
	"slices"
	"strings"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// token says whether s is a token (RFC 9110 section 5.6.2), the shape of names
// of headers.
func token(s string) bool {
	return s != "" && len(s) <= 256 && only(lower(s), letters+digits+"!#$%&'*+-.^_`|~")
}

// headerText says whether s can be the value of a header: visible ASCII, with
// spaces and tabs inside.
func headerText(s string) bool {
	if len(s) > 4096 || strings.Trim(s, " \t") != s {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return c != '\t' && (c < 0x20 || c > 0x7e) })
}

// reserved says whether a header, in lower case, is not the user's to set:
// what carries identity, what frames the message, what steers Envoy or us.
func reserved(name string) bool {
	return name == wire.HeaderTxnToken || name == "host" || strings.HasPrefix(name, ":") ||
		strings.HasPrefix(name, wire.HeaderPrefix) || strings.HasPrefix(name, "x-envoy-") ||
		strings.HasPrefix(name, "proxy-") || slices.Contains(framing(), name)
}

// framing are the headers of one connection or message (RFC 9110 section
// 7.6.1).
func framing() []string {
	return []string{
		"connection", "content-length", "expect", "http2-settings", "keep-alive",
		"te", "trailer", "transfer-encoding", "upgrade",
	}
}

// told says whether a header, in lower case, is written down or handed on by
// design: no place for a secret.
func told(name string) bool {
	return strings.HasPrefix(name, "x-forwarded-") || slices.Contains([]string{
		"baggage", "forwarded", "referer", "traceparent", "tracestate", "user-agent", "via", "x-request-id",
	}, name)
}
