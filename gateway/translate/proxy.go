package translate

import (
	"fmt"
	"slices"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// believedFact is the TrustDomains that a Gateway believes on any listener.
type believedFact struct {
	List []feedv1.Key
	// Problems is why others are not believed.
	Problems []string
}

// proxyBuilder makes what a Gateway is beyond its routes.
type proxyBuilder struct {
	r         *reader
	ref       source.Ref
	base      *baseFact
	config    *configFact
	egress    *egressFact
	listeners []listenerState
	believed  believedFact
	feed      feedv1.Gateway
}

// translateProxy makes the proxy tables of a Gateway, and what guards are told
// of it.
func translateProxy(r *reader, ref source.Ref) {
	base := factOf[baseFact](r, factBase, ref)
	states := factOf[listenersFact](r, factListeners, ref)
	if base == nil || states == nil || !base.Accepted {
		return
	}
	b := proxyBuilder{
		r: r, ref: ref, base: base, config: r.configOf(base.Config), egress: r.egressOf(base.Config), listeners: states.List,
	}
	b.begin()
	b.believe()
	if b.proxies() {
		b.destinations()
	}
	b.markConfig()
	say(r, factBelieved, ref, &b.believed)
	r.run.Put(&r.t.gateways, b.feed.Key.String(), seal(b.feed))
}

// markConfig tells the GatewayConfig who is run with it.
func (b *proxyBuilder) markConfig() {
	config := b.base.Config
	if config == (source.Ref{}) {
		return
	}
	b.r.run.Mark(topic{space: bagRunners, ref: config}, mark{Ref: b.ref, Section: proxySection(b.proxies())})
	for _, l := range b.base.Listeners {
		b.r.run.Mark(topic{space: bagSections, ref: config}, mark{Section: l.Name, Text: l.Protocol})
	}
}

// proxySection marks Gateways that have a listener which leads to anywhere.
func proxySection(proxy bool) string {
	if proxy {
		return string(graph.ListenerProxy)
	}
	return ""
}

func (b *proxyBuilder) begin() {
	b.feed = feedv1.Gateway{
		Key: keyOf(b.ref), Unmatched: b.config.Unmatched, Listeners: []feedv1.Listener{},
		MinRemain: b.config.MinRemain, Unleashed: b.config.Unleashed, FeedMaxAge: b.config.MaxAge,
		OnStale: b.config.OnStale, Detail: b.config.Detail,
		Egress: feedv1.Egress{Resolvers: b.config.Resolvers},
	}
	if b.egress != nil {
		b.feed.Egress.Hosts, b.feed.Egress.InsideRanges = b.egress.feed(), b.egress.Ranges
		b.feed.Egress.ECH, b.feed.Egress.DNS = b.egress.ECH, b.r.dnsOf(b.ref, b.egress)
	}
}

// believe lists the listeners with the TrustDomains of each.
func (b *proxyBuilder) believe() {
	for _, l := range b.listeners {
		if !l.Serves {
			continue
		}
		keys := b.trustOf(l.Base)
		for _, k := range keys {
			b.believed.List = addOnce(b.believed.List, k)
		}
		b.feed.Listeners = append(b.feed.Listeners, feedv1.Listener{
			Name: l.Base.Name, Protocol: l.Base.Protocol, Address: b.base.Address, Port: l.Base.Port,
			TrustDomains: keys, Peers: l.Peers, CapturedPort: b.config.captured(l.Base),
		})
	}
	slices.SortFunc(b.feed.Listeners, func(x, y feedv1.Listener) int { return compareStrings(x.Name, y.Name) })
	slices.SortFunc(b.believed.List, compareKeys)
	for _, k := range b.believed.List {
		b.r.run.Mark(topic{space: bagBelievers, ref: refOf(kindTrust, k.Namespace, k.Name)}, mark{Ref: b.ref})
	}
}

// proxies says whether the Gateway has a listener that works and leads to
// anywhere.
func (b *proxyBuilder) proxies() bool {
	return slices.ContainsFunc(b.listeners, func(l listenerState) bool { return l.Serves && l.Base.Kind.Egress() })
}

// destinations makes the XBackends of the Gateway's own namespace, where they
// are more than plain HTTP, reachable as what they are and as nothing else:
// those that have a surface, and those that a Credential is for. Those that
// are not accepted are not reachable: what they are meant to be is not known.
func (b *proxyBuilder) destinations() {
	taken := map[destination]source.Ref{}
	var surfaces []surfaceOn
	for _, o := range b.ownXBackends() {
		f := factOf[backendFact](b.r, factBackend, o.Ref)
		at, ok := b.claim(o.Ref, f)
		if !ok {
			continue
		}
		b.r.run.Mark(topic{space: bagUses, ref: o.Ref}, mark{Ref: b.ref, Text: destinationTaken(taken[at])})
		if _, twice := taken[at]; twice {
			continue
		}
		taken[at] = o.Ref
		if f.X == nil {
			b.feed.Egress.Backends = append(b.feed.Egress.Backends, feedv1.Backend{
				Ref: backendName(o.Ref), Hostname: at.Hostname, Port: at.Port, Rejected: f.Message,
			})
			continue
		}
		s := surfaceOn{ref: o.Ref, x: f.X, backend: b.egress.backend(o.Ref, f.X)}
		surfaces = append(surfaces, s)
		b.feed.Egress.Backends = append(b.feed.Egress.Backends, s.feed())
	}
	slices.SortFunc(b.feed.Egress.Backends, func(x, y feedv1.Backend) int { return compareStrings(x.Ref, y.Ref) })
	b.tables(surfaces)
}

// ownXBackends are those of the Gateway's namespace, and those that may be of
// it, the oldest first.
func (b *proxyBuilder) ownXBackends() []source.Object {
	list := b.r.members(allOf(kindXBackend, b.ref.Namespace))
	for _, o := range b.r.members(allOf(kindXBackend, anyNamespace)) {
		if o.Ref.Namespace != b.ref.Namespace {
			list = append(list, o)
		}
	}
	slices.SortStableFunc(list, func(x, y source.Object) int {
		return x.Value.GetCreationTimestamp().Time.Compare(y.Value.GetCreationTimestamp().Time)
	})
	return list
}

// claim is the destination that an XBackend keeps to itself; false: none.
func (b *proxyBuilder) claim(ref source.Ref, f *backendFact) (destination, bool) {
	switch {
	case f == nil:
	case f.Closed != nil:
		return *f.Closed, true
	case f.X != nil && b.special(ref, f.X):
		return destination{f.X.Hostname, f.X.Port}, true
	}
	return destination{}, false
}

func (b *proxyBuilder) special(ref source.Ref, x *externalBackend) bool {
	return x.Surface != plain() || b.r.hasCredential(ref)
}

// destinationTaken is the text of a mark; empty: the destination is free.
func destinationTaken(by source.Ref) string {
	if by == (source.Ref{}) {
		return ""
	}
	return fmt.Sprintf("%s has the same host name and port, and is older or first by name", by)
}

// tables makes the table of each listener that leads to anywhere.
func (b *proxyBuilder) tables(surfaces []surfaceOn) {
	for _, l := range b.listeners {
		if !l.Serves || !l.Base.Kind.Egress() {
			continue
		}
		own := wire.Target{Entry: entryOf(l.Base.Kind), Gateway: keyOf(b.ref).String(), Listener: l.Base.Name}
		t := &graph.ProxyTable{Target: own, Port: b.config.captured(l.Base)}
		for _, s := range surfaces {
			t.Surfaces = append(t.Surfaces, s.on(own, b.config.Limits))
		}
		slices.SortFunc(t.Surfaces, func(x, y graph.ProxySurface) int { return compareStrings(x.Backend, y.Backend) })
		if b.egress != nil {
			for _, c := range b.egress.clusters() {
				t.Hosts = append(t.Hosts, c.Name)
			}
			slices.Sort(t.Hosts)
		}
		b.r.run.Put(&b.r.t.tables.proxies, tableName(b.ref, l.Base.Port), t)
	}
}

// surfaceOn is an XBackend as a destination of a Proxy listener.
type surfaceOn struct {
	ref     source.Ref
	x       *externalBackend
	backend *graph.Backend
}

func (s surfaceOn) on(own wire.Target, l limits) graph.ProxySurface {
	t := own
	t.Surface, t.Provider = string(s.x.Surface.Type), s.x.Surface.Provider
	t.Backends = []string{backendName(s.ref)}
	t.BodyBytes = l.of(s.x.Surface.Type)
	return graph.ProxySurface{Hostname: s.x.Hostname, Port: s.x.Port, Backend: s.backend.Name, Target: t}
}

func (s surfaceOn) feed() feedv1.Backend {
	mode := wire.ModeGuard
	switch {
	case s.backend.Kind == graph.BackendAddresses:
		mode = wire.ModeHosts
	case s.backend.Inside:
		mode = wire.ModeInside
	}
	return feedv1.Backend{
		Ref: backendName(s.ref), Hostname: s.x.Hostname, Port: s.x.Port,
		Surface: s.x.Surface.Type, Provider: s.x.Surface.Provider,
		TLS: s.x.TLS != nil, Inspectable: s.x.inspectable(), Mode: mode, Cluster: s.backend.Name,
	}
}
