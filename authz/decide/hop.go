package decide

import (
	"time"

	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/token"
)

// Hop is one request, recognised: who, in which transaction, does what, where.
type Hop struct {
	Target *Target
	// Peer is the SPIFFE ID of the connection; empty: none.
	Peer string
	// Claims are verified; nil: there is no token.
	Claims *token.Claims
	// Leeway is that of the claims' trust domain.
	Leeway time.Duration
	Action surface.Action
	// Cause is the hop whose answer led here, with its Target and Action alone;
	// nil: none did. What no rule speaks of is allowed for as long as that is.
	Cause *Hop
	// Since is when a hop began that lives and is decided again: a token that
	// has just expired ends it by its lifetime, and is no denial. Zero: it begins.
	Since time.Time
	// Until is when the tunnel ends that the hop is inside of, if nobody renews
	// it, and Last when it ends at the latest; zero: it is in none.
	Until, Last time.Time
}

// Begun reports whether h lives and is decided again.
func (h *Hop) Begun() bool { return !h.Since.IsZero() }

// Verdict is what becomes of a hop. The zero Verdict denies.
type Verdict struct {
	Allowed bool
	// Code is a name of the denial table; empty when allowed.
	Code string
	// Outcome is what rules said.
	Outcome policy.Outcome
	// Led is true where that is of the hop's Cause, whose answer led there.
	Led bool
	// Life is how long the hop may last at most, from now on; at least a
	// millisecond; 0: it is denied.
	Life time.Duration
	// Lease is how long it lasts if nobody renews it: Life, or less, and then a
	// fresher token can renew it.
	Lease time.Duration
	// Hold is a wire.Hold value.
	Hold string
}
