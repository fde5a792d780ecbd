package decide

import (
	"slices"
	"time"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// withoutToken bounds a hop that needs no token and whose rules give no bound
// of their own.
const withoutToken = time.Hour

// Decide gives h its verdict. tr takes down why; nil: nobody reads it.
func Decide(h *Hop, now time.Time, tr *policy.Trace) Verdict {
	var v Verdict
	v.Decide(h, now, tr)
	return v
}

// Decide makes v, whatever it was, the verdict on h, as the function Decide
// does.
func (v *Verdict) Decide(h *Hop, now time.Time, tr *policy.Trace) {
	*v = Verdict{}
	if h.Target.Listener == nil {
		v.Code = denial.NoRoute
		return
	}
	if h.Claims != nil && !slices.Contains(h.Target.Listener.TrustDomains, h.Claims.Domain) {
		// They were believed once: by a feed before this one.
		v.Code = denial.TokenWrongDomain
		return
	}
	left, code := remaining(h, now)
	if code != "" {
		v.Code = code
		return
	}
	q := policy.Question{Peer: h.Peer, Claims: h.Claims, Action: &h.Action}
	h.Target.Levels.DecideTo(&v.Outcome, &q, tr)
	switch {
	case v.Outcome.Effect == policy.Neutral && h.Target.Gateway.Unmatched == v1alpha1.UnmatchedAllow:
	case v.Outcome.Effect == policy.Neutral:
		v.Code = denial.Unmatched
		return
	case v.Outcome.Effect != policy.Allow:
		v.Code = needToken(h, &v.Outcome)
		return
	}
	v.Life = life(&v.Outcome.Duties, h, left, now)
	v.grant(h)
}

// needToken is the code of a denial. Who has not said who they are is told to
// do so, and not what is listed; a peer that is known is told so only where a
// token would help.
func needToken(h *Hop, o *policy.Outcome) string {
	if h.Claims == nil && len(h.Target.Listener.TrustDomains) > 0 && (h.Peer == "" || o.TokenHelps) {
		return denial.TokenMissing
	}
	return o.Code
}

// remaining is how much life the token has, and a code when that is too
// little. Without a token there is no bound here.
func remaining(h *Hop, now time.Time) (time.Duration, string) {
	if h.Claims == nil {
		return 0, ""
	}
	left := h.Claims.ExpiresAt.Add(h.Leeway).Sub(now)
	switch {
	case h.Begun:
		return max(left, time.Millisecond), ""
	case left <= 0:
		return 0, denial.TokenExpired
	case left < h.Target.Gateway.MinRemain:
		return 0, denial.TokenExpiring
	}
	return left, ""
}

// grant fills in an allow: how long, and how it is held.
func (v *Verdict) grant(h *Hop) {
	switch {
	case v.Outcome.Duties.TLS == v1alpha1.TLSInspect, v.Outcome.Duties.ForwardToken == v1alpha1.ForwardTokenExchange:
		v.Code, v.Life = denial.NotAvailable, 0
		return
	case v.Life < time.Millisecond:
		v.Code, v.Life = denial.TokenExpiring, 0
		return
	}
	v.Allowed, v.Hold = true, holdOf(h, v.Life)
}

// holdOf is how a hop is held: by a relay where a last word can be said, which
// is in streams of events and in WebSockets.
func holdOf(h *Hop, life time.Duration) string {
	switch {
	case life <= h.Target.Gateway.Unleashed:
		return wire.HoldNone
	case h.Action.Streams || h.Action.Upgrade:
		return wire.HoldRelay
	default:
		return wire.HoldHeaders
	}
}

// life is how long a hop may last. Renewable ends at the token's expiry too,
// for as long as nobody has presented a fresher one. A hop inside a tunnel
// ends with it at the latest.
func life(d *policy.Duties, h *Hop, left time.Duration, now time.Time) time.Duration {
	if h.Claims == nil {
		left = withoutToken
	}
	switch {
	case d.Max > 0 && d.Lifetime == v1alpha1.LifetimeMax:
		left = d.Max
	case d.Max > 0:
		left = min(left, d.Max)
	}
	if !h.Until.IsZero() {
		left = min(left, h.Until.Sub(now))
	}
	return left
}
