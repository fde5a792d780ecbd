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
	// Begun is true for a hop that lives and is decided again: how long it may
	// live was settled when it began.
	Begun bool
	// Until is when the tunnel ends that the hop is inside of; zero: it is in
	// none.
	Until time.Time
}

// Verdict is what becomes of a hop. The zero Verdict denies.
type Verdict struct {
	Allowed bool
	// Code is a name of the denial table; empty when allowed.
	Code string
	// Outcome is what rules said.
	Outcome policy.Outcome
	// Life is how long the hop may last, at least a millisecond; 0: it is denied.
	Life time.Duration
	// Hold is a wire.Hold value.
	Hold string
}
