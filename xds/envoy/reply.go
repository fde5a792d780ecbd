package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Reply is what Envoy answers of itself for a hop that was allowed and has no
// answer from its backend.
type Reply struct {
	// Flags are Envoy's response flags that call for it.
	Flags  []string
	Status int
	// Body is a format: what is no RequestID must hold no percent sign.
	Body        string
	ContentType string
	Headers     [][2]string
}

// RequestID stands for the hop's id in the body of a Reply.
const RequestID = "%DYNAMIC_METADATA(" + wire.AuthzNamespace + ":" + wire.MetaHopID + ")%"

// localReplies have Envoy speak in our words. gRPC is left out: there Envoy
// makes a status of its own words.
func localReplies(replies []Reply) *hcmv3.LocalReplyConfig {
	if len(replies) == 0 {
		return nil
	}
	out := &hcmv3.LocalReplyConfig{}
	for _, r := range replies {
		m := &hcmv3.ResponseMapper{
			Filter: allOf(flagged(r.Flags), notGRPC()), StatusCode: u32(uint32(r.Status)),
			BodyFormatOverride: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
					Specifier: &corev3.DataSource_InlineString{InlineString: r.Body},
				}},
				ContentType: r.ContentType,
			},
		}
		for _, h := range r.Headers {
			m.HeadersToAdd = append(m.HeadersToAdd, &corev3.HeaderValueOption{
				Header:       &corev3.HeaderValue{Key: h[0], Value: h[1]},
				AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			})
		}
		out.Mappers = append(out.Mappers, m)
	}
	return out
}

func allOf(fs ...*accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
		AndFilter: &accesslogv3.AndFilter{Filters: fs},
	}}
}

func flagged(flags []string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
		ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: flags},
	}}
}

func notGRPC() *accesslogv3.AccessLogFilter {
	grpc := &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "application/grpc"}}
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{
		HeaderFilter: &accesslogv3.HeaderFilter{Header: &routev3.HeaderMatcher{
			Name: "content-type", InvertMatch: true, TreatMissingHeaderAsEmpty: true,
			HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: grpc},
		}},
	}}
}
