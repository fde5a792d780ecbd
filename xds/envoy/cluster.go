package envoy

import (
	"errors"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	clusterdfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dynamic_forward_proxy/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/graph"
)

const connectTimeout = 5 * time.Second

// Cluster is the one cluster of a backend, whoever routes to it.
func Cluster(b *graph.Backend, s Settings) (*clusterv3.Cluster, error) {
	c := &clusterv3.Cluster{
		Name:                          b.Name,
		ConnectTimeout:                dur(connectTimeout),
		CircuitBreakers:               manyOf(),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{protocolOptionsName: pack(protocolOptions(b))},
		PerConnectionBufferLimitBytes: u32(listenerBuffer),
	}
	switch b.Kind {
	case graph.BackendEndpoints:
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
		c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads()}
	case graph.BackendAddresses:
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
		c.LoadAssignment = fixedEndpoints(b)
	case graph.BackendName:
		discoverBy(c, backendCache(b), s)
	default:
		return nil, errors.New("build cluster " + b.Name + ": unknown kind " + string(b.Kind))
	}
	return c, upstreamTLS(c, b, s)
}

func backendCache(b *graph.Backend) cache {
	if b.Inside {
		return cacheInside
	}
	return cacheGuard
}

// discoverBy makes c resolve names by a guarded cache, the only kind of
// cluster that has an address filter.
func discoverBy(c *clusterv3.Cluster, k cache, s Settings) {
	c.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
	c.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
		Name: "envoy.clusters.dynamic_forward_proxy",
		TypedConfig: pack(&clusterdfpv3.ClusterConfig{
			ClusterImplementationSpecifier: &clusterdfpv3.ClusterConfig_DnsCacheConfig{DnsCacheConfig: k.config(s)},
			// The names that may be in a certificate are pinned by
			// upstreamTLS, where there is TLS.
			AllowInsecureClusterOptions: true,
		}),
	}}
}

// How long a connection is kept that nobody uses. What goes through a proxy
// has a pool for each tunnel, and for each caller of requests (see hashable), so
// that soon nobody ever will: it is given up before servers do that wait for five
// seconds, as many do, and a name, which routes lead to as well, sooner than the
// hour that Envoy would keep it.
const (
	idleOfHop  = 4 * time.Second
	idleOfName = time.Minute
)

func protocolOptions(b *graph.Backend) *httpv3.HttpProtocolOptions {
	o := protocolOf(b)
	switch b.Kind {
	case graph.BackendAddresses:
		o.CommonHttpProtocolOptions = idleFor(idleOfHop)
	case graph.BackendName:
		o.CommonHttpProtocolOptions = idleFor(idleOfName)
	}
	return o
}

func idleFor(d time.Duration) *corev3.HttpProtocolOptions {
	return &corev3.HttpProtocolOptions{IdleTimeout: dur(d)}
}

func protocolOf(b *graph.Backend) *httpv3.HttpProtocolOptions {
	switch {
	case b.Protocol == graph.ProtocolHTTP2:
		return explicitHTTP2(&corev3.Http2ProtocolOptions{})
	case b.Protocol == graph.ProtocolAuto && b.TLS != nil:
		return &httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_AutoConfig{
			AutoConfig: &httpv3.HttpProtocolOptions_AutoHttpConfig{
				HttpProtocolOptions: &corev3.Http1ProtocolOptions{}, Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
			},
		}}
	default:
		return explicitHTTP1()
	}
}

func explicitHTTP1() *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: &corev3.Http1ProtocolOptions{}},
		},
	}}
}

func fixedEndpoints(b *graph.Backend) *endpointv3.ClusterLoadAssignment {
	return assignment(&graph.Endpoints{Name: b.Name, Ready: b.Addresses})
}

// LoadAssignment is the EDS resource of e; without endpoints it is empty, and
// requests get 503 at once.
func LoadAssignment(e *graph.Endpoints) *endpointv3.ClusterLoadAssignment { return assignment(e) }

func assignment(e *graph.Endpoints) *endpointv3.ClusterLoadAssignment {
	out := &endpointv3.ClusterLoadAssignment{ClusterName: e.Name}
	if len(e.Ready) == 0 {
		return out
	}
	lo := &endpointv3.LocalityLbEndpoints{}
	for _, a := range e.Ready {
		lo.LbEndpoints = append(lo.LbEndpoints, lbEndpoint(socketAddress(a.Addr(), a.Port())))
	}
	out.Endpoints = []*endpointv3.LocalityLbEndpoints{lo}
	return out
}
