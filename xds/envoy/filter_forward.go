package envoy

import (
	dfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_forward_proxy/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

func forwardName(sh shape, c cache) string { return "forward." + string(sh) + "." + string(c) }

// forward resolves names by a guarded cache. On a route it serves backends
// with a host name; inside a tunnel it dials the tunnel's own target.
func forward(sh shape, c cache, s Settings) Filter {
	return Filter{Name: forwardName(sh, c), Config: forwardConfig(c, s, sh.tunnelled())}
}

// proxyForward is forward on a Proxy listener, where Check's mode says which
// cache a hop may use.
func proxyForward(c cache, s Settings) Filter {
	mine := anyOf(metadataIs(wire.MetaMode, string(c)), metadataIs(wire.MetaMode, string(c)+wire.OpaqueSuffix))
	cfg := unless(not(mine), "envoy.filters.http.dynamic_forward_proxy", forwardConfig(c, s, true))
	return Filter{Name: forwardName(shapeProxy, c), Config: cfg}
}

func forwardConfig(c cache, s Settings, fromState bool) *dfpv3.FilterConfig {
	return &dfpv3.FilterConfig{
		ImplementationSpecifier:         &dfpv3.FilterConfig_DnsCacheConfig{DnsCacheConfig: c.config(s)},
		AllowDynamicHostFromFilterState: fromState,
	}
}
