package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/infra/process"
	"github.com/hopgate/hopgate/xds/envoy"
)

// alone is an Envoy that asks nobody: a proxy by hopgate's connection managers,
// whose tunnels go straight to the site, but for one host, whose TLS ends by a
// certificate that is there from the start, and begins anew.
type alone struct {
	port int
	// secure and plain are the site's.
	secure, plain netip.AddrPort
	// roots is the file of whom it believes; chain and key, in PEM, are its own.
	roots      string
	chain, key []byte
	// passed is where tunnels go whose TLS does not end there; empty: to the site.
	passed string
}

// Names in it.
const (
	aloneSecure = "bench/secure"
	alonePlain  = "bench/plain"
	// aloneInner is that of hopgate's for fixed hosts.
	aloneInner = "hopgate/inspect/" + wire.ModeHosts
)

func (v alone) bootstrap(dir string) (*bootstrapv3.Bootstrap, error) {
	settings := envoy.Settings{TrustedCA: v.roots, Inspect: true}
	boot := envoy.Bootstrap{NodeID: "bench", AdminSocket: process.AdminSocket(dir)}.Message(settings)
	boot.DynamicResources = nil
	res := boot.GetStaticResources()
	var err error
	if res.Clusters, err = v.clusters(settings); err != nil {
		return nil, err
	}
	outer, err := v.outer(settings)
	if err != nil {
		return nil, err
	}
	inner, err := v.inner(settings)
	if err != nil {
		return nil, err
	}
	res.Listeners = []*listenerv3.Listener{outer, inner}
	return boot, nil
}

func (v alone) backend(name string, at netip.AddrPort) *graph.Backend {
	return &graph.Backend{Name: name, Kind: graph.BackendAddresses, Protocol: graph.ProtocolHTTP1, Addresses: []netip.AddrPort{at}}
}

// clusters are the site without TLS, the site as tunnels reach it, the site by
// a TLS of Envoy's, and the way to the inner listener.
func (v alone) clusters(s envoy.Settings) ([]*clusterv3.Cluster, error) {
	secure := v.backend(aloneSecure, v.secure)
	var out []*clusterv3.Cluster
	for _, b := range []*graph.Backend{secure, v.backend(alonePlain, v.plain)} {
		c, err := envoy.Cluster(b, s)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	inspected, ok := envoy.InspectedHost(secure, s)[0].Message.(*clusterv3.Cluster)
	if !ok {
		return nil, errors.New("a host that is inspected is no cluster")
	}
	inner, err := shared[*clusterv3.Cluster](envoy.Inspecting(s), aloneInner)
	return append(out, inspected, inner), err
}

// shared is what hopgate has by a name for all tunnels.
func shared[T any](all []envoy.Named, name string) (out T, err error) {
	for _, n := range all {
		if m, ok := n.Message.(T); ok && n.Name == name {
			return m, nil
		}
	}
	return out, fmt.Errorf("there is no %T %s", out, name)
}

// outer is the proxy.
func (v alone) outer(s envoy.Settings) (*listenerv3.Listener, error) {
	l := envoy.Listener(&graph.Listener{Name: "bench", Kind: graph.ListenerProxy, Address: v.plain.Addr(), Port: uint16(v.port)}, s)
	inspected := fmt.Sprintf("%s:%d", hostInspected, v.secure.Port())
	return l, rewrite(l.GetFilterChains()[0].GetFilters()[0], withRoutes(
		host("inspected", inspected, tunnelTo(aloneInner)),
		host("rest", "*", tunnelTo(cmp.Or(v.passed, aloneSecure)), pagesOf(alonePlain)),
	))
}

// inner has the TLS of the one host end.
func (v alone) inner(s envoy.Settings) (*listenerv3.Listener, error) {
	l, err := shared[*listenerv3.Listener](envoy.Inspecting(s), aloneInner)
	if err != nil {
		return nil, err
	}
	own, err := v.ownTLS()
	if err != nil {
		return nil, err
	}
	chain := l.GetFilterChains()[1]
	chain.TransportSocket = own
	chain.Filters = chain.GetFilters()[len(chain.GetFilters())-1:]
	l.FilterChains = []*listenerv3.FilterChain{chain}
	return l, rewrite(chain.GetFilters()[0], withRoutes(host("all", "*", pagesOf("hopgate/inspected/"+aloneSecure))))
}

func (v alone) ownTLS() (*corev3.TransportSocket, error) {
	inline := func(b []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
	}
	packed, err := anypb.New(&tlsv3.DownstreamTlsContext{
		SessionTicketKeysType:            &tlsv3.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true},
		DisableStatefulSessionResumption: true,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			AlpnProtocols:   []string{"h2", "http/1.1"},
			TlsCertificates: []*tlsv3.TlsCertificate{{CertificateChain: inline(v.chain), PrivateKey: inline(v.key)}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("write how TLS ends: %w", err)
	}
	return &corev3.TransportSocket{Name: "envoy.transport_sockets.tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed}}, nil
}

// withRoutes gives a connection manager its routes.
func withRoutes(hosts ...*routev3.VirtualHost) func(*hcmv3.HttpConnectionManager) error {
	return func(h *hcmv3.HttpConnectionManager) error {
		h.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{Name: "bench", VirtualHosts: hosts}}
		return nil
	}
}

func host(name, domain string, routes ...*routev3.Route) *routev3.VirtualHost {
	return &routev3.VirtualHost{Name: name, Domains: []string{domain}, Routes: routes}
}

func tunnelTo(cluster string) *routev3.Route {
	to := to(cluster)
	to.UpgradeConfigs = []*routev3.RouteAction_UpgradeConfig{{
		UpgradeType: "CONNECT", ConnectConfig: &routev3.RouteAction_UpgradeConfig_ConnectConfig{},
	}}
	return &routev3.Route{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_ConnectMatcher_{ConnectMatcher: &routev3.RouteMatch_ConnectMatcher{}}},
		Action: &routev3.Route_Route{Route: to},
	}
}

func pagesOf(cluster string) *routev3.Route {
	return &routev3.Route{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: &routev3.Route_Route{Route: to(cluster)},
	}
}

func to(cluster string) *routev3.RouteAction {
	return &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}, Timeout: durationpb.New(0)}
}
