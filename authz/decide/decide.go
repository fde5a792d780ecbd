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
	case v.Outcome.Effect == policy.Neutral && h.Action.Slashed():
		v.Code = denial.BadPath // a rule alone keeps them
		return
	case v.Outcome.Effect == policy.Neutral && h.Target.Gateway.Unmatched == v1alpha1.UnmatchedAllow:
	case !h.Action.Slashed() && v.led(h):
	case v.Outcome.Effect == policy.Neutral:
		v.Code = denial.Unmatched
		return
	case v.Outcome.Effect != policy.Allow:
		v.Code = needToken(h, &v.Outcome)
		return
	}
	v.Life, v.Lease = life(&v.Outcome.Duties, h, left, now)
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
	case h.Begun():
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
	case v.Inspects(h) && !h.Target.Gateway.Inspects, v.Outcome.Duties.ForwardToken == v1alpha1.ForwardTokenExchange:
		v.refuse(denial.NotAvailable)
	case v.Lease < time.Millisecond && h.Begun():
		v.refuse(denial.Expired)
	case v.Lease < time.Millisecond:
		v.refuse(denial.TokenExpiring)
	default:
		v.Allowed, v.Hold = true, holdOf(h, v)
	}
}

// Inspects reports whether h is a tunnel whose TLS is to end here.
func (v *Verdict) Inspects(h *Hop) bool {
	return h.Action.Kind == v1alpha1.SurfaceHosts && v.Outcome.Duties.TLS == v1alpha1.TLSInspect
}

// Meters reports whether the body of h is to be counted as it comes: a budget
// counts it, and nobody knows how long it is.
func (v *Verdict) Meters(h *Hop) bool {
	return h.Action.RequestBytes < 0 && v.Outcome.Duties.Meters()
}

func (v *Verdict) refuse(code string) { v.Code, v.Life, v.Lease = code, 0, 0 }

// Renewable reports whether a fresher token may move the end of a hop.
func (v *Verdict) Renewable() bool { return v.Lease < v.Life }

// holdOf is how a hop is held: by a relay where a last word can be said, which
// is in streams of events and in WebSockets.
func holdOf(h *Hop, v *Verdict) string {
	switch {
	case v.Life <= h.Target.Gateway.Unleashed && !v.Renewable() && !v.Meters(h):
		return wire.HoldNone
	case h.Action.Streams || h.Action.Upgrade:
		return wire.HoldRelay
	default:
		return wire.HoldHeaders
	}
}

// renewableMost bounds a stream that can be renewed and whose rules give no
// bound: somebody is to ask for it anew.
const renewableMost = time.Hour

// life is how long a hop may last at most, and how long if nobody renews it.
// Renewable ends at the token's expiry unless somebody has presented a fresher
// one. A hop inside a tunnel ends with it: what renews the tunnel renews the hop.
func life(d *policy.Duties, h *Hop, left time.Duration, now time.Time) (life, lease time.Duration) {
	var lived time.Duration
	if h.Begun() {
		lived = now.Sub(h.Since)
	}
	if h.Claims == nil {
		left = withoutToken - lived
	}
	life, lease = left, left
	switch renewable := d.Lifetime == v1alpha1.LifetimeRenewable && h.Claims != nil; {
	case d.Max <= 0 && renewable:
		life = renewableMost - lived
	case d.Max > 0 && renewable:
		life = d.Max - lived
	case d.Max > 0 && d.Lifetime == v1alpha1.LifetimeMax:
		life = d.Max - lived
		lease = life
	case d.Max > 0:
		life = min(left, d.Max-lived)
	}
	if !h.Until.IsZero() {
		life, lease = min(life, h.Last.Sub(now)), min(lease, h.Until.Sub(now))
	}
	return life, min(life, lease)
}
