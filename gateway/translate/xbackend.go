package translate

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
)

// externalBackend is an XBackend that was understood.
type externalBackend struct {
	Hostname string
	Port     uint16
	Surface  surface
	Protocol graph.Protocol
	TLS      *graph.BackendTLS
	Registry registryPlace
}

// Protocols of 1.7 that the Go types of 1.6.3 do not name.
const backendProtocolWSS = gatewayxv1alpha1.BackendProtocol("WSS")

func readXBackend(r *reader, ref source.Ref) {
	o, ok := r.object(ref)
	v, _ := o.Value.(*gatewayxv1alpha1.XBackend)
	if !ok || v == nil {
		return
	}
	f := &backendFact{}
	x, err := r.external(v)
	if o.Broken != nil {
		err = reject(reasonInvalid, "%s", o.Broken.Reason)
	}
	if err != nil {
		f.Reason, f.Message = rejected(err)
		f.Closed = claimed(v)
	} else {
		f.X = x
	}
	say(r, factBackend, ref, f)
}

// claimed is the destination of an XBackend, whatever else is wrong about it.
// Without a port it is every port.
func claimed(v *gatewayxv1alpha1.XBackend) *destination {
	port := v.Spec.Port.Port
	if v.Spec.ExternalHostname == nil {
		return nil
	}
	if port < 1 || port > 65535 {
		port = 0
	}
	host, ok := hostName(string(v.Spec.ExternalHostname.Hostname))
	if !ok {
		return nil
	}
	return &destination{host, uint16(port)}
}

func (r *reader) external(v *gatewayxv1alpha1.XBackend) (*externalBackend, error) {
	x := &externalBackend{Port: uint16(v.Spec.Port.Port)}
	if v.Spec.Type != gatewayxv1alpha1.BackendTypeExternalHostname || v.Spec.ExternalHostname == nil {
		return nil, reject(reasonInvalid, "spec.type: %s is not supported, only ExternalHostname", quote(string(v.Spec.Type)))
	}
	host, ok := hostName(string(v.Spec.ExternalHostname.Hostname))
	if !ok || inCluster(host) {
		return nil, reject(reasonInvalid, "spec.externalHostname.hostname: %s is no external host name", quote(string(v.Spec.ExternalHostname.Hostname)))
	}
	x.Hostname = host
	if v.Spec.Port.Port < 1 || v.Spec.Port.Port > 65535 {
		return nil, reject(reasonInvalid, "spec.port: is not between 1 and 65535")
	}
	var err error
	if x.TLS, err = r.backendTLS(v); err != nil {
		return nil, err
	}
	if err := x.readProtocol(v.Spec.Protocol); err != nil {
		return nil, err
	}
	return x, x.readSurface(v)
}

// readProtocol reads how to talk to the backend.
func (x *externalBackend) readProtocol(p *gatewayxv1alpha1.BackendProtocol) error {
	x.Surface, x.Protocol = plain(), graph.ProtocolAuto
	if p == nil {
		return nil
	}
	switch *p {
	case gatewayxv1alpha1.BackendProtocolHTTP:
	case gatewayxv1alpha1.BackendProtocolHTTP11:
		x.Protocol = graph.ProtocolHTTP1
	case gatewayxv1alpha1.BackendProtocolMCP:
		x.Surface = surface{Type: v1alpha1.SurfaceTools}
	case gatewayxv1alpha1.BackendProtocolHTTP2, gatewayxv1alpha1.BackendProtocolGRPC:
		x.Protocol = graph.ProtocolHTTP2
	case gatewayxv1alpha1.BackendProtocolH2C:
		x.Protocol = graph.ProtocolHTTP2
		if x.TLS != nil {
			return reject(reasonInvalid, "spec.protocol: H2C is HTTP/2 without TLS, and spec.tls is given")
		}
	case backendProtocolWSS:
		x.Protocol = graph.ProtocolHTTP1
		if x.TLS == nil {
			return reject(reasonInvalid, "spec.protocol: WSS goes over TLS, and spec.tls is not given")
		}
	default:
		return reject(string(gatewayv1.RouteReasonUnsupportedProtocol), "spec.protocol: %s is not supported", quote(string(*p)))
	}
	return nil
}

// readSurface reads the annotation that stands in for appProtocol.
func (x *externalBackend) readSurface(v *gatewayxv1alpha1.XBackend) error {
	value, ok := v.Annotations[v1alpha1.AnnotationAppProtocol]
	if !ok {
		return x.readRegistry(v)
	}
	s, ok := surfaceOf(value)
	if !ok {
		return reject(string(gatewayv1.RouteReasonUnsupportedProtocol), "metadata.annotations[%s]: %s is not supported", v1alpha1.AnnotationAppProtocol, quote(value))
	}
	if x.Surface.Type == v1alpha1.SurfaceTools && s != x.Surface {
		return reject(reasonInvalid, "metadata.annotations[%s]: says %s, and spec.protocol MCP", v1alpha1.AnnotationAppProtocol, s)
	}
	x.Surface = s
	return x.readRegistry(v)
}

// inCluster says whether a name is one of Kubernetes' own.
func inCluster(host string) bool {
	return host == "cluster.local" || strings.HasSuffix(host, ".cluster.local")
}

// name is the cluster's name, which says how the host name is resolved too:
// Gateways that differ in that use clusters of their own.
func (e *egressFact) backend(ref source.Ref, x *externalBackend) *graph.Backend {
	b := &graph.Backend{
		Name: backendName(ref), Owner: ownerOf(ref), Kind: graph.BackendName,
		Hostname: x.Hostname, Port: x.Port, Protocol: x.Protocol, TLS: x.TLS,
	}
	if e == nil {
		return b
	}
	if h, ok := e.host(x.Hostname); ok && h.opens(x.Port) {
		b.Kind = graph.BackendAddresses
		b.Name = fmt.Sprintf("%s/hosts/%s/%s", b.Name, e.Ref.Namespace, e.Ref.Name)
		b.Addresses = h.sockets(x.Port)
	} else if len(e.Ranges) > 0 {
		b.Inside = true
		b.Name += "/inside"
	}
	return b
}
