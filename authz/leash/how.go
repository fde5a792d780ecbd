package leash

import (
	"strings"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// howOf reads how a hop ended. Envoy logs a cut as a success: only the
// details tell.
func howOf(c Cut, l *Logged) How {
	if c.Code != "" {
		return howOfDetail(c.Detail)
	}
	if l == nil {
		return Unknown
	}
	if how := howOfDetail(l.Details); how != Unknown {
		return how
	}
	switch {
	case l.ClientLeft || strings.HasPrefix(l.Details, "downstream_"):
		return ClientLeft
	case l.Details == "via_upstream":
		return Done
	case strings.HasPrefix(l.Details, "upstream_reset_"), strings.HasPrefix(l.Details, "dns_resolution_failure"),
		strings.HasPrefix(l.Details, "no_healthy_upstream"), strings.HasPrefix(l.Details, "cluster_not_found"),
		l.Status >= 500:
		return UpstreamFailed
	default:
		return Done
	}
}

func howOfDetail(d string) How {
	switch d {
	case wire.DetailExpired, wire.DetailDeadline:
		return Expired
	case wire.DetailRefused:
		return Refused
	case wire.DetailRevoked:
		return Revoked
	case string(HoldMissing):
		return HoldMissing
	default:
		return Unknown
	}
}
