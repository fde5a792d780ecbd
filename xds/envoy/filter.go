package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
)

// Filter is an HTTP filter that comes by ECDS: its name, the resource's name
// and the key of its per-route configuration are one string.
type Filter struct {
	Name   string
	Config proto.Message
}

// resource is the filter's own resource.
func (f Filter) resource() *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{Name: f.Name, TypedConfig: pack(f.Config)}
}

// slot is the filter's place in a connection manager, which never changes.
func (f Filter) slot() *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: f.Name, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{
		ConfigDiscovery: &corev3.ExtensionConfigSource{ConfigSource: ads(), TypeUrls: []string{typeURL(f.Config)}},
	}}
}

func typeURL(m proto.Message) string {
	return "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName())
}

// shape is the kind of connection manager.
type shape string

const (
	shapeRoutes shape = "routes"
	shapeProxy  shape = "proxy"
	shapeInner  shape = "inner"
	// shapeInspect is of what was inside TLS in a tunnel.
	shapeInspect shape = "inspect"
	// shapeCaptureTLS is of tunnels that are made of captured TLS.
	shapeCaptureTLS shape = "capture-tls"
	// shapeCaptureHTTP is of captured plain HTTP.
	shapeCaptureHTTP shape = "capture-http"
)

// tunnels reports whether a shape takes CONNECT.
func (sh shape) tunnels() bool { return sh == shapeProxy || sh == shapeCaptureTLS }

// tunnelled reports whether a shape is of what is inside a tunnel.
func (sh shape) tunnelled() bool { return sh == shapeInner || sh == shapeInspect }

// chain is the filters of one shape before the router, in order.
func chain(sh shape, c cache, s Settings) []Filter {
	switch sh {
	case shapeCaptureTLS:
		return []Filter{authz(sh, s), target(), holdHeaders(), holdRelay(), meter()}
	case shapeProxy, shapeCaptureHTTP:
		return []Filter{authz(sh, s), target(), holdHeaders(), holdRelay(), meter(), trailers(), proxyForward(cacheGuard, s), proxyForward(cacheInside, s)}
	case shapeInner:
		return []Filter{authz(sh, s), holdHeaders(), holdRelay(), meter(), trailers(), forward(sh, c, s)}
	case shapeInspect:
		return []Filter{authz(sh, s), identity(), holdHeaders(), holdRelay(), meter(), trailers(), forward(sh, c, s)}
	default:
		return []Filter{authz(sh, s), holdHeaders(), holdRelay(), meter(), trailers(), forward(sh, cacheGuard, s), forward(sh, cacheInside, s)}
	}
}
