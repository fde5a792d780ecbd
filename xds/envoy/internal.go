package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httpinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/http_inspector/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	networkrbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	snidfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	internalupstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/internal_upstream/v3"
	rawbufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	exprv1 "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// A tunnel's bytes go to an internal listener, one for each way to dial: its
// TLS chain lets pass what names the tunnel's own target, its HTTP chain
// makes each request a hop of its own. Nothing else gets through.

// tunnelModes are the ways to dial, in order.
func tunnelModes() []string { return []string{wire.ModeGuard, wire.ModeInside, wire.ModeHosts} }

// innerName is the internal listener of a mode, its route table, and the
// cluster that leads to it.
func innerName(mode string) string { return "hopgate/tunnel/" + mode }

// directName is the cluster that dials by a cache.
func directName(c cache) string { return "hopgate/direct/" + string(c) }

// innerListener is what a tunnel of this mode enters.
func innerListener(mode string, s Settings) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:              innerName(mode),
		ListenerSpecifier: &listenerv3.Listener_InternalListener{InternalListener: &listenerv3.Listener_InternalListenerConfig{}},
		ListenerFilters: []*listenerv3.ListenerFilter{
			listenerFilter("envoy.filters.listener.tls_inspector", &tlsinspectorv3.TlsInspector{}),
			listenerFilter("envoy.filters.listener.http_inspector", &httpinspectorv3.HttpInspector{}),
		},
		FilterChains: []*listenerv3.FilterChain{{
			Name: "http",
			FilterChainMatch: &listenerv3.FilterChainMatch{
				TransportProtocol:    "raw_buffer",
				ApplicationProtocols: []string{"http/1.0", "http/1.1", "h2c"},
			},
			Filters: []*listenerv3.Filter{manager(shapeInner, cacheOfMode(mode), innerName(mode), s)},
		}, {
			Name:             "tls",
			FilterChainMatch: &listenerv3.FilterChainMatch{TransportProtocol: "tls"},
			Filters:          tunnelFilters(mode, s),
		}},
		PerConnectionBufferLimitBytes: u32(tunnelBuffer),
	}
}

// cacheOfMode is the cache of an inner chain. ModeHosts never uses it: its
// routes lead to clusters with fixed addresses.
func cacheOfMode(mode string) cache {
	if mode == wire.ModeInside {
		return cacheInside
	}
	return cacheGuard
}

func listenerFilter(name string, m proto.Message) *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{Name: name, ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: pack(m)}}
}

func networkFilter(name string, m proto.Message) *listenerv3.Filter {
	return &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(m)}}
}

func tunnelFilters(mode string, s Settings) []*listenerv3.Filter {
	out := []*listenerv3.Filter{sniIsTarget()}
	to := &tcpproxyv3.TcpProxy{
		StatPrefix: innerName(mode),
		// The hold and the deadline end a quiet tunnel.
		IdleTimeout: dur(0),
		// At once would dial before the SNI is compared.
		UpstreamConnectMode: tcpproxyv3.UpstreamConnectMode_ON_DOWNSTREAM_DATA,
		MaxEarlyDataBytes:   u32(earlyDataBytes),
	}
	if mode == wire.ModeHosts {
		// The cluster is named by filter state; this one does not exist.
		to.ClusterSpecifier = &tcpproxyv3.TcpProxy_Cluster{Cluster: "hopgate/nowhere"}
		return append(out, firstFlight(s), networkFilter("envoy.filters.network.tcp_proxy", to))
	}
	c := cacheOfMode(mode)
	to.ClusterSpecifier = &tcpproxyv3.TcpProxy_Cluster{Cluster: directName(c)}
	return append(out,
		networkFilter("envoy.filters.network.sni_dynamic_forward_proxy", &snidfpv3.FilterConfig{
			PortSpecifier:  &snidfpv3.FilterConfig_PortValue{PortValue: 443},
			DnsCacheConfig: c.config(s),
		}),
		firstFlight(s),
		networkFilter("envoy.filters.network.tcp_proxy", to))
}

// sniIsTarget closes a tunnel whose TLS names another host than its CONNECT.
func sniIsTarget() *listenerv3.Filter {
	return networkFilter("envoy.filters.network.rbac", &networkrbacv3.RBAC{
		StatPrefix: "sni",
		Rules: &rbacconfigv3.RBAC{Action: rbacconfigv3.RBAC_ALLOW, Policies: map[string]*rbacconfigv3.Policy{
			"sni-is-connect-target": {
				Permissions: []*rbacconfigv3.Permission{{Rule: &rbacconfigv3.Permission_Any{Any: true}}},
				Principals:  []*rbacconfigv3.Principal{{Identifier: &rbacconfigv3.Principal_Any{Any: true}}},
				CelConfig:   &corev3.CelExpressionConfig{EnableStringConversion: true},
				Condition:   sniEqualsState(wire.StateHost),
			},
		}},
	})
}

// sniEqualsState is connection.requested_server_name ==
// string(filter_state[key]), as a parsed expression.
func sniEqualsState(key string) *exprv1.Expr {
	ident := func(id int64, n string) *exprv1.Expr {
		return &exprv1.Expr{Id: id, ExprKind: &exprv1.Expr_IdentExpr{IdentExpr: &exprv1.Expr_Ident{Name: n}}}
	}
	call := func(id int64, f string, args ...*exprv1.Expr) *exprv1.Expr {
		return &exprv1.Expr{Id: id, ExprKind: &exprv1.Expr_CallExpr{CallExpr: &exprv1.Expr_Call{Function: f, Args: args}}}
	}
	sni := &exprv1.Expr{Id: 2, ExprKind: &exprv1.Expr_SelectExpr{
		SelectExpr: &exprv1.Expr_Select{Operand: ident(3, "connection"), Field: "requested_server_name"},
	}}
	name := &exprv1.Expr{Id: 7, ExprKind: &exprv1.Expr_ConstExpr{
		ConstExpr: &exprv1.Constant{ConstantKind: &exprv1.Constant_StringValue{StringValue: key}},
	}}
	return call(1, "_==_", sni, call(4, "string", call(5, "_[_]", ident(6, "filter_state"), name)))
}

// innerCluster leads to an internal listener. Filter state crosses by itself.
func innerCluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		CircuitBreakers:      manyOf(),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints:   []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{lbEndpoint(internalAddress(name))}}},
		},
		TransportSocket: &corev3.TransportSocket{
			Name: "envoy.transport_sockets.internal_upstream",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&internalupstreamv3.InternalUpstreamTransport{
				TransportSocket: &corev3.TransportSocket{
					Name:       "envoy.transport_sockets.raw_buffer",
					ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&rawbufferv3.RawBuffer{})},
				},
			})},
		},
	}
}

// directCluster dials by a cache: opaque tunnels, absolute-form requests, and
// what an internal listener let pass.
func directCluster(k cache, s Settings) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name: directName(k), ConnectTimeout: dur(connectTimeout), CircuitBreakers: manyOf(),
		PerConnectionBufferLimitBytes: u32(listenerBuffer),
	}
	o := explicitHTTP1()
	o.CommonHttpProtocolOptions = idleFor(idleOfHop)
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{protocolOptionsName: pack(o)}
	discoverBy(c, k, s)
	return c
}
