package envoy

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	trailersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

const filterTrailers = "trailers"

// trailers takes all that comes behind a request's body away: nobody judges it,
// and no budget counts it. HTTP/1.1 loses it in Envoy anyhow; HTTP/2 would carry
// tens of kilobytes on with each request.
func trailers() Filter {
	return Filter{Name: filterTrailers, Config: &trailersv3.HeaderMutation{Mutations: &trailersv3.Mutations{
		RequestTrailersMutations: []*mutationv3.HeaderMutation{{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
			RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
				KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{
					SafeRegex: &matcherv3.RegexMatcher{Regex: ".*"},
				}},
			},
		}}},
	}}}
}
