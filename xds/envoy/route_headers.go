package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

// headersTo is what a modifier adds, with user text escaped.
func headersTo(m *graph.HeaderMod) []*corev3.HeaderValueOption {
	if m == nil {
		return nil
	}
	var out []*corev3.HeaderValueOption
	for _, h := range m.Set {
		out = append(out, headerOption(h, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
	}
	for _, h := range m.Add {
		out = append(out, headerOption(h, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD))
	}
	return out
}

func headerOption(h graph.Header, a corev3.HeaderValueOption_HeaderAppendAction) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:         &corev3.HeaderValue{Key: h.Name, Value: Escape(h.Value)},
		AppendAction:   a,
		KeepEmptyValue: true,
	}
}

func removed(m *graph.HeaderMod) []string {
	if m == nil {
		return nil
	}
	return m.Remove
}

// ours never reaches a backend. The deadline and the token are not among it:
// what is named here is gone whoever set it, and Check may hand on a token.
func ours() []string {
	return []string{"proxy-authorization", wire.HeaderFraming, wire.HeaderPartialBody, "x-envoy-internal", "x-envoy-external-address"}
}

// tracks are what the outside would learn of us.
func tracks() []string {
	return []string{"x-forwarded-for", "x-forwarded-proto", "x-request-id"}
}
