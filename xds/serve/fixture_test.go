package serve

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hopgate/hopgate/gateway/graph"
)

func owner(kind, name string) graph.Owner {
	return graph.Owner{Kind: kind, Namespace: "ns", Name: name}
}

// one is a resource of one part, whose version is its content.
func one(typeURL, name string, o graph.Owner, m proto.Message) *Resource {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		raw = []byte(fmt.Sprint(m))
	}
	return &Resource{
		TypeURL: typeURL, Name: name, Parts: []Part{{Owner: o, Version: hash(raw), Content: m}},
		Build: func(ps []Part) (proto.Message, error) { return ps[0].Content.(proto.Message), nil },
	}
}

func adsSource() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3, InitialFetchTimeout: durationpb.New(0),
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

// edsCluster is a cluster whose endpoints come by EDS; the timeout makes
// versions differ.
func edsCluster(name string, timeout time.Duration) *Resource {
	return markedCluster(name, timeout, "")
}

// markedCluster is one with a mark for the fake Envoy.
func markedCluster(name string, timeout time.Duration, mark string) *Resource {
	return one(TypeCluster, name, owner("Service", name), &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(timeout), AltStatName: mark,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: adsSource()},
	})
}

// staticCluster has its endpoints in it.
func staticCluster(name string, addrs ...netip.AddrPort) *Resource {
	return one(TypeCluster, name, owner("Service", name), &clusterv3.Cluster{
		Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: endpoints(name, addrs...).Parts[0].Content.(*endpointv3.ClusterLoadAssignment),
	})
}

func endpoints(name string, addrs ...netip.AddrPort) *Resource {
	cla := &endpointv3.ClusterLoadAssignment{ClusterName: name}
	if len(addrs) > 0 {
		lo := &endpointv3.LocalityLbEndpoints{}
		for _, a := range addrs {
			lo.LbEndpoints = append(lo.LbEndpoints, &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
				Endpoint: &endpointv3.Endpoint{Address: address(a)},
			}})
		}
		cla.Endpoints = []*endpointv3.LocalityLbEndpoints{lo}
	}
	return one(TypeEndpoint, name, owner("Service", name), cla)
}

func address(a netip.AddrPort) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: a.Addr().String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(a.Port())},
	}}}
}

func anyOf(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}

// rdsListener serves the route table of its own name.
func rdsListener(name string, addr netip.AddrPort) *Resource {
	return one(TypeListener, name, owner("Gateway", name), rdsListenerProto(name, name, addr))
}

func rdsListenerProto(name, table string, addr netip.AddrPort) *listenerv3.Listener {
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix:     name,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{ConfigSource: adsSource(), RouteConfigName: table}},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: anyOf(&routerv3.Router{})},
		}},
	}
	return &listenerv3.Listener{
		Name: name, Address: address(addr), EnableReusePort: wrapperspb.Bool(false),
		FilterChains: []*listenerv3.FilterChain{{
			Name: "c0",
			Filters: []*listenerv3.Filter{{
				Name:       "envoy.filters.network.http_connection_manager",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: anyOf(hcm)},
			}},
		}},
	}
}

// fragment is one part of a route table: a host that goes to a cluster.
type fragment struct {
	host, cluster string
	// regex is matched on the path when it is not empty.
	regex string
	// mark is put where the fake Envoy looks for what it refuses.
	mark string
}

func (f fragment) part() Part {
	return Part{Owner: owner("HTTPRoute", f.host), Version: hash([]byte(fmt.Sprint(f))), Content: f}
}

func (f fragment) vhost() *routev3.VirtualHost {
	m := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	if f.regex != "" {
		m.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: f.regex}}
	}
	v := &routev3.VirtualHost{Name: f.host, Domains: []string{f.host}, Routes: []*routev3.Route{{
		Match: m,
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: f.cluster},
		}},
	}}}
	if f.mark != "" {
		v.RequestHeadersToRemove = []string{f.mark}
	}
	return v
}

func buildTable(name string, ps []Part) (proto.Message, error) {
	rc := &routev3.RouteConfiguration{Name: name}
	for _, p := range ps {
		rc.VirtualHosts = append(rc.VirtualHosts, p.Content.(fragment).vhost())
	}
	return rc, nil
}

// table is a route table of many owners.
func table(name string, fs ...fragment) *Resource {
	r := &Resource{TypeURL: TypeRoute, Name: name, Divisible: true, Build: func(ps []Part) (proto.Message, error) { return buildTable(name, ps) }}
	for _, f := range fs {
		r.Parts = append(r.Parts, f.part())
	}
	return r
}

func plainRoute(host, cluster string) fragment { return fragment{host: host, cluster: cluster} }

var port1 = netip.MustParseAddrPort("127.0.0.1:10001")

// clock is a time that tests move.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { return c.now }

func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

// told keeps the last outcome of each owner.
type told struct{ last map[graph.Owner]Outcome }

func (o *told) Observe(outs []Outcome) {
	if o.last == nil {
		o.last = map[graph.Owner]Outcome{}
	}
	for _, out := range outs {
		o.last[out.Owner] = out
	}
}

// states renders the last outcomes, one for each line, sorted.
func (o *told) states() string {
	var out []string
	for k, v := range o.last {
		line := k.Kind + "/" + k.Name + " " + string(v.State)
		for _, f := range v.Faults {
			line += fmt.Sprintf(" [%s %s: %s kept=%v]", shortType(f.TypeURL), f.Name, f.Message, f.Kept)
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// hostNames are n names h0000 and on.
func hostNames(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("h%04d", i)
	}
	return out
}

func netipPort(p int) netip.AddrPort { return netip.AddrPortFrom(port1.Addr(), uint16(p)) }

// withEmptyTables answers for route tables that do not exist.
func withEmptyTables(c *Config) {
	c.Empty = func(typeURL, name string) proto.Message {
		if typeURL == TypeRoute {
			return &routev3.RouteConfiguration{Name: name}
		}
		return nil
	}
}
