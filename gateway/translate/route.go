package translate

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// routeFact is what policies need to know of a route.
type routeFact struct {
	// Rules are the names of its rules; those without one have none.
	Rules []string
	// Gateways are those it is attached to, sorted.
	Gateways []source.Ref
}

// routeBuilder translates one HTTPRoute.
type routeBuilder struct {
	r   *reader
	ref source.Ref
	v   *gatewayv1.HTTPRoute
	// parents are the parentRefs, or what they mean when there are none.
	parents []gatewayv1.ParentReference
	hosts   []string
	rules   []ruleDraft
	// uses are all backends that resolved, those of weight 0 too; refused are
	// XBackends and Services that exist and cannot be sent to.
	uses     []backendDraft
	refused  []source.Ref
	resolved error
	// problem is why no rule is accepted.
	problem error

	fragments map[string]*graph.Fragment
	gateways  []source.Ref
	// served and attached are listeners, each once.
	served   []topic
	attached []topic
	status   gatewayv1.HTTPRouteStatus
	notes    []string
}

func translateRoute(r *reader, ref source.Ref) {
	v, ok := get[*gatewayv1.HTTPRoute](r, kindRoute, ref.Namespace, ref.Name)
	if !ok {
		return
	}
	b := &routeBuilder{
		r: r, ref: ref, v: v, parents: v.Spec.ParentRefs,
		fragments: map[string]*graph.Fragment{},
		status:    gatewayv1.HTTPRouteStatus{RouteStatus: gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{}}},
	}
	if _, ok := r.localGatewayMeant(len(b.parents)); ok {
		b.parents = localParents()
	}
	b.readHosts()
	for i := range v.Spec.Rules {
		b.rules = append(b.rules, b.readRule(i))
	}
	b.judge()
	for i := range b.parents {
		b.attach(&b.parents[i])
	}
	b.emit()
}

// localGatewayMeant says whether an object that names nothing to attach to
// means the built-in Gateway.
func (r *reader) localGatewayMeant(refs int) (source.Ref, bool) {
	if refs > 0 || !r.t.cfg.BuiltIn {
		return source.Ref{}, false
	}
	return r.localGateway()
}

// readHosts reads the host names; one that is none is a problem of the whole
// route: nobody knows which requests it was for.
func (b *routeBuilder) readHosts() {
	for i, h := range b.v.Spec.Hostnames {
		host, ok := hostPatternOf(string(h))
		if !ok {
			b.problem = joined(b.problem, unsupported("hostnames[%d]: %s is no host name", i, quote(string(h))))
			continue
		}
		b.hosts = append(b.hosts, host)
	}
	if len(b.v.Spec.Hostnames) == 0 {
		b.hosts = []string{"*"}
	}
}

// judge finds out whether any rule is left that is understood.
func (b *routeBuilder) judge() {
	b.checkNames()
	broken := 0
	var all error
	for i := range b.rules {
		if b.rules[i].problem != nil {
			broken++
			all = joined(all, prefixed(fmt.Sprintf("rules[%d]", i), b.rules[i].problem))
		}
	}
	if broken > 0 && broken == len(b.rules) {
		b.problem = joined(b.problem, all)
	}
}

// checkNames refuses rules of one name: a policy for it would guard both, or
// one of them.
func (b *routeBuilder) checkNames() {
	for i := range b.rules {
		for j := range b.rules {
			if i != j && b.rules[i].name == b.rules[j].name {
				b.rules[i].fail(unsupported("name: rules[%d] has the same one", j))
			}
		}
	}
}

// attach makes what the route is on one parent.
func (b *routeBuilder) attach(p *gatewayv1.ParentReference) {
	if deref(p.Group, source.GroupGateway) != source.GroupGateway || deref(p.Kind, kindGateway) != kindGateway {
		b.notes = append(b.notes, fmt.Sprintf("spec.parentRefs: %s %s is no Gateway: it is left to others", quote(string(deref(p.Kind, kindGateway))), p.Name))
		return
	}
	ref := refOf(kindGateway, string(deref(p.Namespace, gatewayv1.Namespace(b.v.Namespace))), string(p.Name))
	g := factOf[gatewayFact](b.r, factGateway, ref)
	if g == nil {
		if _, exists := b.r.object(ref); !exists && b.r.t.cfg.BuiltIn {
			b.say(p, ref, reject(string(gatewayv1.RouteReasonNoMatchingParent), "there is no %s", ref))
		}
		return
	}
	listeners, err := b.listenersOf(p, ref, g)
	if err != nil {
		b.say(p, ref, err)
		return
	}
	b.gateways = addOnce(b.gateways, ref)
	for _, l := range listeners {
		b.serve(ref, g, l)
		if b.problem == nil {
			b.attached = addOnce(b.attached, topic{space: bagAttached, ref: ref, section: l.Name})
		}
	}
	b.say(p, ref, b.problem)
}

func addOnce[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// listenersOf are the listeners that a parent reference attaches to. None: err
// says why.
func (b *routeBuilder) listenersOf(p *gatewayv1.ParentReference, ref source.Ref, g *gatewayFact) ([]*listenerFact, error) {
	named, allowed, hosts := 0, 0, []*listenerFact{}
	for i := range g.Listeners {
		l := &g.Listeners[i]
		if p.SectionName != nil && string(*p.SectionName) != l.Name || p.Port != nil && *p.Port != int32(l.Port) {
			continue
		}
		named++
		if !b.r.allows(l, ref, b.v.Namespace) {
			continue
		}
		allowed++
		if b.reaches(l, g) {
			hosts = append(hosts, l)
		}
	}
	switch {
	case !g.Accepted:
		return nil, reject(string(gatewayv1.RouteReasonPending), "%s is not accepted: %s", ref, g.Message)
	case named == 0:
		return nil, reject(string(gatewayv1.RouteReasonNoMatchingParent), "%s has no such listener", ref)
	case allowed == 0:
		return nil, reject(string(gatewayv1.RouteReasonNotAllowedByListeners), "no listener of %s takes routes of this kind and namespace", ref)
	case len(hosts) == 0:
		return nil, reject(string(gatewayv1.RouteReasonNoMatchingListenerHostname), "no listener of %s serves these host names", ref)
	}
	return hosts, nil
}

// reaches says whether a listener serves any of the route's hosts. One that is
// out of service by itself shares its port with nobody.
func (b *routeBuilder) reaches(l *listenerFact, g *gatewayFact) bool {
	if l.Shared {
		return len(hostsOn(l, g.Listeners, b.hosts)) > 0
	}
	return slices.ContainsFunc(b.hosts, func(h string) bool {
		_, ok := intersect(l.Hostname, h)
		return ok
	})
}

// serve adds the rules to the table of a listener, once.
func (b *routeBuilder) serve(ref source.Ref, g *gatewayFact, l *listenerFact) {
	at := topic{space: bagAttached, ref: ref, section: l.Name}
	if slices.Contains(b.served, at) {
		return
	}
	b.served = append(b.served, at)
	hosts := hostsOn(l, g.Listeners, b.hosts)
	if !l.Serves || len(hosts) == 0 {
		return
	}
	f := b.fragments[l.Table]
	if f == nil {
		f = &graph.Fragment{Owner: ownerOf(b.ref), Created: b.v.CreationTimestamp.Time}
		b.fragments[l.Table] = f
	}
	for i := range b.rules {
		if len(b.rules[i].matches) > 0 {
			f.Rules = append(f.Rules, b.rule(&b.rules[i], ref, g, l, hosts))
		}
	}
}

// rule is one rule on one listener.
func (b *routeBuilder) rule(d *ruleDraft, ref source.Ref, g *gatewayFact, l *listenerFact, hosts []string) *graph.Rule {
	out := &graph.Rule{
		Index: d.index, Hostnames: hosts, Matches: d.matches,
		Target: wire.Target{
			Entry: wire.EntryRoute, Gateway: keyOf(ref).String(), Listener: l.Name,
			Route: keyOf(b.ref).String(), Rule: d.name,
		},
	}
	out.Target.Surface, out.Target.Provider = string(d.surface.Type), d.surface.Provider
	if d.problem != nil || b.problem != nil || len(d.backends) == 0 {
		out.Status = 500
		return out
	}
	egress := b.r.egressOf(g.Config)
	out.Forward = d.forward(egress)
	out.Target.Backends = d.names()
	out.Target.BodyBytes = g.Limits.of(d.surface.Type)
	return out
}

func (r *reader) egressOf(config source.Ref) *egressFact {
	if config == (source.Ref{}) {
		return nil
	}
	return factOf[egressFact](r, factEgress, config)
}

// names are the backends of a rule, each once, sorted.
func (d *ruleDraft) names() []string {
	var out []string
	for i := range d.backends {
		out = append(out, backendName(d.backends[i].ref))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (d *ruleDraft) forward(egress *egressFact) *graph.Forward {
	f := &graph.Forward{
		FailedWeight: d.failed, RequestHeaders: d.request, ResponseHeaders: d.response,
		Rewrite: d.rewrite, Timeout: d.timeout,
	}
	for i := range d.backends {
		b := &d.backends[i]
		w := graph.WeightedBackend{Weight: b.weight, RequestHeaders: b.request, ResponseHeaders: b.response}
		if b.x != nil {
			w.Backend, w.HostRewrite = egress.backend(b.ref, b.x).Name, authority(b.x)
		} else {
			w.Backend = portName(b.ref, b.port.Number)
		}
		f.Backends = append(f.Backends, w)
	}
	return f
}

// authority is the Host of requests to an XBackend: its own name, with the port
// unless it is the one that goes without saying.
func authority(x *externalBackend) string {
	if x.TLS != nil && x.Port == 443 || x.TLS == nil && x.Port == 80 {
		return x.Hostname
	}
	return fmt.Sprintf("%s:%d", x.Hostname, x.Port)
}

// portName is the name of the backend of a Service's port.
func portName(ref source.Ref, port uint16) string {
	return fmt.Sprintf("%s/%d", backendName(ref), port)
}

// partly is the message of PartiallyInvalid; empty: it does not apply.
func (b *routeBuilder) partly() string {
	if b.problem != nil {
		return ""
	}
	var texts []string
	for i := range b.rules {
		if p := b.rules[i].problem; p != nil {
			_, message := rejected(p)
			texts = append(texts, b.rules[i].name+": "+message)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "Dropped Rules, what they match is answered 500: " + strings.Join(texts, "; ")
}
