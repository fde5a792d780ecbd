package translate

import (
	"fmt"
	"maps"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// say writes the status of one parent.
func (b *routeBuilder) say(p *gatewayv1.ParentReference, ref source.Ref, err error) {
	c := conditions{generation: b.v.Generation}
	c.accepted(err)
	if partly := b.partly(); err == nil && partly != "" {
		c.yes(typePartially, string(gatewayv1.RouteReasonUnsupportedValue), partly)
	}
	c.resolved(b.resolved)
	if o := b.r.outcome(b.ref); err == nil && o.State == OutcomeRefused {
		c.no(typeProgrammed, reasonEnvoyRefused, o.Message)
		b.r.run.Mark(topic{space: bagRefused, ref: ref}, mark{Ref: b.ref, Text: o.Message})
	}
	b.status.Parents = append(b.status.Parents, gatewayv1.RouteParentStatus{
		ParentRef: *p.DeepCopy(), ControllerName: v1alpha1.ControllerName, Conditions: c.list,
	})
}

// emit leaves what the route became.
func (b *routeBuilder) emit() {
	for _, table := range slices.Sorted(maps.Keys(b.fragments)) {
		b.r.fragment(table, b.fragments[table])
	}
	for _, at := range b.attached {
		b.r.run.Mark(at, mark{Ref: b.ref})
	}
	slices.SortFunc(b.gateways, source.Ref.Compare)
	b.markUses()
	for i := range b.rules {
		b.markHazards(&b.rules[i])
	}
	fact := &routeFact{Gateways: b.gateways}
	for i := range b.v.Spec.Rules {
		fact.Rules = append(fact.Rules, string(deref(b.v.Spec.Rules[i].Name, "")))
	}
	say(b.r, factRoute, b.ref, fact)
	s := Status{Ref: b.ref, Route: &b.status, Notes: b.notes}
	if len(b.parents) == 0 {
		s.Notes = append(s.Notes, "spec.parentRefs: is empty: the route is attached to nothing")
	}
	b.r.status(s)
}

// markUses says which Gateways send to which backends.
func (b *routeBuilder) markUses() {
	put := func(backend source.Ref, section string) {
		for _, g := range b.gateways {
			b.r.run.Mark(topic{space: bagUses, ref: backend}, mark{Ref: g, Section: section})
		}
	}
	for i := range b.uses {
		put(b.uses[i].ref, b.uses[i].section())
	}
	for _, ref := range b.refused {
		put(ref, "")
	}
}

// markHazards says why a secret must not be put on the requests of a rule. The
// section of the mark is the header that it is about; empty: any.
func (b *routeBuilder) markHazards(d *ruleDraft) {
	if len(b.gateways) == 0 || b.problem != nil || d.problem != nil {
		return
	}
	for _, name := range hazardRefs(d) {
		at := topic{space: bagHazards, ref: name}
		if len(d.names()) > 1 {
			b.r.run.Mark(at, mark{Ref: b.ref, Text: fmt.Sprintf("rule %s sends to several backends", d.name)})
		}
		for _, header := range changedHeaders(d) {
			b.r.run.Mark(at, mark{Ref: b.ref, Section: header, Text: fmt.Sprintf("rule %s changes header %s", d.name, header)})
		}
	}
}

func hazardRefs(d *ruleDraft) []source.Ref {
	var out []source.Ref
	for i := range d.backends {
		if !slices.Contains(out, d.backends[i].ref) {
			out = append(out, d.backends[i].ref)
		}
	}
	return out
}

// changedHeaders are the request headers that a rule or one of its backends
// sets, adds or removes, sorted.
func changedHeaders(d *ruleDraft) []string {
	names := map[string]bool{}
	mods := []*graph.HeaderMod{d.request}
	for i := range d.backends {
		mods = append(mods, d.backends[i].request)
	}
	for _, m := range mods {
		if m == nil {
			continue
		}
		for _, h := range slices.Concat(m.Set, m.Add) {
			names[lower(h.Name)] = true
		}
		for _, name := range m.Remove {
			names[lower(name)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
