package envoy

import (
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/hopgate/hopgate/gateway/graph"
)

// routeMatch is m as Envoy matches it. A prefix is whole segments.
func routeMatch(m graph.Match) *routev3.RouteMatch {
	out := &routev3.RouteMatch{}
	switch m.PathKind {
	case graph.MatchExact:
		out.PathSpecifier = &routev3.RouteMatch_Path{Path: m.Path}
	case graph.MatchRegex:
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: regex(m.Path)}
	default:
		setPrefix(out, m.Path)
	}
	if m.Method != "" {
		out.Headers = append(out.Headers, headerMatcher(graph.ValueMatch{Name: ":method", Kind: graph.MatchExact, Value: m.Method}))
	}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, headerMatcher(h))
	}
	for _, q := range m.Query {
		out.QueryParameters = append(out.QueryParameters, queryMatcher(q))
	}
	return out
}

func setPrefix(m *routev3.RouteMatch, path string) {
	if p := strings.TrimRight(path, "/"); p != "" {
		m.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: p}
		return
	}
	m.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: "/"}
}

func headerMatcher(v graph.ValueMatch) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{
		Name:                 strings.ToLower(v.Name),
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: valueMatcher(v)},
	}
}

func queryMatcher(v graph.ValueMatch) *routev3.QueryParameterMatcher {
	return &routev3.QueryParameterMatcher{
		Name:                         v.Name,
		QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{StringMatch: valueMatcher(v)},
	}
}

func valueMatcher(v graph.ValueMatch) *matcherv3.StringMatcher {
	if v.Kind == graph.MatchRegex {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(v.Value)}}
	}
	return exactly(v.Value)
}

func regex(s string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: s} }
