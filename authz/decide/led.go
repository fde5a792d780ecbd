package decide

import (
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// led reports whether h is allowed by that its Cause is, and takes what comes
// with that. Only what no rule speaks of can be: a rule that denies h does.
func (v *Verdict) led(h *Hop) bool {
	open := v.Outcome.Effect == policy.Neutral || v.Outcome.Effect == policy.Deny && v.Outcome.Code == policy.CodeNoRule
	if h.Cause == nil || h.Claims == nil || !open {
		return false
	}
	var o policy.Outcome
	q := policy.Question{Peer: h.Peer, Claims: h.Claims, Action: &h.Cause.Action}
	h.Cause.Target.Levels.DecideTo(&o, &q, nil)
	if o.Effect != policy.Allow {
		return false
	}
	if h.Action.Kind == v1alpha1.SurfaceHosts {
		// What an answer led to is one file, and not all of its host.
		o.Duties.TLS = v1alpha1.TLSInspect
	}
	v.Outcome, v.Led = o, true
	return true
}

// Again is a hop as it stands in s, with its Target and Action alone; nil: s
// does not know where it went.
func (s *State) Again(h *Hop) *Hop {
	t := s.Resolve(h.Target.Target)
	if t == nil || t.Listener == nil {
		return nil
	}
	return &Hop{Target: t, Action: h.Action}
}
