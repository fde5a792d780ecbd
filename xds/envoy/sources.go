package envoy

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

const protocolOptionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// ads is a subscription on the one stream. It waits for ever: a port that has
// no routes yet is closed, not open with 404s.
func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		InitialFetchTimeout:   dur(0),
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

// grpcService calls the guard through one of its clusters; timeout 0: none.
func grpcService(cluster string, timeout time.Duration, initial ...*corev3.HeaderValue) *corev3.GrpcService {
	s := &corev3.GrpcService{
		TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
			ClusterName: cluster, MaxReceiveMessageLength: u32(maxAnswer),
		}},
		InitialMetadata: initial,
	}
	if timeout > 0 {
		s.Timeout = dur(timeout)
	}
	return s
}

// xdsService is where all configuration comes from. A route table may be large.
func xdsService() *corev3.GrpcService {
	s := grpcService(ClusterXDS, 0)
	s.GetEnvoyGrpc().MaxReceiveMessageLength = u32(MaxMessage)
	return s
}

// SocketCluster reaches one service of the guard on its socket.
func SocketCluster(name, socket string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                          name,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:                dur(time.Second),
		CircuitBreakers:               manyOf(),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{protocolOptionsName: pack(socketHTTP2())},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints:   []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{pipeEndpoint(socket)}}},
		},
	}
}

func pipeEndpoint(path string) *endpointv3.LbEndpoint { return lbEndpoint(pipe(path)) }

func lbEndpoint(a *corev3.Address) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: a}}}
}

// socketHTTP2 finds a guard that hangs within two seconds.
func socketHTTP2() *httpv3.HttpProtocolOptions {
	return explicitHTTP2(&corev3.Http2ProtocolOptions{
		MaxConcurrentStreams: u32(1024),
		ConnectionKeepalive:  &corev3.KeepaliveSettings{Interval: dur(time.Second), Timeout: dur(time.Second)},
	})
}

func explicitHTTP2(o *corev3.Http2ProtocolOptions) *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: o},
			},
		},
	}
}

// manyOf lifts the default of 1024, which would cap live streams.
func manyOf() *clusterv3.CircuitBreakers {
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections: u32(manyRequests), MaxPendingRequests: u32(manyRequests), MaxRequests: u32(manyRequests),
	}}}
}
