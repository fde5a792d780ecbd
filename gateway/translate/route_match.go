package translate

import (
	"fmt"
	"regexp"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/graph"
)

// maxPattern bounds regular expressions, in bytes: Envoy refuses large programs.
const maxPattern = 1024

// joinedMatches reads the matches of a rule; none given: every request. One
// that cannot be read is left out, and makes the rule a broken one.
func joinedMatches(list []gatewayv1.HTTPRouteMatch, before error) ([]graph.Match, error) {
	if len(list) == 0 {
		return []graph.Match{{PathKind: graph.MatchPrefix, Path: "/"}}, before
	}
	var out []graph.Match
	for i := range list {
		m, err := readMatch(&list[i])
		if err != nil {
			before = joined(before, prefixed(fmt.Sprintf("matches[%d]", i), err))
			continue
		}
		out = append(out, m)
	}
	return out, before
}

func readMatch(in *gatewayv1.HTTPRouteMatch) (graph.Match, error) {
	m := graph.Match{PathKind: graph.MatchPrefix, Path: "/"}
	if err := readPath(&m, in.Path); err != nil {
		return m, err
	}
	if in.Method != nil {
		m.Method = string(*in.Method)
		if err := checkMethod(m.Method); err != nil {
			return m, err
		}
	}
	for i := range in.Headers {
		h := &in.Headers[i]
		v, err := readValue(string(h.Name), h.Value, string(deref(h.Type, gatewayv1.HeaderMatchExact)))
		if err != nil {
			return m, prefixed(fmt.Sprintf("headers[%d]", i), err)
		}
		v.Name = lower(v.Name)
		m.Headers = addFirst(m.Headers, v)
	}
	for i := range in.QueryParams {
		q := &in.QueryParams[i]
		v, err := readValue(string(q.Name), q.Value, string(deref(q.Type, gatewayv1.QueryParamMatchExact)))
		if err != nil {
			return m, prefixed(fmt.Sprintf("queryParams[%d]", i), err)
		}
		m.Query = addFirst(m.Query, v)
	}
	return m, nil
}

// addFirst ignores a second value of one name, as Gateway API wants it
// (HTTPRouteMatch.headers).
func addFirst(list []graph.ValueMatch, v graph.ValueMatch) []graph.ValueMatch {
	for _, old := range list {
		if old.Name == v.Name {
			return list
		}
	}
	return append(list, v)
}

func readPath(m *graph.Match, p *gatewayv1.HTTPPathMatch) error {
	if p == nil {
		return nil
	}
	value := deref(p.Value, "/")
	switch deref(p.Type, gatewayv1.PathMatchPathPrefix) {
	case gatewayv1.PathMatchExact:
		m.PathKind, m.Path = graph.MatchExact, value
		return checkPath(value)
	case gatewayv1.PathMatchPathPrefix:
		m.Path = value
		return checkPath(value)
	case gatewayv1.PathMatchRegularExpression:
		m.PathKind, m.Path = graph.MatchRegex, value
		return checkPattern("path", value)
	default:
		return unsupported("path.type: %s is not supported", quote(string(*p.Type)))
	}
}

// pathText says whether p is made of what a path has: unreserved characters,
// delimiters, and whole percent-encoded bytes (RFC 3986 section 3.3).
func pathText(p string) bool {
	if !strings.HasPrefix(p, "/") || len(p) > 1024 {
		return false
	}
	for i, part := range strings.Split(lower(p), "%") {
		if i > 0 {
			if len(part) < 2 || !only(part[:2], hexDigits) {
				return false
			}
			part = part[2:]
		}
		if !only(part, letters+digits+"-/._~!$&'()*+,;=:@") {
			return false
		}
	}
	return true
}

// checkPath is what Gateway API asks of a path (HTTPPathMatch). What Envoy's
// own normalisation would never let through matches nothing, or not what was
// meant.
func checkPath(p string) error {
	encoded := lower(p)
	switch {
	case !pathText(p):
		return unsupported("path: %s is no path", quote(p))
	case strings.Contains(p, "//") || strings.Contains(p, "/./") || strings.Contains(p, "/../"),
		strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/.."), strings.Contains(encoded, "%00"):
		return unsupported("path: %s never reaches a route: it is normalised or refused before", quote(p))
	case strings.Contains(encoded, "%2f"):
		return unsupported("path: %s: no route is chosen by an encoded slash: let a prefix end before it, or use type RegularExpression", quote(p))
	}
	return nil
}

// checkPattern wants what both Go's regexp and Envoy's RE2 read.
func checkPattern(field, p string) error {
	if len(p) > maxPattern {
		return unsupported("%s: the expression is longer than %d bytes", field, maxPattern)
	}
	if _, err := regexp.Compile(p); err != nil {
		return unsupported("%s: %s is no regular expression", field, quote(p))
	}
	return nil
}

func checkMethod(m string) error {
	switch gatewayv1.HTTPMethod(m) {
	case gatewayv1.HTTPMethodGet, gatewayv1.HTTPMethodHead, gatewayv1.HTTPMethodPost, gatewayv1.HTTPMethodPut,
		gatewayv1.HTTPMethodDelete, gatewayv1.HTTPMethodOptions, gatewayv1.HTTPMethodTrace, gatewayv1.HTTPMethodPatch:
		return nil
	case gatewayv1.HTTPMethodConnect:
		return unsupported("method: CONNECT is for Proxy listeners")
	}
	return unsupported("method: %s is not supported", quote(m))
}

// readValue reads a match of a header or query parameter. Gateway API calls
// the two kinds alike for both.
func readValue(name, value, kind string) (graph.ValueMatch, error) {
	v := graph.ValueMatch{Name: name, Value: value, Kind: graph.MatchExact}
	if !token(name) {
		return v, unsupported("name: %s is no name", quote(name))
	}
	switch kind {
	case string(gatewayv1.HeaderMatchExact):
		if value == "" || !headerText(value) {
			return v, unsupported("value: is empty, or has control characters")
		}
	case string(gatewayv1.HeaderMatchRegularExpression):
		v.Kind = graph.MatchRegex
		return v, checkPattern("value", value)
	default:
		return v, unsupported("type: %s is not supported", quote(kind))
	}
	return v, nil
}
