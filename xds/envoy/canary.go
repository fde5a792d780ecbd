package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Canaries are what hopgate proves an Envoy by: a listener of each shape on a
// unix socket, with the connection managers, filters and internal listeners
// that serve, and two clusters at its own end. Their routes lead there and
// nowhere else, and to those clusters leads no other route that a hop is sent
// by: Check names the cluster, and names these to canaries alone.
func Canaries(s Settings) []Named {
	if s.CanaryDir == "" {
		return nil
	}
	var out []Named
	for _, d := range canaryDestinations() {
		out = append(out, named(wire.CanaryName(d), canaryCluster(d, s)))
	}
	routes, proxy := wire.CanaryName(wire.CanaryRoutes), wire.CanaryName(wire.CanaryProxy)
	return append(out,
		named(routes, canaryListener(shapeRoutes, wire.CanaryRoutes, s)), named(routes, canaryRoutes()),
		named(proxy, canaryListener(shapeProxy, wire.CanaryProxy, s)), named(proxy, canaryProxy()))
}

func canaryDestinations() []string { return []string{wire.CanaryOne, wire.CanaryTwo} }

// canaryListener answers this user alone: it is closed to others by its folder
// and by its mode.
func canaryListener(sh shape, name string, s Settings) *listenerv3.Listener {
	at := pipe(wire.CanarySocket(s.CanaryDir, name))
	at.GetPipe().Mode = 0o600
	return listenerOf(wire.CanaryName(name), sh, wire.CanaryName(name), at, s)
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

// canaryRoutes is the table of the shape that has HTTPRoutes: one that leads
// to the first destination.
func canaryRoutes() *routev3.RouteConfiguration {
	out := tableOf(wire.CanaryName(wire.CanaryRoutes))
	r := &routev3.Route{Name: "canary", Match: anyPath(), Action: &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: wire.CanaryName(wire.CanaryOne)},
		Timeout:          dur(0),
	}}}
	out.VirtualHosts = append(out.VirtualHosts, vhost("*", []string{"*"}, shapeRoutes, wire.CanaryTarget(wire.CanaryRoutes), []*routev3.Route{r}))
	return out
}

// canaryProxy is the table of the shape of proxies: tunnels by each mode, and
// requests in absolute form to both destinations.
func canaryProxy() *routev3.RouteConfiguration {
	out := tableOf(wire.CanaryName(wire.CanaryProxy))
	out.IgnorePortInHostMatching = false
	var routes []*routev3.Route
	for _, m := range tunnelModes() {
		routes = append(routes, tunnelRoute(m), inspectRoute(m))
	}
	for _, d := range canaryDestinations() {
		routes = append(routes, absoluteHosts(wire.CanaryName(d)))
	}
	out.VirtualHosts = append(out.VirtualHosts, proxyHost(shapeProxy, wire.CanaryTarget(wire.CanaryProxy), routes))
	return out
}

// canaryInner are the routes of canaries inside a tunnel. They come before the
// mode's own, which goes by the mode alone.
func canaryInner(mode string, s Settings) []*routev3.Route {
	if s.CanaryDir == "" {
		return nil
	}
	var out []*routev3.Route
	for _, d := range canaryDestinations() {
		out = append(out, innerHosts(mode, wire.CanaryName(d)))
	}
	return out
}
