package policy

import (
	"slices"
	"time"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Duties are what comes with an Outcome: of an Allow, the strictest of each
// over all Allow rules that match, on every level; of a Deny or Ask, only
// Audit and DenyAs. All fields hold a value, defaults filled in.
type Duties struct {
	// Lifetime says when a stream ends by itself.
	Lifetime v1alpha1.StreamLifetime
	// Max bounds a stream; 0: no bound of its own.
	Max time.Duration
	// TLS is Opaque only when every Allow rule that matches says so.
	TLS          v1alpha1.TLSDuty
	ForwardToken v1alpha1.ForwardToken
	Audit        v1alpha1.AuditDuty
	DenyAs       v1alpha1.DenyAs
	// OutputTokens is the most that a model call may ask for; 0: no limit.
	OutputTokens int64
	// RequestBytes is the most that a body may have; -1: no limit.
	RequestBytes int64
	// HeadBytes is the most that a head may have; 0: no limit.
	HeadBytes int64
	// Budgets are those of all rules that give one: each holds.
	Budgets []*Budget
}

// defaultModelStream is how long a model's answer may take where no rule says
// anything.
const defaultModelStream = 10 * time.Minute

// defaultDuties are those of an Allow rule that says nothing.
func defaultDuties(kind v1alpha1.SurfaceType) Duties {
	d := Duties{
		Lifetime:     v1alpha1.LifetimeTokenExpiry,
		TLS:          v1alpha1.TLSPassthrough,
		ForwardToken: v1alpha1.ForwardTokenStrip,
		Audit:        v1alpha1.AuditBuffered,
		DenyAs:       v1alpha1.DenyAsError,
		RequestBytes: -1,
	}
	if kind == v1alpha1.SurfaceModels {
		d.Lifetime, d.Max = v1alpha1.LifetimeMax, defaultModelStream
	}
	return d
}

// merge makes d the stricter of both in each field.
func (d *Duties) merge(o *Duties) {
	d.Lifetime = stricter(d.Lifetime, o.Lifetime, v1alpha1.LifetimeTokenExpiry, v1alpha1.LifetimeRenewable, v1alpha1.LifetimeMax)
	d.TLS = stricter(d.TLS, o.TLS, v1alpha1.TLSInspect, v1alpha1.TLSPassthrough, v1alpha1.TLSOpaque)
	d.ForwardToken = stricter(d.ForwardToken, o.ForwardToken, v1alpha1.ForwardTokenStrip, v1alpha1.ForwardTokenExchange, v1alpha1.ForwardTokenForward)
	d.Audit = stricter(d.Audit, o.Audit, v1alpha1.AuditDurable, v1alpha1.AuditBuffered)
	d.DenyAs = stricter(d.DenyAs, o.DenyAs, v1alpha1.DenyAsError, v1alpha1.DenyAsResult)
	d.Max = smallest(d.Max, o.Max, 0)
	d.OutputTokens = smallest(d.OutputTokens, o.OutputTokens, 0)
	d.RequestBytes = smallest(d.RequestBytes, o.RequestBytes, -1)
	d.HeadBytes = smallest(d.HeadBytes, o.HeadBytes, 0)
	for _, b := range o.Budgets {
		if !slices.Contains(d.Budgets, b) {
			d.Budgets = append(slices.Clip(d.Budgets), b) // a rule's own list is not to be written to
		}
	}
}

// stricter is a or b, whichever stands first in order. A value that is not in
// it is never chosen over one that is, and the strictest of all if neither is.
func stricter[T comparable](a, b T, order ...T) T {
	for _, v := range order {
		if a == v || b == v {
			return v
		}
	}
	return order[0]
}

// smallest is the smaller of a and b, where none stands for no limit.
func smallest[T int64 | time.Duration](a, b, none T) T {
	switch {
	case a == none:
		return b
	case b == none:
		return a
	}
	return min(a, b)
}

// exceeded is the code of the limit that a request does not keep; empty: it
// keeps them.
func (d *Duties) exceeded(a *surface.Action) string {
	switch {
	case d.HeadBytes > 0 && a.HeadBytes > d.HeadBytes:
		return CodeLimitExceeded
	case d.RequestBytes >= 0 && a.RequestBytes < 0:
		return CodeLimitMissing
	case d.RequestBytes >= 0 && a.RequestBytes > d.RequestBytes:
		return CodeLimitExceeded
	case d.OutputTokens > 0 && a.OutputTokens <= 0:
		return CodeLimitMissing
	case d.OutputTokens > 0 && a.OutputTokens > d.OutputTokens:
		return CodeLimitExceeded
	}
	return ""
}
