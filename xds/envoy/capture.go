package envoy

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	networkauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_authz/v3"
	networkstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// What was redirected is never sent where it was going: the address that the
// client had is not asked for. Plain HTTP is read as a proxy reads it. Of TLS a
// tunnel is made to the name that its first bytes have, which goes to an
// internal listener where the same is asked and done as of a CONNECT. By
// HTTP/1.1: by HTTP/2 answers were cut when the server closed (measured).

// captureListener is the listener of captured TLS.
func captureListener(l *graph.Listener, s Settings) *listenerv3.Listener {
	return captureListenerOf(ListenerName(l), l.Name, l.Capture, socketAddress(l.Address, l.Port), s)
}

// captureListenerOf is a listener of captured TLS at an address.
func captureListenerOf(name, table string, c *graph.ListenerCapture, at *corev3.Address, s Settings) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:    name,
		Address: at,
		ListenerFilters: []*listenerv3.ListenerFilter{
			listenerFilter("envoy.filters.listener.tls_inspector", &tlsinspectorv3.TlsInspector{}),
		},
		ListenerFiltersTimeout: dur(requestHeaders),
		FilterChains: []*listenerv3.FilterChain{{
			Name:             "tls",
			FilterChainMatch: &listenerv3.FilterChainMatch{TransportProtocol: "tls"},
			Filters:          []*listenerv3.Filter{source(), tunnelTo(table, c.Port)},
		}, {
			Name:    "other",
			Filters: []*listenerv3.Filter{refused(c.Target, s), nowhere()},
		}},
		EnableReusePort:               no(),
		PerConnectionBufferLimitBytes: u32(listenerBuffer),
	}
}

// source keeps where a connection came from for the questions behind it.
func source() *listenerv3.Filter {
	return networkFilter("envoy.filters.network.set_filter_state", &networkstatev3.Config{
		OnNewConnection: []*statev3.FilterStateValue{stateValue(wire.StateSource, hashable, "%DOWNSTREAM_REMOTE_ADDRESS%")},
	})
}

// refused has the guard record that a connection is no TLS. It says no.
func refused(t wire.Target, s Settings) *listenerv3.Filter {
	return networkFilter("envoy.filters.network.ext_authz", &networkauthzv3.ExtAuthz{
		StatPrefix:          "capture",
		TransportApiVersion: corev3.ApiVersion_V3,
		GrpcService: grpcService(ClusterAuthz, s.checkTimeout(),
			&corev3.HeaderValue{Key: wire.CallCapture, Value: Escape(t.String())}),
	})
}

// tunnelTo asks for a tunnel to the name in a connection's TLS, and puts the
// connection into it as it came.
func tunnelTo(table string, port uint16) *listenerv3.Filter {
	return networkFilter("envoy.filters.network.tcp_proxy", &tcpproxyv3.TcpProxy{
		StatPrefix:       wire.CaptureName(table),
		ClusterSpecifier: &tcpproxyv3.TcpProxy_Cluster{Cluster: wire.CaptureName(table)},
		// The hold and the deadline end a quiet tunnel.
		IdleTimeout:     dur(0),
		TunnelingConfig: &tcpproxyv3.TcpProxy_TunnelingConfig{Hostname: fmt.Sprintf("%%REQUESTED_SERVER_NAME%%:%d", port)},
	})
}

// nowhere closes a connection that nobody has refused.
func nowhere() *listenerv3.Filter {
	return networkFilter("envoy.filters.network.tcp_proxy", &tcpproxyv3.TcpProxy{
		StatPrefix:          "nowhere",
		ClusterSpecifier:    &tcpproxyv3.TcpProxy_Cluster{Cluster: "hopgate/nowhere"},
		UpstreamConnectMode: tcpproxyv3.UpstreamConnectMode_ON_DOWNSTREAM_DATA,
		MaxEarlyDataBytes:   u32(earlyDataBytes),
	})
}

// CaptureTunnels is what a listener of captured TLS needs besides: the internal
// listener that its tunnels enter, and the way there.
func CaptureTunnels(table string, s Settings) []Named {
	name := wire.CaptureName(table)
	return []Named{named(name, captureCluster(name)), named(name, &listenerv3.Listener{
		Name:              name,
		ListenerSpecifier: &listenerv3.Listener_InternalListener{InternalListener: &listenerv3.Listener_InternalListenerConfig{}},
		FilterChains: []*listenerv3.FilterChain{{
			Name: chainName, Filters: []*listenerv3.Filter{manager(shapeCaptureTLS, cacheGuard, table, s)},
		}},
		PerConnectionBufferLimitBytes: u32(listenerBuffer),
	})}
}

// captureCluster asks for one tunnel by each connection: a refused one would
// wait for the next client of the same address otherwise.
func captureCluster(name string) *clusterv3.Cluster {
	c := innerCluster(name)
	o := explicitHTTP1()
	o.CommonHttpProtocolOptions = idleFor(idleOfHop)
	o.CommonHttpProtocolOptions.MaxRequestsPerConnection = u32(1)
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{protocolOptionsName: pack(o)}
	return c
}

// captureTunnels lead what is captured to the internal listeners of tunnels,
// which compare its name again. No rule opens another way.
func captureTunnels() []*routev3.Route {
	var out []*routev3.Route
	for _, m := range tunnelModes() {
		out = append(out, tunnelRoute(m), inspectRoute(m))
	}
	return out
}

// captureRequests lead requests where Check says.
func captureRequests(hosts []string) []*routev3.Route {
	var out []*routev3.Route
	for _, m := range tunnelModes() {
		if m != wire.ModeHosts {
			out = append(out, modeRoute("captured-"+m, anyPath(), m, directName(cache(m)), false))
		}
	}
	for _, c := range hosts {
		out = append(out, onCluster(modeRoute("captured-hosts:"+c, anyPath(), wire.ModeHosts, c, false), c))
	}
	return out
}
