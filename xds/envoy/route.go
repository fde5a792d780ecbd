package envoy

import (
	"fmt"
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	dfpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_forward_proxy/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// unresolved is a cluster that never exists: the share of references that do
// not resolve goes there, and is answered 500.
const unresolved = "hopgate/unresolved"

// backends finds a backend by the name of its cluster; nil: there is none.
type backends func(name string) *graph.Backend

// route is one match of one rule.
func (b backends) route(f *graph.Fragment, r *graph.Rule, match int) *routev3.Route {
	out := &routev3.Route{
		Name:                 fmt.Sprintf("%s/%s#%d.%d", f.Owner.Namespace, f.Owner.Name, r.Index, match),
		Match:                routeMatch(r.Matches[match]),
		TypedPerFilterConfig: map[string]*anypb.Any{authzName(shapeRoutes): contextOf(r.Target)},
	}
	if r.Target.BodyBytes > 0 {
		out.RequestBodyBufferLimit = bodyBuffer(r.Target)
	}
	if r.Forward == nil {
		out.Action = respond(r.Status)
		return out
	}
	out.RequestHeadersToAdd = headersTo(r.Forward.RequestHeaders)
	out.RequestHeadersToRemove = removed(r.Forward.RequestHeaders)
	out.ResponseHeadersToAdd = headersTo(r.Forward.ResponseHeaders)
	out.ResponseHeadersToRemove = removed(r.Forward.ResponseHeaders)
	b.forwardTo(out, r.Forward, r.Matches[match])
	return out
}

func respond(status int) *routev3.Route_DirectResponse {
	return &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: uint32(status)}}
}

// forwardTo has no retry, no mirror and no redirect: one attempt, at one
// cluster, so that a credential goes where it was meant and a deadline is not
// begun anew.
func (b backends) forwardTo(out *routev3.Route, f *graph.Forward, m graph.Match) {
	act := &routev3.RouteAction{
		// Envoy's default of 15 s would end streams.
		Timeout:                     dur(f.Timeout),
		ClusterNotFoundResponseCode: routev3.RouteAction_INTERNAL_SERVER_ERROR,
	}
	if len(f.Backends) == 1 && f.FailedWeight == 0 {
		b.toOne(out, act, f.Backends[0])
	} else {
		b.toMany(out, act, f)
	}
	rewrite(act, f.Rewrite, m)
	out.Action = &routev3.Route_Route{Route: act}
}

func (b backends) toOne(out *routev3.Route, act *routev3.RouteAction, w graph.WeightedBackend) {
	act.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: w.Backend}
	if w.HostRewrite != "" {
		act.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: w.HostRewrite}
	}
	out.RequestHeadersToAdd = append(out.RequestHeadersToAdd, headersTo(w.RequestHeaders)...)
	out.RequestHeadersToRemove = append(out.RequestHeadersToRemove, removed(w.RequestHeaders)...)
	out.ResponseHeadersToAdd = append(out.ResponseHeadersToAdd, headersTo(w.ResponseHeaders)...)
	out.ResponseHeadersToRemove = append(out.ResponseHeadersToRemove, removed(w.ResponseHeaders)...)
	b.resolveBy(out.TypedPerFilterConfig, out.TypedPerFilterConfig, w.Backend)
}

func (b backends) toMany(out *routev3.Route, act *routev3.RouteAction, f *graph.Forward) {
	set := &routev3.WeightedCluster{}
	for _, w := range f.Backends {
		c := &routev3.WeightedCluster_ClusterWeight{
			Name: w.Backend, Weight: u32(w.Weight),
			RequestHeadersToAdd: headersTo(w.RequestHeaders), RequestHeadersToRemove: removed(w.RequestHeaders),
			ResponseHeadersToAdd: headersTo(w.ResponseHeaders), ResponseHeadersToRemove: removed(w.ResponseHeaders),
			TypedPerFilterConfig: map[string]*anypb.Any{},
		}
		if w.HostRewrite != "" {
			c.HostRewriteSpecifier = &routev3.WeightedCluster_ClusterWeight_HostRewriteLiteral{HostRewriteLiteral: w.HostRewrite}
		}
		b.resolveBy(out.TypedPerFilterConfig, c.TypedPerFilterConfig, w.Backend)
		set.Clusters = append(set.Clusters, c)
	}
	if f.FailedWeight > 0 {
		set.Clusters = append(set.Clusters, &routev3.WeightedCluster_ClusterWeight{Name: unresolved, Weight: u32(f.FailedWeight)})
	}
	act.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: set}
}

// resolveBy has a backend with a host name looked up in its own cache, and
// the other cache's filter kept away from it.
func (b backends) resolveBy(onRoute, onCluster map[string]*anypb.Any, name string) {
	be := b(name)
	if be == nil || be.Kind != graph.BackendName {
		return
	}
	mine, other := cacheGuard, cacheInside
	if be.Inside {
		mine, other = cacheInside, cacheGuard
	}
	onRoute[forwardName(shapeRoutes, other)] = pack(&routev3.FilterConfig{Disabled: true})
	onCluster[forwardName(shapeRoutes, mine)] = pack(&dfpv3.PerRouteConfig{
		HostRewriteSpecifier: &dfpv3.PerRouteConfig_HostRewriteLiteral{HostRewriteLiteral: authority(be)},
	})
}

// authority is how a request names a backend.
func authority(b *graph.Backend) string { return hostAndPort(b.Hostname, b.Port, b.TLS != nil) }

// hostAndPort leaves out the port that goes without saying.
func hostAndPort(host string, port uint16, tls bool) string {
	if tls && port == 443 || !tls && port == 80 {
		return host
	}
	return fmt.Sprintf("%s:%d", host, port)
}

// rewrite changes host and path. A prefix is replaced by expression where
// Envoy's own way would leave a double slash, or none.
func rewrite(act *routev3.RouteAction, w *graph.Rewrite, m graph.Match) {
	if w == nil {
		return
	}
	if w.Host != "" {
		act.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: w.Host}
	}
	if !w.SetPath {
		return
	}
	if !w.PathPrefix {
		act.RegexRewrite = substitute("^.*$", w.Path)
		return
	}
	from, to := strings.TrimRight(m.Path, "/"), strings.TrimRight(w.Path, "/")
	if from == "" || to == "" {
		act.RegexRewrite = substitute("^"+regexp.QuoteMeta(from)+"/*", to+"/")
		return
	}
	act.PrefixRewrite = to
}

// substitute replaces what pattern matches by text, which is not read as a
// pattern of its own.
func substitute(pattern, text string) *matcherv3.RegexMatchAndSubstitute {
	return &matcherv3.RegexMatchAndSubstitute{
		Pattern: regex(pattern), Substitution: strings.ReplaceAll(text, `\`, `\\`),
	}
}

// vhost is a virtual host with its catch-all: what no route matches is a hop
// too, and is refused by the guard in words of its own. So is a tunnel where
// there is no proxy.
func vhost(name string, domains []string, sh shape, t wire.Target, rs []*routev3.Route) *routev3.VirtualHost {
	if !sh.tunnels() {
		rs = append(rs, noProxy())
	}
	return &routev3.VirtualHost{
		Name: name, Domains: domains,
		Routes: append(rs, &routev3.Route{
			Name: "none", Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}, Action: respond(404),
		}),
		TypedPerFilterConfig:   map[string]*anypb.Any{authzName(sh): contextOf(t)},
		RequestHeadersToRemove: ours(),
	}
}
