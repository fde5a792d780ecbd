package envoy

import "strings"

// Escape makes user text safe for Envoy's formatters, which would read
// %REQ(authorization)% in a header value as an order to hand out a secret.
func Escape(s string) string { return strings.ReplaceAll(s, "%", "%%") }
