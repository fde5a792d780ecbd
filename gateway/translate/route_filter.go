package translate

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/graph"
)

// readFilters reads the filters of a rule. Those that are not supported are a
// problem of the rule: it must not do half of what it says.
func (d *ruleDraft) readFilters(rule *gatewayv1.HTTPRouteRule) {
	seen := map[gatewayv1.HTTPRouteFilterType]bool{}
	for i := range rule.Filters {
		f := &rule.Filters[i]
		err := d.readFilter(f, rule)
		if seen[f.Type] {
			err = reject(string(gatewayv1.RouteReasonIncompatibleFilters), "%s is there twice", f.Type)
		}
		seen[f.Type] = true
		if err != nil {
			d.fail(prefixed(fmt.Sprintf("filters[%d]", i), err))
		}
	}
}

func (d *ruleDraft) readFilter(f *gatewayv1.HTTPRouteFilter, rule *gatewayv1.HTTPRouteRule) error {
	var err error
	switch f.Type {
	case gatewayv1.HTTPRouteFilterRequestHeaderModifier:
		d.request, err = headerMod(f.RequestHeaderModifier)
	case gatewayv1.HTTPRouteFilterResponseHeaderModifier:
		d.response, err = headerMod(f.ResponseHeaderModifier)
	case gatewayv1.HTTPRouteFilterURLRewrite:
		d.rewrite, err = rewrite(f.URLRewrite, rule.Matches)
	default:
		err = unsupported("type %s is not supported", quote(string(f.Type)))
	}
	return err
}

// readBackendFilters reads the filters of one backend.
func (b *backendDraft) readFilters(list []gatewayv1.HTTPRouteFilter) error {
	for i := range list {
		var err error
		switch f := &list[i]; {
		case f.Type == gatewayv1.HTTPRouteFilterRequestHeaderModifier && b.request == nil:
			b.request, err = headerMod(f.RequestHeaderModifier)
		case f.Type == gatewayv1.HTTPRouteFilterResponseHeaderModifier && b.response == nil:
			b.response, err = headerMod(f.ResponseHeaderModifier)
		case f.Type == gatewayv1.HTTPRouteFilterRequestHeaderModifier, f.Type == gatewayv1.HTTPRouteFilterResponseHeaderModifier:
			err = reject(string(gatewayv1.RouteReasonIncompatibleFilters), "%s is there twice", f.Type)
		default:
			err = unsupported("type %s is not supported on a backend", quote(string(f.Type)))
		}
		if err != nil {
			return prefixed(fmt.Sprintf("filters[%d]", i), err)
		}
	}
	return nil
}

func headerMod(f *gatewayv1.HTTPHeaderFilter) (*graph.HeaderMod, error) {
	if f == nil {
		return nil, unsupported("has no values")
	}
	out := &graph.HeaderMod{}
	var err error
	if out.Set, err = headers("set", f.Set); err != nil {
		return nil, err
	}
	if out.Add, err = headers("add", f.Add); err != nil {
		return nil, err
	}
	for i, name := range f.Remove {
		name = lower(name)
		if err := headerName(name); err != nil {
			return nil, prefixed(fmt.Sprintf("remove[%d]", i), err)
		}
		out.Remove = append(out.Remove, name)
	}
	return out, nil
}

func headers(field string, list []gatewayv1.HTTPHeader) ([]graph.Header, error) {
	var out []graph.Header
	for i, h := range list {
		name := lower(string(h.Name))
		if err := headerName(name); err != nil {
			return nil, prefixed(fmt.Sprintf("%s[%d]", field, i), err)
		}
		if !headerText(h.Value) {
			return nil, unsupported("%s[%d]: the value of %s is no text for a header", field, i, name)
		}
		if !listed(out, name) {
			out = append(out, graph.Header{Name: name, Value: h.Value})
		}
	}
	return out, nil
}

func headerName(name string) error {
	switch {
	case !token(name):
		return unsupported("%s is no name of a header", quote(name))
	case reserved(name):
		return unsupported("header %s is not a route's to change", name)
	}
	return nil
}

// rewrite reads a URLRewrite. Replacing a prefix needs one match, of a prefix
// (HTTPRouteRule, "When using URLRewrite filter").
func rewrite(f *gatewayv1.HTTPURLRewriteFilter, matches []gatewayv1.HTTPRouteMatch) (*graph.Rewrite, error) {
	if f == nil {
		return nil, unsupported("has no values")
	}
	out := &graph.Rewrite{}
	if f.Hostname != nil {
		host, ok := hostName(string(*f.Hostname))
		if !ok {
			return nil, unsupported("hostname: %s is no host name", quote(string(*f.Hostname)))
		}
		out.Host = host
	}
	if f.Path == nil {
		return out, nil
	}
	out.SetPath = true
	switch p := f.Path; {
	case p.Type == gatewayv1.FullPathHTTPPathModifier && p.ReplaceFullPath != nil:
		out.Path = *p.ReplaceFullPath
		return out, checkPath(out.Path)
	case p.Type == gatewayv1.PrefixMatchHTTPPathModifier && p.ReplacePrefixMatch != nil:
		out.PathPrefix, out.Path = true, *p.ReplacePrefixMatch
		if !onePrefix(matches) {
			return nil, unsupported("path: ReplacePrefixMatch needs exactly one match, of a path prefix")
		}
		if out.Path == "" {
			return out, nil
		}
		return out, checkPath(out.Path)
	}
	return nil, unsupported("path.type: %s is not supported, or has no value", quote(string(f.Path.Type)))
}

func onePrefix(matches []gatewayv1.HTTPRouteMatch) bool {
	if len(matches) == 0 {
		return true
	}
	p := matches[0].Path
	return len(matches) == 1 && (p == nil || deref(p.Type, gatewayv1.PathMatchPathPrefix) == gatewayv1.PathMatchPathPrefix)
}

// listed says whether a header is in the list already: of two equal names the
// first counts (HTTPHeader.name).
func listed(list []graph.Header, name string) bool {
	for _, h := range list {
		if h.Name == name {
			return true
		}
	}
	return false
}
