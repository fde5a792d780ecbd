package translate

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// captures reports whether listeners of a protocol take what was redirected.
func captures(p gatewayv1.ProtocolType) bool {
	return p == v1alpha1.ProtocolCaptureTLS || p == v1alpha1.ProtocolCaptureHTTP
}

// entryOf is how hops enter by a listener that leads to anywhere.
func entryOf(k graph.ListenerKind) wire.Entry {
	switch k {
	case graph.ListenerCaptureTLS:
		return wire.EntryCaptureTLS
	case graph.ListenerCaptureHTTP:
		return wire.EntryCaptureHTTP
	default:
		return wire.EntryProxy
	}
}

// listenerPort is the port that what a listener captures was for.
type listenerPort struct {
	Name string
	Port uint16
}

func (p *configParser) captured(list []v1alpha1.ListenerConfig) {
	for i := range list {
		switch port := list[i].CapturedPort; {
		case port == nil:
		case *port < 1 || *port > 65535:
			p.fail("spec.listeners[%d].capturedPort: %d is not between 1 and 65535", i, *port)
		default:
			p.fact.Captured = append(p.fact.Captured, listenerPort{list[i].Name, uint16(*port)})
		}
	}
}

// captured is the port that what l captures was for; 0: it captures nothing.
func (c *configFact) captured(l baseListener) uint16 {
	if !captures(gatewayv1.ProtocolType(l.Protocol)) {
		return 0
	}
	for _, p := range c.Captured {
		if p.Name == l.Name {
			return p.Port
		}
	}
	if l.Kind == graph.ListenerCaptureHTTP {
		return 80
	}
	return 443
}

// captureProblem finds captured ports of listeners that capture nothing, or
// that no Gateway has, and trust domains of those that see no token.
func (c *configFact) captureProblem(sections []mark) error {
	var err error
	for _, l := range c.Listeners {
		if len(l.Trust) > 0 && slices.Contains(sections, mark{Section: l.Name, Text: v1alpha1.ProtocolCaptureTLS}) {
			err = joined(err, reject(reasonInvalid, "spec.listeners: listener %s has protocol %s, and captured TLS carries no token: its trustDomainRefs hold for nothing: leave them out",
				quote(l.Name), v1alpha1.ProtocolCaptureTLS))
		}
	}
	for _, p := range c.Captured {
		if !slices.ContainsFunc(sections, func(m mark) bool { return m.Section == p.Name && captures(gatewayv1.ProtocolType(m.Text)) }) {
			err = joined(err, reject(reasonListenerNotFound,
				"spec.listeners: no Gateway that is run with it has a listener %s of protocol %s or %s, and only these have a capturedPort: leave it out, or name such a listener",
				quote(p.Name), v1alpha1.ProtocolCaptureTLS, v1alpha1.ProtocolCaptureHTTP))
		}
	}
	return err
}

// capture is what is known of what l captures before it is read; nil: nothing
// has to be.
func (g *gatewayBuilder) capture(l baseListener) *graph.ListenerCapture {
	if l.Kind != graph.ListenerCaptureTLS {
		return nil
	}
	return &graph.ListenerCapture{
		Target: wire.Target{Entry: entryOf(l.Kind), Gateway: keyOf(g.ref).String(), Listener: l.Name},
		Port:   g.r.configOf(g.base.Config).captured(l),
	}
}
