package envoy

import (
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	internallistenerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/bootstrap/internal_listener/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	heapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// Bootstrap is what cannot come by xDS: who this Envoy is, the clusters of
// the guard's socket, and the extension that internal listeners need.
type Bootstrap struct {
	// NodeID is this Envoy's name towards the guard.
	NodeID string
	// AdminSocket is a unix socket; nothing that is proxied can reach it.
	AdminSocket string
	// MaxConnections bounds downstream connections; 0: 50000.
	MaxConnections int64
	// MaxHeapBytes bounds Envoy's memory: near it the largest streams are reset
	// and new requests refused. 0: 1 GiB.
	MaxHeapBytes uint64
}

// Message is the bootstrap.
func (b Bootstrap) Message(s Settings) *bootstrapv3.Bootstrap {
	return &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: b.NodeID, Cluster: "hopgate"},
		Admin: &bootstrapv3.Admin{Address: &corev3.Address{Address: &corev3.Address_Pipe{
			Pipe: &corev3.Pipe{Path: b.AdminSocket, Mode: 0o600},
		}}},
		BootstrapExtensions: []*corev3.TypedExtensionConfig{{
			Name: "envoy.bootstrap.internal_listener", TypedConfig: pack(&internallistenerv3.InternalListener{}),
		}},
		DynamicResources: &bootstrapv3.Bootstrap_DynamicResources{
			AdsConfig: &corev3.ApiConfigSource{
				ApiType:                   corev3.ApiConfigSource_DELTA_GRPC,
				TransportApiVersion:       corev3.ApiVersion_V3,
				GrpcServices:              []*corev3.GrpcService{xdsService()},
				SetNodeOnFirstMessageOnly: true,
			},
			CdsConfig: ads(),
			LdsConfig: ads(),
		},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{Clusters: socketClusters(s.Socket)},
		OverloadManager: b.overload(),
		LayeredRuntime:  runtime(),
	}
}

func socketClusters(socket string) []*clusterv3.Cluster {
	var out []*clusterv3.Cluster
	for _, n := range []string{ClusterXDS, ClusterAuthz, ClusterHold, ClusterLog, ClusterFlight} {
		out = append(out, SocketCluster(n, socket))
	}
	return append(out, secretsCluster(socket))
}

// secretsCluster has a stream for each name that a client's TLS asks for: the
// client chooses those, and must not starve others.
func secretsCluster(socket string) *clusterv3.Cluster {
	c := SocketCluster(ClusterSecrets, socket)
	c.CircuitBreakers.Thresholds[0].MaxRequests = u32(maxSecrets)
	c.CircuitBreakers.Thresholds[0].MaxPendingRequests = u32(maxSecrets)
	return c
}

func (b Bootstrap) overload() *overloadv3.OverloadManager {
	most := b.MaxConnections
	if most <= 0 {
		most = 50_000
	}
	return &overloadv3.OverloadManager{
		RefreshInterval: dur(overloadLook),
		ResourceMonitors: []*overloadv3.ResourceMonitor{
			{
				Name: "envoy.resource_monitors.global_downstream_max_connections",
				ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: pack(&connectionsv3.DownstreamConnectionsConfig{
					MaxActiveDownstreamConnections: most,
				})},
			},
			{
				Name:       heapMonitor,
				ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: pack(&heapv3.FixedHeapConfig{MaxHeapSizeBytes: b.heap()})},
			},
		},
		BufferFactoryConfig: &overloadv3.BufferFactoryConfig{MinimumAccountToTrackPowerOfTwo: largeStream},
		Actions: []*overloadv3.OverloadAction{
			{Name: "envoy.overload_actions.shrink_heap", Triggers: above(0.9)},
			{Name: "envoy.overload_actions.reset_high_memory_stream", Triggers: between(0.85, 0.97)},
			{Name: "envoy.overload_actions.stop_accepting_requests", Triggers: above(0.95)},
		},
	}
}

const (
	heapMonitor = "envoy.resource_monitors.fixed_heap"
	// overloadLook is how often memory is looked at.
	overloadLook = 250 * time.Millisecond
	// largeStream is what counts as a stream with much memory: 2^20 bytes.
	largeStream = 20
)

func (b Bootstrap) heap() uint64 {
	if b.MaxHeapBytes == 0 {
		return 1 << 30
	}
	return b.MaxHeapBytes
}

// above is a trigger at a part of the heap's bound.
func above(part float64) []*overloadv3.Trigger {
	return []*overloadv3.Trigger{{Name: heapMonitor, TriggerOneof: &overloadv3.Trigger_Threshold{
		Threshold: &overloadv3.ThresholdTrigger{Value: part},
	}}}
}

// between is a trigger that grows from one part of the heap's bound to another.
func between(low, high float64) []*overloadv3.Trigger {
	return []*overloadv3.Trigger{{Name: heapMonitor, TriggerOneof: &overloadv3.Trigger_Scaled{
		Scaled: &overloadv3.ScaledTrigger{ScalingThreshold: low, SaturationThreshold: high},
	}}}
}

// runtime lifts the size of an expression from 100, which a list of host
// names reaches, and keeps a bound.
func runtime() *bootstrapv3.LayeredRuntime {
	values, err := structpb.NewStruct(map[string]any{"re2.max_program_size.error_level": maxRegexProgram})
	if err != nil {
		panic("build runtime: " + err.Error())
	}
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "hopgate", LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: values},
	}}}
}
