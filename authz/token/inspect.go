package token

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Check is one thing that a verifier looks at, and what it found.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Skipped is true for what could not be looked at, because of an earlier
	// one.
	Skipped bool   `json:"skipped,omitempty"`
	Reason  Reason `json:"reason,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// Inspection is what a verifier thinks of a token, check by check.
type Inspection struct {
	// Header and Claims are the token's own words, where they can be read.
	// Nothing of the signature is in them.
	Header json.RawMessage `json:"header,omitempty"`
	Claims json.RawMessage `json:"claims,omitempty"`
	// Domain is the trust domain that it is of; empty: none that is believed.
	Domain   string `json:"trustDomain,omitempty"`
	Believed bool   `json:"believed"`
	// Reason is that of the first check that failed; empty: none did.
	Reason Reason  `json:"reason,omitempty"`
	Checks []Check `json:"checks"`
}

// Inspect runs every check that Verify makes, and does not stop at the first
// that fails. It knows nothing of earlier tokens of the transaction. Keys are
// fetched once.
func Inspect(ctx context.Context, now time.Time, raw string, domains []feedv1.TrustDomain, peer Peer, keys jwks.Config) *Inspection {
	sets := make(map[feedv1.Key]feedv1.KeySet, len(domains))
	for _, d := range domains {
		sets[d.Key] = d.KeySet
	}
	all := jwks.New(keys)
	sources := all.Apply(sets)
	all.Prefetch(ctx)
	a := &attempt{raw: raw, now: now, peer: peer, peers: peer.SPIFFE != ""}
	for _, d := range domains {
		a.candidates = append(a.candidates, &domain{TrustDomain: d, source: sources[d.Key]})
	}
	return a.inspect(ctx)
}

func (a *attempt) inspect(ctx context.Context) *Inspection {
	out := &Inspection{}
	var have fact
	for _, s := range steps() {
		c := Check{Name: s.name}
		if have&s.needs != s.needs {
			c.Skipped = true
			out.Checks = append(out.Checks, c)
			continue
		}
		if rej := s.run(a, ctx); rej != nil {
			c.Reason, c.Detail = rej.Reason, rej.Detail
			if out.Reason == "" {
				out.Reason = rej.Reason
			}
		} else {
			c.OK = true
			have |= s.adds
		}
		out.Checks = append(out.Checks, c)
	}
	out.Believed = out.Reason == ""
	if json.Valid(a.compact.header) {
		out.Header = slices.Clone(a.compact.header)
	}
	if json.Valid(a.compact.payload) {
		out.Claims = slices.Clone(a.compact.payload)
	}
	if a.domain != nil {
		out.Domain = a.domain.Key.String()
	}
	return out
}
