package translate

import (
	"slices"
	"strings"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// finishConfig makes the clusters of the hosts of a GatewayConfig that some
// Proxy listener uses, and its status.
func finishConfig(r *reader, ref source.Ref) {
	v, ok := get[*v1alpha1.GatewayConfig](r, kindConfig, ref.Namespace, ref.Name)
	f := factOf[configFact](r, factConfig, ref)
	if !ok || f == nil {
		return
	}
	egress := factOf[egressFact](r, factEgress, ref)
	runners := r.run.Marks(topic{space: bagRunners, ref: ref})
	proxied := slices.ContainsFunc(runners, func(m mark) bool { return m.Section == string(graph.ListenerProxy) })
	if egress != nil && proxied {
		for _, b := range egress.clusters() {
			r.putBackend(b)
		}
	}
	r.refusedFor(ref, runners)
	c := conditions{generation: v.Generation}
	c.accepted(configProblem(f, egress))
	err := r.trustProblem(ref, f)
	if len(runners) > 0 {
		err = joined(err, r.listenerProblem(ref, f))
	}
	c.resolved(err)
	if o := r.outcome(ref); o.State == OutcomeRefused {
		c.no(typeProgrammed, reasonEnvoyRefused, o.Message)
	}
	s := Status{Ref: ref, Conditions: c.list}
	if len(runners) == 0 && r.t.cfg.BuiltIn && len(f.Problems) == 0 {
		s.Notes = []string{"no Gateway is run with it: name it in spec.infrastructure.parametersRef of a Gateway"}
	}
	r.status(s)
}

// listenerProblem finds listeners that no Gateway has. What was to hold for
// them holds for nobody.
func (r *reader) listenerProblem(ref source.Ref, f *configFact) error {
	var err error
	sections := r.run.Marks(topic{space: bagSections, ref: ref})
	for _, l := range f.Listeners {
		if !slices.ContainsFunc(sections, func(m mark) bool { return m.Section == l.Name }) {
			err = joined(err, reject(reasonListenerNotFound, "spec.listeners: no Gateway that is run with it has a listener %s", quote(l.Name)))
		}
	}
	return joined(err, f.captureProblem(sections))
}

// configProblem is why a GatewayConfig is not accepted as it is. Entries of
// egress that are wrong are closed, and all else holds.
func configProblem(f *configFact, egress *egressFact) error {
	if len(f.Problems) > 0 {
		return reject(reasonInvalid, "%s", strings.Join(f.Problems, "; "))
	}
	if egress != nil && len(egress.Problems) > 0 {
		return reject(reasonHostsNotValid, "closed, all else holds: %s", strings.Join(egress.Problems, "; "))
	}
	return nil
}

// trustProblem looks at the TrustDomains that a GatewayConfig names.
func (r *reader) trustProblem(ref source.Ref, f *configFact) error {
	lists := []listenerTrust{{Trust: f.Trust}}
	lists = append(lists, f.Listeners...)
	var err error
	for _, l := range lists {
		audiences := map[string]string{}
		for _, name := range l.Trust {
			t := factOf[trustFact](r, factTrust, refOf(kindTrust, ref.Namespace, name))
			switch {
			case t == nil:
				err = joinedOnce(err, reject(reasonTrustNotFound, "there is no TrustDomain/%s/%s", ref.Namespace, name))
			case !t.Usable:
				err = joinedOnce(err, reject(reasonTrustNotFound, "TrustDomain/%s/%s is not accepted, or has no keys", ref.Namespace, name))
			case audiences[t.Audience] != "" && audiences[t.Audience] != name:
				err = joinedOnce(err, reject(reasonAudienceConflict, "TrustDomains %s and %s have one audience, %s: none of them is believed",
					audiences[t.Audience], name, quote(t.Audience)))
			default:
				audiences[t.Audience] = name
			}
		}
	}
	return err
}
