package envoy

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/hopgate/hopgate/gateway/graph"
)

// chainName is that of a listener's one filter chain: a rename would drain.
const chainName = "c0"

// ListenerName is the name of the Envoy listener of l: one at another address
// is another one. Under one name Envoy would bind the new address before it
// lets go of the old one, which is refused where one of them holds the other.
func ListenerName(l *graph.Listener) string { return l.Name + "@" + l.Address.String() }

// ListenerOf is the graph's name of the listener that has this name in Envoy.
func ListenerOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	return name
}

// Listener is the Envoy listener of l.
func Listener(l *graph.Listener, s Settings) *listenerv3.Listener {
	if l.Kind == graph.ListenerCaptureTLS {
		return captureListener(l, s)
	}
	out := listenerOf(ListenerName(l), shapeOf(l.Kind), l.Name, socketAddress(l.Address, l.Port), s)
	if l.TLS != nil {
		out.FilterChains[0].TransportSocket = downstreamTLS(l.TLS)
	}
	return out
}

// listenerOf is a listener of a shape at an address.
func listenerOf(name string, sh shape, table string, at *corev3.Address, s Settings) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:    name,
		Address: at,
		FilterChains: []*listenerv3.FilterChain{{
			Name:    chainName,
			Filters: []*listenerv3.Filter{manager(sh, cacheGuard, table, s)},
		}},
		// With reuse_port a second process of the same user would share the
		// port, and the traffic, without a word.
		EnableReusePort:               no(),
		PerConnectionBufferLimitBytes: u32(listenerBuffer),
	}
}

func shapeOf(k graph.ListenerKind) shape {
	switch k {
	case graph.ListenerProxy:
		return shapeProxy
	case graph.ListenerCaptureTLS:
		return shapeCaptureTLS
	case graph.ListenerCaptureHTTP:
		return shapeCaptureHTTP
	default:
		return shapeRoutes
	}
}
