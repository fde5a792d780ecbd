package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	proxyprotocolv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/proxy_protocol/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// Canaries are what hopgate proves an Envoy by: a listener of each shape on a
// unix socket, with the connection managers, filters and internal listeners
// that serve, and clusters at its own ends. Their routes lead there and
// nowhere else, and to those clusters leads no other route that a hop is sent
// by: Check names the cluster, and names these to canaries alone.
func Canaries(s Settings) []Named {
	if s.CanaryDir == "" {
		return nil
	}
	var out []Named
	for _, d := range wire.CanaryDestinations() {
		out = append(out, named(wire.CanaryName(d), canaryCluster(d, s)))
	}
	for _, l := range wire.CanaryListeners() {
		name := wire.CanaryName(l)
		out = append(out, named(name, canaryListener(l, s)), named(name, canaryTable(l)))
	}
	return append(out, CaptureTunnels(wire.CanaryName(wire.CanaryTLS), s)...)
}

// canaryRequests are the destinations of requests. To the others leads no
// route: a tunnel whose TLS passes goes to the cluster that filter state names.
func canaryRequests() []string { return []string{wire.CanaryOne, wire.CanaryTwo} }

// canaryListener answers this user alone: it is closed to others by its folder
// and by its mode.
func canaryListener(listener string, s Settings) *listenerv3.Listener {
	at, name := pipe(wire.CanarySocket(s.CanaryDir, listener)), wire.CanaryName(listener)
	at.GetPipe().Mode = 0o600
	if listener == wire.CanaryTLS {
		c := &graph.ListenerCapture{Target: wire.CanaryTarget(listener), Port: wire.CanaryPort}
		out := captureListenerOf(name, name, c, at, s)
		// By a socket all come from nowhere: a canary says where it comes from.
		out.ListenerFilters = append([]*listenerv3.ListenerFilter{
			listenerFilter("envoy.filters.listener.proxy_protocol", &proxyprotocolv3.ProxyProtocol{}),
		}, out.GetListenerFilters()...)
		return out
	}
	return listenerOf(name, canaryShape(listener), name, at, s)
}

func canaryShape(listener string) shape {
	switch listener {
	case wire.CanaryProxy:
		return shapeProxy
	case wire.CanaryTLS:
		return shapeCaptureTLS
	case wire.CanaryHTTP:
		return shapeCaptureHTTP
	default:
		return shapeRoutes
	}
}

// canaryCluster reaches hopgate's own end, as a cluster of fixed addresses
// reaches its.
func canaryCluster(destination string, s Settings) *clusterv3.Cluster {
	name := wire.CanaryName(destination)
	return &clusterv3.Cluster{
		Name:                          name,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:                dur(connectTimeout),
		CircuitBreakers:               manyOf(),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{protocolOptionsName: pack(explicitHTTP1())},
		PerConnectionBufferLimitBytes: u32(listenerBuffer),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{
				LbEndpoints: []*endpointv3.LbEndpoint{pipeEndpoint(wire.CanarySocket(s.CanaryDir, destination))},
			}},
		},
	}
}

// canaryTable is the route table of a listener of canaries.
func canaryTable(listener string) *routev3.RouteConfiguration {
	out := tableOf(wire.CanaryName(listener))
	sh, target := canaryShape(listener), wire.CanaryTarget(listener)
	if sh == shapeRoutes {
		out.VirtualHosts = append(out.VirtualHosts, vhost("*", []string{"*"}, sh, target, []*routev3.Route{canaryRoute()}))
		return out
	}
	out.IgnorePortInHostMatching = false
	out.VirtualHosts = append(out.VirtualHosts, proxyHost(sh, target, canaryProxy(sh)))
	return out
}

// canaryRoute is that of the shape that has HTTPRoutes: it leads to the first
// destination.
func canaryRoute() *routev3.Route {
	return &routev3.Route{Name: "canary", Match: anyPath(), Action: &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: wire.CanaryName(wire.CanaryOne)},
		Timeout:          dur(0),
	}}}
}

// canaryProxy are the routes of the shapes that lead to anywhere: tunnels by
// each mode, and requests to both destinations.
func canaryProxy(sh shape) []*routev3.Route {
	var out []*routev3.Route
	if sh.tunnels() {
		out = captureTunnels()
	}
	if sh == shapeCaptureTLS {
		return out
	}
	for _, d := range canaryRequests() {
		out = append(out, absoluteHosts(wire.CanaryName(d)))
	}
	return out
}

// canaryInner are the routes of canaries inside a tunnel. They come before the
// mode's own, which goes by the mode alone.
func canaryInner(mode string, s Settings) []*routev3.Route {
	if s.CanaryDir == "" {
		return nil
	}
	var out []*routev3.Route
	for _, d := range canaryRequests() {
		out = append(out, innerHosts(mode, wire.CanaryName(d)))
	}
	return out
}
