package translate

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// gatewayFact is what routes need to know of a Gateway. Nothing else is in it:
// what changes it makes all its routes be translated again.
type gatewayFact struct {
	// Accepted is false for a Gateway that serves nothing; Message says why.
	Accepted  bool
	Message   string
	Config    source.Ref
	Limits    limits
	Listeners []listenerFact
}

// listenerFact is one listener as routes see it.
type listenerFact struct {
	Name string
	Port uint16
	// Hostname is "*" for any.
	Hostname string
	// Table is the name of its route table.
	Table string
	// Routes: it takes HTTPRoutes.
	Routes bool
	// Shared: it is among those that share its port, whether it works or not.
	Shared bool
	// Serves: routes go to its table.
	Serves bool
	From   gatewayv1.FromNamespaces
	// Selector is for From Selector.
	Selector *metav1.LabelSelector
}

// listenersFact is what the status and the feed need of the listeners.
type listenersFact struct{ List []listenerState }

type listenerState struct {
	Base     baseListener
	Kinds    []gatewayv1.RouteGroupKind
	Accepted error
	Resolved error
	// Peers: clients are authenticated.
	Peers  bool
	Serves bool
}

func translateGateway(r *reader, ref source.Ref) {
	v, ok := get[*gatewayv1.Gateway](r, kindGateway, ref.Namespace, ref.Name)
	base := factOf[baseFact](r, factBase, ref)
	if !ok || base == nil {
		return
	}
	g := gatewayBuilder{r: r, v: v, ref: ref, base: base, lost: factOf[lostFact](r, factLost, ref)}
	config := r.configOf(base.Config)
	fact := &gatewayFact{Accepted: base.Accepted, Message: base.Message, Config: base.Config, Limits: config.Limits}
	states := &listenersFact{}
	for i := range base.Listeners {
		s := g.state(i)
		states.List = append(states.List, s)
		fact.Listeners = append(fact.Listeners, g.fact(i, s))
	}
	if base.Accepted {
		g.emit()
	}
	say(r, factGateway, ref, fact)
	say(r, factListeners, ref, states)
}

// configOf is the GatewayConfig under ref, or the defaults.
func (r *reader) configOf(ref source.Ref) *configFact {
	if ref != (source.Ref{}) {
		if f := factOf[configFact](r, factConfig, ref); f != nil {
			return f
		}
	}
	return defaultConfig(r.t.cfg)
}

// gatewayBuilder makes the listeners of one Gateway.
type gatewayBuilder struct {
	r    *reader
	v    *gatewayv1.Gateway
	ref  source.Ref
	base *baseFact
	lost *lostFact
	// listeners are by port, in the order of the object.
	listeners []*graph.Listener
}

func tableName(ref source.Ref, port uint16) string {
	return fmt.Sprintf("%s/%s/%d", ref.Namespace, ref.Name, port)
}

// state finds out whether a listener works, and adds it to its port.
func (g *gatewayBuilder) state(i int) listenerState {
	l := g.base.Listeners[i]
	s := listenerState{Base: l}
	s.Kinds, s.Resolved = routeKinds(&g.v.Spec.Listeners[i], l.Kind)
	if !l.ok() {
		s.Accepted = rejection{l.Reason, l.Message}
		return s
	}
	if to, lost := g.lost.to(l.Port); lost {
		s.Accepted = reject(string(gatewayv1.ListenerReasonPortUnavailable), "%s", portLost(l.Port, to))
		return s
	}
	if _, err := allowedFrom(&g.v.Spec.Listeners[i]); err != nil {
		s.Accepted = err
		return s
	}
	if !l.TLS {
		s.Serves = true
		g.add(l, nil)
		return s
	}
	g.secure(i, &s)
	return s
}

// secure adds a listener with TLS to its port, if it can be served.
func (g *gatewayBuilder) secure(i int, s *listenerState) {
	tls, usable, err := g.r.readTLS(g.v, &g.v.Spec.Listeners[i])
	pem, wanted, caErr := g.r.clientCA(g.v, s.Base.Port)
	s.Resolved = joined(s.Resolved, err)
	if caErr != nil {
		if reason, message := rejected(caErr); reason == string(gatewayv1.ListenerReasonUnsupportedValue) {
			s.Accepted = caErr
		} else if s.Resolved = joined(s.Resolved, caErr); len(pem) == 0 {
			s.Accepted = reject(string(gatewayv1.ListenerReasonNoValidCACertificate), "%s", message)
		}
	}
	if !usable || s.Accepted != nil {
		return
	}
	if wanted {
		s.Peers = true
		tls.ClientCA, tls.ClientCAName = pem, "ClientCA/"+tableName(g.ref, s.Base.Port)
	}
	s.Serves = true
	g.add(s.Base, &tls)
}

// add makes the listener of a port, or adds certificates to the one there is:
// listeners of one port differ in host names only.
func (g *gatewayBuilder) add(l baseListener, tls *graph.ListenerTLS) {
	name := tableName(g.ref, l.Port)
	for _, old := range g.listeners {
		if old.Name == name {
			if tls != nil {
				old.TLS.Certificates = withoutTwice(append(old.TLS.Certificates, tls.Certificates...))
			}
			return
		}
	}
	if tls != nil {
		tls.Certificates = withoutTwice(tls.Certificates)
	}
	g.listeners = append(g.listeners, &graph.Listener{
		Name: name, Owner: ownerOf(g.ref), Kind: l.Kind, Address: g.base.Address, Port: l.Port, TLS: tls,
		Capture: g.capture(l),
	})
}

func withoutTwice(list []graph.Certificate) []graph.Certificate {
	seen := map[string]bool{}
	out := list[:0]
	for _, c := range list {
		if !seen[c.Name] {
			seen[c.Name] = true
			out = append(out, c)
		}
	}
	return out
}

func (g *gatewayBuilder) fact(i int, s listenerState) listenerFact {
	l := &g.v.Spec.Listeners[i]
	from, _ := allowedFrom(l)
	f := listenerFact{
		Name: s.Base.Name, Port: s.Base.Port, Hostname: s.Base.Hostname, Table: tableName(g.ref, s.Base.Port),
		Routes: len(s.Kinds) > 0, Shared: s.Base.ok() && s.Base.Kind == graph.ListenerRoutes,
		Serves: g.base.Accepted && s.Serves && s.Base.Kind == graph.ListenerRoutes, From: from,
	}
	if from == gatewayv1.NamespacesFromSelector {
		f.Selector = l.AllowedRoutes.Namespaces.Selector
	}
	return f
}

func (g *gatewayBuilder) emit() {
	for _, l := range g.listeners {
		g.r.run.Put(&g.r.t.listeners, l.Name, l)
		g.r.run.Put(&g.r.t.tables.heads, l.Name, tableHead{l.Name, l.Owner})
		if f := g.isolation(l); f != nil {
			g.r.fragment(l.Name, f)
		}
	}
}

// isolation keeps the host names of a listener from falling to a wider one of
// the same port, where no route names them: it gives each a virtual host, in
// which all that no route matches is answered 404. The rule itself comes after
// all others (expressions are last, the longest first), and says just that.
func (g *gatewayBuilder) isolation(l *graph.Listener) *graph.Fragment {
	f := &graph.Fragment{Owner: ownerOf(g.ref), Created: afterAll()}
	siblings := 0
	for i, b := range g.base.Listeners {
		if !b.ok() || b.Port != l.Port || l.Kind != graph.ListenerRoutes {
			continue
		}
		siblings++
		if b.Hostname == "*" {
			continue
		}
		f.Rules = append(f.Rules, &graph.Rule{
			Index: i, Hostnames: []string{b.Hostname}, Status: 404,
			Matches: []graph.Match{{PathKind: graph.MatchRegex, Path: "."}},
			Target:  wire.Target{Entry: wire.EntryRoute, Gateway: keyOf(g.ref).String()},
		})
	}
	if siblings < 2 || len(f.Rules) == 0 {
		return nil
	}
	return f
}

// afterAll is later than any object was made.
func afterAll() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }
