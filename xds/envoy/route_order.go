package envoy

import (
	"cmp"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/hopgate/hopgate/gateway/graph"
)

// entry is one match of one rule on one host, with all that decides its place.
type entry struct {
	host     string
	fragment *graph.Fragment
	rule     *graph.Rule
	match    int
	route    *routev3.Route
}

func (e entry) m() graph.Match { return e.rule.Matches[e.match] }

// compareEntries orders by Gateway API's precedence (HTTPRouteRule.matches):
// exact path, longest prefix, then expressions; method; headers; query
// parameters; the oldest route, then its name; the first rule, then match.
func compareEntries(a, b entry) int {
	x, y := a.m(), b.m()
	return cmp.Or(
		cmp.Compare(pathRank(x), pathRank(y)),
		cmp.Compare(len(y.Path), len(x.Path)),
		cmp.Compare(methodRank(x), methodRank(y)),
		cmp.Compare(len(y.Headers), len(x.Headers)),
		cmp.Compare(len(y.Query), len(x.Query)),
		a.fragment.Created.Compare(b.fragment.Created),
		cmp.Compare(a.fragment.Owner.Namespace, b.fragment.Owner.Namespace),
		cmp.Compare(a.fragment.Owner.Name, b.fragment.Owner.Name),
		cmp.Compare(a.fragment.Owner.Kind, b.fragment.Owner.Kind),
		cmp.Compare(a.rule.Index, b.rule.Index),
		cmp.Compare(a.match, b.match),
	)
}

func pathRank(m graph.Match) int {
	switch m.PathKind {
	case graph.MatchExact:
		return 0
	case graph.MatchRegex:
		return 2
	default:
		return 1
	}
}

func methodRank(m graph.Match) int {
	if m.Method != "" {
		return 0
	}
	return 1
}
