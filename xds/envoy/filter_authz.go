package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// authzName is the filter's name by shape: ECDS ties it to the resource.
func authzName(sh shape) string { return "authz." + string(sh) }

// authz asks the guard. A body is sent only where a route asks for it:
// CONNECT, WebSocket and gRPC would hang. The setting here is for its form
// alone, which a route cannot choose: as bytes, or Envoy would mend what is
// not UTF-8, and the guard would judge another body than the backend gets. No
// header is kept back: rules may ask for any but secrets, what is sent in one
// counts as sent, and Envoy's configuration is not to change for a rule.
func authz(sh shape, s Settings) Filter {
	cfg := &authzv3.ExtAuthz{
		TransportApiVersion:    corev3.ApiVersion_V3,
		Services:               &authzv3.ExtAuthz_GrpcService{GrpcService: authzService(sh, s)},
		StatusOnError:          &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		IncludePeerCertificate: sh == shapeRoutes,
		IncludeTlsSession:      sh == shapeRoutes,
		WithRequestBody:        &authzv3.BufferSettings{MaxRequestBytes: 1, AllowPartialMessage: true, PackAsBytes: true},
		ValidateMutations:      true,
		EncodeRawHeaders:       true,
		// Towards anywhere Check chooses the route. Elsewhere the route that
		// was judged is the route that is used.
		ClearRouteCache: sh != shapeRoutes,
	}
	return Filter{Name: authzName(sh), Config: cfg}
}

func authzService(sh shape, s Settings) *corev3.GrpcService {
	switch {
	case sh == shapeCaptureTLS:
		return grpcService(ClusterAuthz, s.checkTimeout(), &corev3.HeaderValue{Key: wire.CallSource, Value: filterState(wire.StateSource)})
	case !sh.tunnelled():
		return grpcService(ClusterAuthz, s.checkTimeout())
	}
	return grpcService(ClusterAuthz, s.checkTimeout(),
		&corev3.HeaderValue{Key: wire.CallTarget, Value: filterState(wire.StateTarget)},
		&corev3.HeaderValue{Key: wire.CallParent, Value: filterState(wire.StateHop)})
}

func filterState(key string) string { return "%FILTER_STATE(" + key + ":PLAIN)%" }

// contextOf gives a virtual host or a route its identity, and a body to the
// routes whose surface is in it. One byte more than the limit is asked for:
// what fills it is over the limit, and the guard says so in the protocol's
// own words, where Envoy would answer 413 in plain text.
func contextOf(t wire.Target) *anypb.Any {
	set := &authzv3.CheckSettings{ContextExtensions: map[string]string{wire.ContextTarget: t.String()}}
	if t.BodyBytes == 0 {
		set.DisableRequestBodyBuffering = true
	} else {
		set.WithRequestBody = &authzv3.BufferSettings{
			MaxRequestBytes: uint32(t.BodyBytes) + 1, AllowPartialMessage: true, PackAsBytes: true,
		}
	}
	return pack(&authzv3.ExtAuthzPerRoute{Override: &authzv3.ExtAuthzPerRoute_CheckSettings{CheckSettings: set}})
}
