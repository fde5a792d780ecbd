package leash

import (
	"strings"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// howOf reads how a hop ended. Envoy logs a cut as a success: only the
// details tell.
func howOf(c Cut, l *Logged) audit.End {
	if c.Code != "" {
		return orElse(howOfDetail(c.Detail), audit.EndRevoked)
	}
	if l == nil {
		return audit.EndLost
	}
	if how := howOfDetail(l.Details); how != "" {
		return how
	}
	switch {
	case strings.HasPrefix(l.Details, holdFailed):
		return audit.EndLost
	case l.ClientLeft || leftByDetail(l.Details):
		return audit.EndClientLeft
	case l.Details == "via_upstream":
		return audit.EndDone
	case timedOut(l.Details):
		return audit.EndTimeout
	case strings.HasPrefix(l.Details, "upstream_reset_after"):
		return audit.EndUpstreamReset
	case l.Status >= 500:
		return audit.EndUpstreamFailed
	default:
		return audit.EndDone
	}
}

// leftByDetail knows what Envoy says of a client that went: by closing its
// connection, or by resetting its stream.
func leftByDetail(d string) bool {
	return strings.HasPrefix(d, "downstream_") || strings.HasPrefix(d, "http2.remote_")
}

// timedOut knows Envoy's own timeouts.
func timedOut(d string) bool {
	switch d {
	case "response_timeout", "upstream_response_timeout", "upstream_per_try_timeout", "request_overall_timeout",
		"stream_idle_timeout", "duration_timeout", "max_duration_timeout":
		return true
	default:
		return false
	}
}

// holdFailed is how Envoy's words begin for a hold that it could not open, or
// that broke.
const holdFailed = "ext_proc_error"

func orElse(how, other audit.End) audit.End {
	if how == "" {
		return other
	}
	return how
}

// howOfDetail knows the words that we and Envoy's deadline leave.
func howOfDetail(d string) audit.End {
	switch d {
	case wire.DetailExpired, wire.DetailDeadline:
		return audit.EndExpired
	case wire.DetailRefused:
		return audit.EndRefused
	case wire.DetailRevoked:
		return audit.EndRevoked
	case wire.DetailQuarantined:
		return audit.EndQuarantined
	case wire.DetailLimit:
		return audit.EndLimit
	case wire.DetailShutdown:
		return audit.EndShutdown
	case holdMissing:
		return audit.EndHoldMissing
	default:
		return ""
	}
}
