package translate

import (
	"net/netip"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// baseFact is what is known of a Gateway of ours by itself. Gateways of other
// controllers have none.
type baseFact struct {
	Created time.Time
	// Accepted, or else Status, Reason and Message say why not.
	Accepted bool
	Pending  bool
	Reason   string
	Message  string
	// Config is its GatewayConfig; zero: none, the defaults hold.
	Config  source.Ref
	Address netip.Addr
	// Listeners are in the order of the object, also those that do not work.
	Listeners []baseListener
}

// baseListener is one listener by itself and beside its siblings.
type baseListener struct {
	Name     string
	Port     uint16
	Protocol string
	Kind     graph.ListenerKind
	TLS      bool
	// Hostname is in its one spelling; "*": any.
	Hostname string
	// Reason and Message say why it does not work; empty: it does.
	Reason, Message string
	// Conflict is the reason of a Conflicted condition.
	Conflict string
}

func (l baseListener) ok() bool { return l.Reason == "" }

func readBase(r *reader, ref source.Ref) {
	v, ok := get[*gatewayv1.Gateway](r, kindGateway, ref.Namespace, ref.Name)
	if !ok {
		return
	}
	class, err := r.gatewayClass(v.Spec.GatewayClassName)
	if class == nil && err == nil {
		return
	}
	f := &baseFact{Created: v.CreationTimestamp.Time}
	if err != nil {
		f.Pending, f.Reason, f.Message = true, string(gatewayv1.GatewayReasonPending), err.Error()
		say(r, factBase, ref, f)
		return
	}
	f.Listeners = readListeners(v.Spec.Listeners)
	f.Config, f.Address, err = r.parameters(v, class)
	f.Accepted = err == nil
	if err != nil {
		f.Reason, f.Message = rejected(err)
	}
	say(r, factBase, ref, f)
}

// parameters finds what the Gateway is run with, and where.
func (r *reader) parameters(v *gatewayv1.Gateway, class *classFact) (source.Ref, netip.Addr, error) {
	address, err := r.address(v.Spec.Addresses)
	if err != nil {
		return source.Ref{}, address, err
	}
	if class.Problem != "" {
		return source.Ref{}, address, reject(string(gatewayv1.GatewayReasonInvalidParameters),
			"GatewayClass %s is not accepted: %s", v.Spec.GatewayClassName, class.Problem)
	}
	if v.Spec.Infrastructure == nil || v.Spec.Infrastructure.ParametersRef == nil {
		return class.Config, address, nil
	}
	p := v.Spec.Infrastructure.ParametersRef
	config, err := r.config(string(p.Group), string(p.Kind), v.Namespace, p.Name, "spec.infrastructure.parametersRef")
	return config, address, err
}

// address is the one that the Gateway listens on.
func (r *reader) address(list []gatewayv1.GatewaySpecAddress) (netip.Addr, error) {
	const reason = string(gatewayv1.GatewayReasonUnsupportedAddress)
	if len(list) == 0 || len(list) == 1 && list[0].Value == "" && addressType(list[0]) == gatewayv1.IPAddressType {
		return r.t.cfg.DefaultAddress, nil
	}
	if len(list) > 1 {
		return netip.Addr{}, reject(reason, "spec.addresses: more than one is not supported")
	}
	if t := addressType(list[0]); t != gatewayv1.IPAddressType {
		return netip.Addr{}, reject(reason, "spec.addresses[0]: type %s is not supported, only IPAddress", t)
	}
	a, err := netip.ParseAddr(list[0].Value)
	if err != nil || a.Zone() != "" || a.Is4In6() || a.IsMulticast() {
		return netip.Addr{}, reject(reason, "spec.addresses[0]: %q is no address to listen on", list[0].Value)
	}
	return a, nil
}

func addressType(a gatewayv1.GatewaySpecAddress) gatewayv1.AddressType {
	if a.Type == nil {
		return gatewayv1.IPAddressType
	}
	return *a.Type
}

// readListeners reads each listener, and holds those of one port against each
// other. Of several that conflict none is taken: Gateway API (GatewaySpec,
// "Handling indistinct Listeners") lets nobody pick a winner in one Gateway.
func readListeners(list []gatewayv1.Listener) []baseListener {
	out := make([]baseListener, 0, len(list))
	for i := range list {
		out = append(out, readListener(&list[i]))
	}
	for i := range out {
		for j := range out {
			if i != j && out[i].ok() {
				out[i].Conflict = conflictOf(out[i], out[j], out[i].Conflict)
			}
		}
	}
	for i := range out {
		if out[i].Conflict != "" {
			out[i].Reason = out[i].Conflict
			out[i].Message = "another listener of this Gateway has the same port, and " + conflictText(&out[i])
		}
	}
	return out
}

func conflictOf(a, b baseListener, before string) string {
	switch {
	case !b.ok() || a.Port != b.Port:
		return before
	case a.Protocol != b.Protocol || a.TLS != b.TLS:
		return string(gatewayv1.ListenerReasonProtocolConflict)
	case a.Hostname == b.Hostname && before == "":
		return string(gatewayv1.ListenerReasonHostnameConflict)
	}
	return before
}

func conflictText(l *baseListener) string {
	switch {
	case l.Conflict == string(gatewayv1.ListenerReasonProtocolConflict):
		return "another protocol: give each a port of its own"
	case l.Kind.Egress():
		return "no hostname tells them apart: give each a port of its own"
	}
	return "the same hostname: give each a hostname or a port of its own"
}

func readListener(l *gatewayv1.Listener) baseListener {
	out := baseListener{
		Name: string(l.Name), Port: uint16(l.Port), Protocol: string(l.Protocol),
		Kind: graph.ListenerRoutes, Hostname: "*", TLS: l.TLS != nil,
	}
	fail := func(reason gatewayv1.ListenerConditionReason, message string) baseListener {
		out.Reason, out.Message = string(reason), message
		return out
	}
	switch l.Protocol {
	case gatewayv1.HTTPProtocolType, gatewayv1.HTTPSProtocolType:
	case v1alpha1.ProtocolProxy:
		out.Kind = graph.ListenerProxy
	case v1alpha1.ProtocolCaptureTLS:
		out.Kind = graph.ListenerCaptureTLS
	case v1alpha1.ProtocolCaptureHTTP:
		out.Kind = graph.ListenerCaptureHTTP
	default:
		return fail(gatewayv1.ListenerReasonUnsupportedProtocol, "protocol "+quote(string(l.Protocol))+" is not supported")
	}
	if l.Hostname != nil && *l.Hostname != "" {
		out.Hostname, out.Message = listenerHost(out.Kind, string(*l.Hostname))
	}
	if out.Message == "" {
		out.Message = listenerValues(l)
	}
	if out.Message != "" {
		out.Reason = string(gatewayv1.ListenerReasonUnsupportedValue)
	}
	return out
}

func listenerHost(kind graph.ListenerKind, s string) (host, problem string) {
	switch kind {
	case graph.ListenerProxy:
		return "*", "hostname: a Proxy listener has none: leave it out"
	case graph.ListenerCaptureTLS, graph.ListenerCaptureHTTP:
		return "*", "hostname: a capture listener has none: leave it out, rules say which names are open"
	}
	host, ok := hostPatternOf(s)
	if !ok {
		return "*", "hostname: " + quote(s) + " is no host name"
	}
	return host, ""
}

// listenerValues says what is wrong with the values of a listener.
func listenerValues(l *gatewayv1.Listener) string {
	switch {
	case !plainName(string(l.Name)):
		return "name: " + quote(string(l.Name)) + " is no name"
	case l.Port < 1 || l.Port > 65535:
		return "port: is not between 1 and 65535"
	case l.Protocol == gatewayv1.HTTPProtocolType && l.TLS != nil:
		return "tls: is not for protocol HTTP"
	case l.Protocol == gatewayv1.HTTPSProtocolType && l.TLS == nil:
		return "tls: is needed for protocol HTTPS"
	case captures(l.Protocol) && l.TLS != nil:
		return "tls: is not for protocol " + string(l.Protocol) + ", which ends no TLS of its own: leave it out"
	case l.TLS != nil && l.TLS.Mode != nil && *l.TLS.Mode != gatewayv1.TLSModeTerminate && *l.TLS.Mode != "":
		return "tls.mode: " + quote(string(*l.TLS.Mode)) + " is not supported, only Terminate"
	case l.TLS != nil && len(l.TLS.Options) > 0:
		return "tls.options: are not supported"
	}
	return ""
}
