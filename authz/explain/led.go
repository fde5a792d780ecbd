package explain

import (
	"fmt"
	"slices"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/nameserver"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// verdictUnknown is that on a hop of which too little was recorded.
const verdictUnknown = "unknown"

// Led is the hop whose answer led to one that was recorded.
type Led struct {
	Hop string `json:"hop"`
	// Until is until when it does.
	Until string `json:"until"`
}

// ExplainRecord explains a decision that was recorded. Of one that another hop's
// answer led to, cause is asked for the record of that; false: it has none.
func (c *Config) ExplainRecord(r *audit.Record, cause func(audit.HopID) (audit.Record, bool)) (Explanation, error) {
	if r.Surface == nameserver.Surface {
		return c.explainRefused(r)
	}
	hop, err := c.recorded(r)
	if err != nil {
		return Explanation{}, err
	}
	if r.Cause == (audit.HopID{}) {
		e := c.Explain(hop)
		if rule := r.Policy + "/" + r.Rule; c.ledWithoutCause(r, hop, &e) {
			return unknown(nil, "a redirect of what "+rule+" allows opened it, and the record does not say which hop's: it is of a version that did not record that"), nil
		}
		return e, nil
	}
	led := &Led{Hop: r.Cause.String(), Until: r.CauseUntil.UTC().Format("2006-01-02 15:04:05Z")}
	before, ok := cause(r.Cause)
	if !ok {
		return unknown(led, "the redirect of hop "+led.Hop+" opened it, and that hop's decision is not in the record that was given"), nil
	}
	from, err := c.recorded(&before)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain hop %s, whose redirect opened it: %w", led.Hop, err)
	}
	hop.Cause = &decide.Hop{Target: from.Target, Action: from.Action}
	e := c.Explain(hop)
	e.Led = led
	return e, nil
}

func (c *Config) recorded(r *audit.Record) (*decide.Hop, error) {
	h, err := FromRecord(r)
	if err != nil {
		return nil, err
	}
	return c.Resolve(h)
}

func unknown(led *Led, text string) Explanation {
	return Explanation{Verdict: verdictUnknown, Text: text + ", so that it cannot be told whether it would be opened now", Led: led}
}

// ledWithoutCause reports whether a record has an allow that only a redirect can
// have opened: by a rule on packages, of what is none, and no rule allows it.
func (c *Config) ledWithoutCause(r *audit.Record, h *decide.Hop, e *Explanation) bool {
	if r.Kind != audit.KindBegin || h.Target.Entry == wire.EntryRoute || h.Action.Kind == v1alpha1.SurfacePackages {
		return false
	}
	if e.Code != denial.NoRule && e.Code != denial.Unmatched {
		return false
	}
	i := slices.IndexFunc(c.Policies, func(p feedv1.Policy) bool { return p.Key.String() == r.Policy })
	return i >= 0 && slices.ContainsFunc(c.Policies[i].Rules, func(x v1alpha1.AccessRule) bool {
		return x.Name == r.Rule && x.To.Type == v1alpha1.SurfacePackages
	})
}
