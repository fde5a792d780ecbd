package nameserver

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/surface/egress"
)

// Judgement is what policy makes of a query.
type Judgement struct {
	// Outcome is Answered for what is to be looked up.
	Outcome Outcome
	// Code is that of the denial table; empty: it is none.
	Code string
	// Listing is how the name is listed, where it is.
	Listing policy.Listing
}

// Judge says what becomes of a query of class IN for a name in canonical form,
// empty for what is no name, as far as that is known before anything is looked
// up.
func Judge(names Lister, name string, from netip.Addr, kind uint16) Judgement {
	if name == "" {
		return Judgement{Outcome: BadQuery, Code: denial.QueryRefused}
	}
	listing, listed := names.Lists(name, from)
	switch {
	case !listed && egress.ClassifyName(name) != egress.NamePublic:
		// Search lists of clusters make such names of every other. They must end,
		// or some clients would never ask for the name itself; and they are too
		// many to be recorded.
		return Judgement{Outcome: NoName}
	case !listed:
		return Judgement{Outcome: NotListed, Code: denial.NameNotListed}
	case kind != dns.TypeA && kind != dns.TypeAAAA && kind != dns.TypeHTTPS:
		return Judgement{Outcome: BadQuery, Code: denial.QueryRefused, Listing: listing}
	}
	return Judgement{Outcome: Answered, Listing: listing}
}

// typeName is how records name a type; empty: that of what cannot be read.
func typeName(t uint16) string {
	switch name, ok := dns.TypeToString[t]; {
	case t == dns.TypeNone:
		return ""
	case ok:
		return name
	default:
		return unknownType + count(int(t))
	}
}

// unknownType begins the name of a type that has no other (RFC 3597 section 5).
const unknownType = "TYPE"

// ParseType is the type that records, and people, name so; false: there is none.
func ParseType(name string) (uint16, bool) {
	if t, ok := dns.StringToType[strings.ToUpper(name)]; ok {
		return t, true
	}
	number, ok := strings.CutPrefix(strings.ToUpper(name), unknownType)
	n, err := strconv.ParseUint(number, 10, 16)
	return uint16(n), ok && err == nil
}
