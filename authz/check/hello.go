package check

import (
	"strings"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/surface/clienthello"
)

// Hello judges the ClientHello with which the TLS in a tunnel begins that is
// neither inspected nor opaque (firstflight.Judge). Envoy has compared its name with
// the tunnel's already, by a reader of its own.
func (s *Service) Hello(h *leash.Hop, c clienthello.Hello, err error) (code string) {
	held, ok := h.Subject.(*Held)
	switch w := s.world.Load(); {
	case !ok || w == nil && !held.canary: // canaries come before there is a feed
		return denial.HopUnknown
	case err != nil:
		return denial.TLSUnreadable
	case c.Version < clienthello.VersionTLS12:
		return denial.TLSTooOld
	case !strings.EqualFold(c.ServerName, held.dest.Host):
		return denial.TargetMismatch
	case c.Hidden && !held.canary && !w.Egress[held.target().Gateway].Hidden:
		return denial.TLSHidden
	default:
		return ""
	}
}
