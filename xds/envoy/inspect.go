package envoy

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	snimapperv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/cert_mappers/sni/v3"
	ondemandv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/cert_selectors/on_demand_secret/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// A tunnel that is inspected goes to an internal listener of its own, one for
// each way to dial. Its TLS ends there, by a certificate that the guard mints
// for the tunnel's own target and for nothing else, and begins anew towards
// the target, which is verified. What is between is as plain HTTP in a tunnel:
// each request is a hop.

// inspectName is the internal listener of a mode for tunnels that are
// inspected, its route table, and the cluster that leads to it.
func inspectName(mode string) string { return "hopgate/inspect/" + mode }

// inspectedName is the cluster that speaks TLS to where another one leads.
func inspectedName(cluster string) string { return "hopgate/inspected/" + cluster }

// upgradeName is inspectedName for requests that are to become a WebSocket:
// few servers take those by HTTP/2.
func upgradeName(cluster string) string { return inspectedName(cluster) + "/upgrade" }

// Inspecting is all that inspected tunnels share. It is nothing where TLS cannot
// be inspected.
func Inspecting(s Settings) []Named {
	if !s.Inspect {
		return nil
	}
	var out []Named
	for _, c := range []cache{cacheGuard, cacheInside} {
		out = append(out, filters(chain(shapeInspect, c, s))...)
		for _, up := range []bool{false, true} {
			t := inspectedCluster(string(c), up, s)
			discoverBy(t, c, s)
			out = append(out, named(t.GetName(), t))
		}
	}
	for _, m := range tunnelModes() {
		name := inspectName(m)
		out = append(out, named(name, innerCluster(name)), named(name, inspectListener(m, s)))
		if m != wire.ModeHosts {
			out = append(out, named(name, inspectTable(m, nil, s)))
		}
	}
	return unique(out)
}

// InspectHostsTable is the routes of inspected requests to fixed hosts, which
// are clusters.
func InspectHostsTable(clusters []string, s Settings) Named {
	return named(inspectName(wire.ModeHosts), inspectTable(wire.ModeHosts, clusters, s))
}

// InspectedHost is a fixed host as inspected requests reach it: by TLS.
func InspectedHost(b *graph.Backend, s Settings) []Named {
	var out []Named
	for _, up := range []bool{false, true} {
		c := inspectedCluster(b.Name, up, s)
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
		c.LoadAssignment = fixedEndpoints(b)
		c.LoadAssignment.ClusterName = c.GetName()
		out = append(out, named(c.GetName(), c))
	}
	return out
}

// inspectedCluster speaks TLS and believes only who the request is for. Where
// it leads is still to be said.
func inspectedCluster(of string, upgrade bool, s Settings) *clusterv3.Cluster {
	name, o := inspectedName(of), &httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_AutoConfig{
		AutoConfig: &httpv3.HttpProtocolOptions_AutoHttpConfig{
			HttpProtocolOptions: &corev3.Http1ProtocolOptions{}, Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
		},
	}}
	common := &tlsv3.CommonTlsContext{
		TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa: &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: s.TrustedCA}},
		}},
	}
	if upgrade {
		name, o, common.AlpnProtocols = upgradeName(of), explicitHTTP1(), []string{"http/1.1"}
	}
	o.CommonHttpProtocolOptions = idleFor(idleOfHop)
	// What identity sets comes first; these are for that it sets nothing.
	o.UpstreamHttpProtocolOptions = &corev3.UpstreamHttpProtocolOptions{AutoSni: true, AutoSanValidation: true}
	return &clusterv3.Cluster{
		Name: name, ConnectTimeout: dur(connectTimeout), CircuitBreakers: manyOf(),
		PerConnectionBufferLimitBytes: u32(listenerBuffer),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{protocolOptionsName: pack(o)},
		TransportSocket: &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&tlsv3.UpstreamTlsContext{
			CommonTlsContext: common,
			// A session of one host is never offered to another one: what is
			// resumed is not verified again.
			MaxSessionKeys: u32(0),
		})}},
	}
}

// identity has the target verified by the name that Check canonicalised, never
// by what the client wrote.
func identity() Filter {
	return Filter{Name: "identity", Config: &setstatev3.Config{OnRequestHeaders: []*statev3.FilterStateValue{
		hopValue("envoy.network.upstream_server_name", metadata(wire.MetaHost)),
		hopValue("envoy.network.upstream_subject_alt_names", metadata(wire.MetaHost)),
	}}}
}

// hopValue is stateValue for this hop alone.
func hopValue(key, format string) *statev3.FilterStateValue {
	v := stateValue(key, "", format)
	v.SharedWithUpstream = statev3.FilterStateValue_NONE
	return v
}

// handshake bounds a client's TLS, the minting of its certificate included.
const handshake = 10 * time.Second

// inspectListener is what a tunnel of this mode enters that is inspected.
func inspectListener(mode string, s Settings) *listenerv3.Listener {
	out := innerListener(mode, s)
	out.Name, out.PerConnectionBufferLimitBytes = inspectName(mode), u32(listenerBuffer)
	out.FilterChains[1] = &listenerv3.FilterChain{
		Name:                          "tls",
		FilterChainMatch:              &listenerv3.FilterChainMatch{TransportProtocol: "tls"},
		TransportSocket:               mintedTLS(),
		TransportSocketConnectTimeout: dur(handshake),
		Filters:                       []*listenerv3.Filter{sniIsTarget(), manager(shapeInspect, cacheOfMode(mode), inspectName(mode), s)},
	}
	return out
}

// mintedTLS terminates TLS by a certificate that is asked for by the name which
// the client wants. Nothing is resumed: each connection names its target anew.
func mintedTLS() *corev3.TransportSocket {
	return &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&tlsv3.DownstreamTlsContext{
		SessionTicketKeysType:            &tlsv3.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true},
		DisableStatefulSessionResumption: true,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams:     &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
			AlpnProtocols: []string{"h2", "http/1.1"},
			CustomTlsCertificateSelector: &corev3.TypedExtensionConfig{
				Name: "envoy.tls.certificate_selectors.on_demand_secret",
				TypedConfig: pack(&ondemandv3.Config{
					ConfigSource: mints(),
					CertificateMapper: &corev3.TypedExtensionConfig{
						Name: "envoy.tls.certificate_mappers.sni", TypedConfig: pack(&snimapperv3.SNI{DefaultValue: noName}),
					},
				}),
			},
		},
	})}}
}

// noName is asked for where the client names nothing. No name is that (RFC
// 6761), so that it is refused.
const noName = "no-sni.invalid"

// mints is the guard's source of certificates, by a cluster of its own.
func mints() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_ApiConfigSource{ApiConfigSource: &corev3.ApiConfigSource{
			ApiType: corev3.ApiConfigSource_DELTA_GRPC, TransportApiVersion: corev3.ApiVersion_V3,
			GrpcServices: []*corev3.GrpcService{grpcService(ClusterSecrets, 0)}, SetNodeOnFirstMessageOnly: true,
		}},
	}
}

// inspectRoute leads to the internal listener of a mode that inspects.
func inspectRoute(mode string) *routev3.Route {
	return modeRoute("inspect-"+mode, connect(), mode+wire.InspectSuffix, inspectName(mode), true)
}

// inspectTable is the route table of requests in inspected tunnels.
func inspectTable(mode string, hosts []string, s Settings) *routev3.RouteConfiguration {
	out := tableOf(inspectName(mode))
	routes := canaryInner(mode, s)
	if mode == wire.ModeHosts {
		for _, c := range hosts {
			for _, r := range inspectedRoutes(mode, c) {
				routes = append(routes, onCluster(r, c))
			}
		}
	} else {
		routes = append(routes, inspectedRoutes(mode, mode)...)
	}
	v := vhost("*", []string{"*"}, shapeInspect, wire.Target{Entry: wire.EntryInspected, Surface: "HTTP"}, routes)
	v.RequestHeadersToRemove = append(v.RequestHeadersToRemove, tracks()...)
	out.VirtualHosts = append(out.VirtualHosts, v)
	return out
}

// inspectedRoutes lead to a cluster's other end by TLS.
func inspectedRoutes(mode, cluster string) []*routev3.Route {
	up := modeRoute("upgrade:"+cluster, anyPath(), mode, upgradeName(cluster), false)
	up.Match.Headers = []*routev3.HeaderMatcher{upgrading()}
	return []*routev3.Route{up, modeRoute("inspected:"+cluster, anyPath(), mode, inspectedName(cluster), false)}
}

// upgrading matches a request that wants to be another protocol's connection.
func upgrading() *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: "upgrade", HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}}
}
