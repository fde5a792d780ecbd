package envoy

import (
	"cmp"
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// ProxyTable is the route table of a listener that leads to anywhere. Check's
// metadata chooses the route: nothing to strip, nothing to forge. Without a
// mode there is no way on.
func ProxyTable(name string, p *graph.ProxyTable, find func(name string) *graph.Backend) *routev3.RouteConfiguration {
	sh, out := shapeOfTable(p), tableOf(name)
	out.IgnorePortInHostMatching = false
	for _, s := range p.Surfaces {
		if b := find(s.Backend); b != nil {
			out.VirtualHosts = append(out.VirtualHosts, surfaceHost(sh, s, b, p))
		}
	}
	out.VirtualHosts = append(out.VirtualHosts, proxyHost(sh, p.Target, proxyRoutes(sh, p)))
	return out
}

// shapeOfTable is the shape of the listener that has a table.
func shapeOfTable(p *graph.ProxyTable) shape {
	switch p.Target.Entry {
	case wire.EntryCaptureTLS:
		return shapeCaptureTLS
	case wire.EntryCaptureHTTP:
		return shapeCaptureHTTP
	default:
		return shapeProxy
	}
}

// proxyHost is everywhere that a listener leads to but for its surfaces.
func proxyHost(sh shape, t wire.Target, rs []*routev3.Route) *routev3.VirtualHost {
	all := vhost("*", []string{"*"}, sh, t, rs)
	all.RequestHeadersToRemove = append(all.RequestHeadersToRemove, tracks()...)
	if sh.tunnels() {
		// A tunnel that Check gave no mode is not terminated here or anywhere.
		all.Routes = append(all.Routes, noTunnel())
	}
	return all
}

// noTunnel is a route for a tunnel that may not be. Envoy takes a CONNECT for
// no other route, and asks nobody about a request that has none.
func noTunnel() *routev3.Route {
	return &routev3.Route{Name: "no-tunnel", Match: connect(), Action: respond(503)}
}

// noProxy is noTunnel where the listener takes no CONNECT: Envoy would refuse
// it by itself, and asks nobody about that either. So the route takes it, and
// leads to no cluster; an upgrade to CONNECT is no CONNECT, and not taken.
func noProxy() *routev3.Route {
	return &routev3.Route{Name: "no-proxy", Match: connect(), Action: &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier:            &routev3.RouteAction_Cluster{Cluster: unresolved},
		ClusterNotFoundResponseCode: routev3.RouteAction_NOT_FOUND,
		Timeout:                     dur(0),
		UpgradeConfigs:              []*routev3.RouteAction_UpgradeConfig{{UpgradeType: "CONNECT"}},
	}}}
}

// noUpgrade is a route for a request to a surface that wants to be another
// protocol's connection. The guard says no by the headers alone: what flows on
// such a connection has no end, and would be waited for as a body.
func noUpgrade(sh shape, t wire.Target) *routev3.Route {
	t.BodyBytes = 0
	m := anyPath()
	m.Headers = []*routev3.HeaderMatcher{upgrading()}
	return &routev3.Route{
		Name: "no-upgrade", Match: m, Action: respond(403),
		TypedPerFilterConfig: map[string]*anypb.Any{authzName(sh): contextOf(t)},
	}
}

func proxyRoutes(sh shape, p *graph.ProxyTable) []*routev3.Route {
	switch sh {
	case shapeCaptureTLS:
		return captureTunnels()
	case shapeCaptureHTTP:
		return captureRequests(p.Hosts)
	}
	var out []*routev3.Route
	for _, m := range tunnelModes() {
		if m == wire.ModeHosts {
			continue
		}
		out = append(out,
			modeRoute("opaque-"+m, connect(), m+wire.OpaqueSuffix, directName(cache(m)), true),
			tunnelRoute(m),
			inspectRoute(m),
			modeRoute("absolute-"+m, anyPath(), m, directName(cache(m)), false))
	}
	for _, c := range p.Hosts {
		out = append(out,
			onCluster(modeRoute("opaque-hosts:"+c, connect(), wire.ModeHosts+wire.OpaqueSuffix, c, true), c),
			absoluteHosts(c))
	}
	return append(out, tunnelRoute(wire.ModeHosts), inspectRoute(wire.ModeHosts))
}

// tunnelRoute leads to the internal listener of a mode.
func tunnelRoute(mode string) *routev3.Route {
	return modeRoute("tunnel-"+mode, connect(), mode, innerName(mode), true)
}

// absoluteHosts leads a request to a cluster that Check names.
func absoluteHosts(c string) *routev3.Route {
	return onCluster(modeRoute("absolute-hosts:"+c, anyPath(), wire.ModeHosts, c, false), c)
}

// innerHosts leads a request inside a tunnel to a cluster that Check names.
func innerHosts(mode, c string) *routev3.Route {
	return onCluster(modeRoute("inner:"+c, anyPath(), mode, c, false), c)
}

func connect() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_ConnectMatcher_{ConnectMatcher: &routev3.RouteMatch_ConnectMatcher{}}}
}

func anyPath() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
}

// modeRoute is taken where Check answered with this mode.
func modeRoute(name string, m *routev3.RouteMatch, mode, cluster string, tunnel bool) *routev3.Route {
	m.DynamicMetadata = append(m.DynamicMetadata, checkSaid(wire.MetaMode, mode))
	act := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
		Timeout:          dur(0),
	}
	if tunnel {
		act.UpgradeConfigs = []*routev3.RouteAction_UpgradeConfig{{
			UpgradeType: "CONNECT", ConnectConfig: &routev3.RouteAction_UpgradeConfig_ConnectConfig{},
		}}
	}
	return &routev3.Route{Name: name, Match: m, Action: &routev3.Route_Route{Route: act}}
}

func onCluster(r *routev3.Route, cluster string) *routev3.Route {
	r.Match.DynamicMetadata = append(r.Match.DynamicMetadata, checkSaid(wire.MetaCluster, cluster))
	return r
}

func checkSaid(key, value string) *matcherv3.MetadataMatcher {
	return &matcherv3.MetadataMatcher{
		Filter: wire.AuthzNamespace,
		Path:   []*matcherv3.MetadataMatcher_PathSegment{{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: key}}},
		Value:  stringValue(value),
	}
}

// surfaceHost is a destination that is reachable only as its surface: the
// requests are read like those of a route, a tunnel is not possible. It needs
// a route all the same: Envoy asks nobody about a request that has none. It is
// judged as any other tunnel, by its headers alone: a body would never end.
func surfaceHost(sh shape, s graph.ProxySurface, b *graph.Backend, p *graph.ProxyTable) *routev3.VirtualHost {
	port := fmt.Sprintf("%s:%d", s.Hostname, s.Port)
	domains := []string{port}
	if s.Port == cmp.Or(p.Port, 80) {
		domains = append(domains, s.Hostname)
	}
	r := modeRoute("surface", anyPath(), BackendMode(b), s.Backend, false)
	r.GetRoute().HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{
		HostRewriteLiteral: hostAndPort(s.Hostname, s.Port, b.TLS != nil),
	}
	rs := []*routev3.Route{noUpgrade(sh, s.Target), r}
	if sh.tunnels() {
		tunnel := noTunnel()
		tunnel.TypedPerFilterConfig = map[string]*anypb.Any{authzName(sh): contextOf(p.Target)}
		if s.Target.Surface == string(v1alpha1.SurfacePackages) {
			// It is read in a tunnel that is inspected, too.
			rs = append(rs, inspectRoute(BackendMode(b)))
		}
		rs = append(rs, tunnel)
	}
	v := vhost(port, domains, sh, s.Target, rs)
	v.RequestHeadersToRemove = append(v.RequestHeadersToRemove, tracks()...)
	if s.Target.BodyBytes > 0 {
		v.RequestBodyBufferLimit = bodyBuffer(s.Target)
	}
	return v
}

// BackendMode is what Check must say for a hop to b on a Proxy listener.
func BackendMode(b *graph.Backend) string {
	switch {
	case b.Kind != graph.BackendName:
		return wire.ModeHosts
	case b.Inside:
		return wire.ModeInside
	default:
		return wire.ModeGuard
	}
}

// innerTable is the route table of plain HTTP inside a tunnel.
func innerTable(mode string, hosts []string, s Settings) *routev3.RouteConfiguration {
	out := tableOf(innerName(mode))
	routes := canaryInner(mode, s)
	if mode == wire.ModeHosts {
		for _, c := range hosts {
			routes = append(routes, innerHosts(mode, c))
		}
	} else {
		routes = append(routes, modeRoute("inner", anyPath(), mode, directName(cache(mode)), false))
	}
	v := vhost("*", []string{"*"}, shapeInner, wire.Target{Entry: wire.EntryInner, Surface: "HTTP"}, routes)
	v.RequestHeadersToRemove = append(v.RequestHeadersToRemove, tracks()...)
	out.VirtualHosts = append(out.VirtualHosts, v)
	return out
}
