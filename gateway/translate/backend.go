package translate

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// backendFact is what a Service or XBackend is to those that send to it.
type backendFact struct {
	// Reason and Message say why nothing can be sent to it; empty: it can.
	Reason, Message string
	// Ports are those of a Service.
	Ports []backendPort
	// X is an XBackend.
	X *externalBackend
	// Closed is the destination that an XBackend claims which is not accepted;
	// nil: that cannot be read.
	Closed *destination
}

// destination is a host name and port; 0: every one.
type destination struct {
	Hostname string
	Port     uint16
}

// backendPort is one port of a Service.
type backendPort struct {
	Number uint16
	// Name is that of the ports of its EndpointSlices.
	Name            string
	Surface         surface
	Protocol        graph.Protocol
	Reason, Message string
}

func (f *backendFact) port(number uint16) (backendPort, bool) {
	for _, p := range f.Ports {
		if p.Number == number {
			return p, true
		}
	}
	return backendPort{}, false
}

func readBackend(r *reader, ref source.Ref) {
	if ref.Kind == kindXBackend {
		readXBackend(r, ref)
		return
	}
	v, ok := get[*corev1.Service](r, kindService, ref.Namespace, ref.Name)
	if !ok {
		return
	}
	f := &backendFact{}
	if v.Spec.Type == corev1.ServiceTypeExternalName {
		f.Reason = string(gatewayv1.RouteReasonInvalidKind)
		f.Message = fmt.Sprintf("%s is of type ExternalName, which is not supported: use an XBackend", ref)
	}
	for i := range v.Spec.Ports {
		f.Ports = append(f.Ports, readPort(ref, &v.Spec.Ports[i]))
	}
	say(r, factBackend, ref, f)
}

func readPort(ref source.Ref, p *corev1.ServicePort) backendPort {
	out := backendPort{Number: uint16(p.Port), Name: p.Name}
	if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
		out.Reason = string(gatewayv1.RouteReasonUnsupportedProtocol)
		out.Message = fmt.Sprintf("port %d of %s is %s", p.Port, ref, p.Protocol)
		return out
	}
	var ok bool
	out.Surface, out.Protocol, ok = portSurface(p.AppProtocol)
	if !ok {
		out.Reason = string(gatewayv1.RouteReasonUnsupportedProtocol)
		out.Message = fmt.Sprintf("port %d of %s has appProtocol %s, which is not supported", p.Port, ref, quote(*p.AppProtocol))
	}
	return out
}
