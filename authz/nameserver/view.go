package nameserver

import (
	"context"
	"net/netip"
	"slices"

	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/resolve"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Resolver finds what names lead to.
type Resolver interface {
	Lookup(ctx context.Context, name string) (resolve.Answer, error)
	LookupServices(ctx context.Context, name string) (resolve.Services, error)
}

// Lister says which names are listed, for whom.
type Lister interface {
	Lists(name string, caller netip.Addr) (policy.Listing, bool)
}

// View is what is answered at one socket. It never changes.
type View struct {
	// Gateway is NAMESPACE/NAME, Revision that of its feed: for the record.
	Gateway, Revision string
	DNS               *feedv1.DNS
	Names             Lister
	Resolver          Resolver
	// Backends are those that a name leads to, KIND/NAMESPACE/NAME.
	Backends map[string][]string
}

// answers reports whether a client is one of those that are answered.
func (v *View) answers(a netip.Addr) bool {
	return slices.ContainsFunc(v.DNS.Clients, func(p netip.Prefix) bool { return p.Contains(a) })
}
