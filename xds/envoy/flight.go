package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	netprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_proc/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// firstFlight shows the guard what the TLS in a tunnel begins with, which
// decides what no filter here can see: the versions that are offered, and
// whether a name may be hidden. It stands right before what dials: behind the
// filter that looks the name up, or what it puts back would pass that by. The
// guard ends the side stream with its answer; without one the tunnel is closed.
func firstFlight(s Settings) *listenerv3.Filter {
	return networkFilter("envoy.filters.network.ext_proc", &netprocv3.NetworkExternalProcessor{
		StatPrefix: "flight",
		GrpcService: grpcService(ClusterFlight, 0,
			&corev3.HeaderValue{Key: wire.CallParent, Value: filterState(wire.StateHop)}),
		MessageTimeout: dur(s.checkTimeout()),
		ProcessingMode: &netprocv3.ProcessingMode{
			ProcessRead:  netprocv3.ProcessingMode_STREAMED,
			ProcessWrite: netprocv3.ProcessingMode_SKIP,
		},
	})
}
