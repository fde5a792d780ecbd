package translate

import (
	"fmt"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/graph"
)

// ruleDraft is one rule as far as it is the same on every listener.
type ruleDraft struct {
	index   int
	name    string
	matches []graph.Match
	// problem is why the rule answers 500 whatever its backends are.
	problem  error
	request  *graph.HeaderMod
	response *graph.HeaderMod
	rewrite  *graph.Rewrite
	timeout  time.Duration
	surface  surface
	backends []backendDraft
	failed   uint32
}

// readRule reads one rule. What is not understood is a problem of the rule:
// it is never left out.
func (b *routeBuilder) readRule(i int) ruleDraft {
	rule := &b.v.Spec.Rules[i]
	d := ruleDraft{index: i, name: fmt.Sprintf("#%d", i), surface: plain()}
	if rule.Name != nil && *rule.Name != "" {
		d.name = string(*rule.Name)
		if !plainName(d.name) {
			d.name = fmt.Sprintf("#%d", i)
			d.fail(unsupported("name: %s is no name", quote(string(*rule.Name))))
		}
	}
	d.matches, d.problem = joinedMatches(rule.Matches, d.problem)
	d.fail(ruleFields(rule))
	d.readFilters(rule)
	d.readTimeouts(rule.Timeouts)
	b.readBackends(&d, rule.BackendRefs)
	return d
}

func (d *ruleDraft) fail(err error) {
	if err != nil {
		d.problem = joined(d.problem, err)
	}
}

// unsupported is for values of a route.
func unsupported(format string, args ...any) error {
	return reject(string(gatewayv1.RouteReasonUnsupportedValue), format, args...)
}

// ruleFields refuses fields that would change what happens.
func ruleFields(rule *gatewayv1.HTTPRouteRule) error {
	switch {
	case rule.Retry != nil:
		return unsupported("retry: is not supported")
	case rule.SessionPersistence != nil:
		return unsupported("sessionPersistence: is not supported")
	}
	return nil
}

func (d *ruleDraft) readTimeouts(t *gatewayv1.HTTPRouteTimeouts) {
	if t == nil {
		return
	}
	if t.BackendRequest != nil {
		d.fail(unsupported("timeouts.backendRequest: is not supported"))
	}
	if t.Request == nil {
		return
	}
	v, err := duration(*t.Request)
	if err != nil {
		d.fail(unsupported("timeouts.request: %v", err))
	}
	d.timeout = v
}
