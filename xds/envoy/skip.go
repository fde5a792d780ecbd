package envoy

import (
	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	matchingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/matching/v3"
	skipv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/matcher/action/v3"
	inputsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/input_matchers/metadata/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

type predicate = xdsmatcherv3.Matcher_MatcherList_Predicate

// unless wraps a filter that is skipped where skip holds.
func unless(skip *predicate, name string, filter proto.Message) *matchingv3.ExtensionWithMatcher {
	return &matchingv3.ExtensionWithMatcher{
		XdsMatcher: &xdsmatcherv3.Matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherList_{
			MatcherList: &xdsmatcherv3.Matcher_MatcherList{Matchers: []*xdsmatcherv3.Matcher_MatcherList_FieldMatcher{{
				Predicate: skip,
				OnMatch: &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
					Action: &xdscorev3.TypedExtensionConfig{Name: "skip", TypedConfig: pack(&skipv3.SkipFilter{})},
				}},
			}}},
		}},
		ExtensionConfig: &corev3.TypedExtensionConfig{Name: name, TypedConfig: pack(filter)},
	}
}

// metadataIs holds where Check wrote value under key.
func metadataIs(key, value string) *predicate {
	input := &inputsv3.DynamicMetadataInput{
		Filter: wire.AuthzNamespace,
		Path:   []*inputsv3.DynamicMetadataInput_PathSegment{{Segment: &inputsv3.DynamicMetadataInput_PathSegment_Key{Key: key}}},
	}
	return &predicate{MatchType: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_{
		SinglePredicate: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate{
			Input: &xdscorev3.TypedExtensionConfig{Name: "metadata", TypedConfig: pack(input)},
			Matcher: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_CustomMatch{
				CustomMatch: &xdscorev3.TypedExtensionConfig{Name: "metadata", TypedConfig: pack(&metadatav3.Metadata{Value: stringValue(value)})},
			},
		},
	}}
}

func stringValue(s string) *matcherv3.ValueMatcher {
	return &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_StringMatch{StringMatch: exactly(s)}}
}

func anyOf(ps ...*predicate) *predicate {
	return &predicate{MatchType: &xdsmatcherv3.Matcher_MatcherList_Predicate_OrMatcher{
		OrMatcher: &xdsmatcherv3.Matcher_MatcherList_Predicate_PredicateList{Predicate: ps},
	}}
}

func not(p *predicate) *predicate {
	return &predicate{MatchType: &xdsmatcherv3.Matcher_MatcherList_Predicate_NotMatcher{NotMatcher: p}}
}

// nothingBut keeps requests out of the hold, which knows its hop by id, and of
// the answer all but these headers.
func nothingBut(headers ...string) *matcherv3.ListStringMatcher {
	m := &matcherv3.ListStringMatcher{}
	for _, h := range headers {
		m.Patterns = append(m.Patterns, exactly(h))
	}
	return m
}

func exactly(s string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: s}}
}
