package envoy

import (
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/hopgate/hopgate/gateway/graph"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	match := func(m graph.Match) *routev3.RouteConfiguration {
		return tableWith(&routev3.Route{Name: "r", Match: routeMatch(m), Action: &routev3.Route_Route{Route: &routev3.RouteAction{}}})
	}
	expr := func(s string) *routev3.RouteConfiguration {
		return match(graph.Match{PathKind: graph.MatchRegex, Path: s})
	}
	value := func(s string) []graph.ValueMatch {
		return []graph.ValueMatch{{Name: "n", Kind: graph.MatchRegex, Value: s}}
	}
	twice := func(a, b string) *routev3.RouteConfiguration {
		return &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{Domains: []string{a}}, {Domains: []string{b}}}}
	}
	rewritten := tableWith(&routev3.Route{
		Name: "r", Match: routeMatch(graph.Match{PathKind: graph.MatchPrefix, Path: "/"}),
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{RegexRewrite: substitute("(", "")}},
	})
	for _, tt := range []struct {
		name  string
		table *routev3.RouteConfiguration
		says  string // empty: taken
	}{
		{"a plain table", match(graph.Match{PathKind: graph.MatchPrefix, Path: "/"}), ""},
		{"an expression", expr("/m/[a-z]+(/.*)?"), ""},
		{"a list of names", expr("/(" + strings.Repeat("name|", 100) + "x)"), ""},
		{"a domain twice", twice("a.example", "a.example"), `domain "a.example" stands twice`},
		{"a domain twice in another case", twice("a.example", "A.example"), `domain "a.example" stands twice`},
		{"two domains", twice("a.example", "b.example"), ""},
		{"no path", tableWith(&routev3.Route{Name: "r"}), "route r: it matches no path"},
		{"a bad path", expr("/("), "route r: error parsing regexp: missing closing"},
		{"a bad header", match(graph.Match{Path: "/", Headers: value("[")}), "route r: error parsing regexp: missing closing"},
		{"a bad query parameter", match(graph.Match{Path: "/", Query: value("*")}), "missing argument to repetition"},
		{"a bad rewrite", rewritten, "error parsing regexp"},
		{"what only Perl knows", expr(`/(?=a)`), "error parsing regexp"},
		{"too many repetitions", expr("/a{1001}"), "invalid repeat count"},
		{"repetitions of repetitions", expr("/((a{100}){100}){10}"), "invalid repeat count"},
		{"too large", expr("/(ab{90}){11}"), "instructions, at most 1000"},
		{"too long", expr("/" + strings.Repeat("a", maxRegexBytes)), "of 4097 bytes, at most 4096"},
		{"too deep", expr(strings.Repeat("(", 1500) + strings.Repeat(")", 1500)), "nest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Check(tt.table)
			switch {
			case tt.says == "" && err != nil:
				t.Errorf("Check = %v", err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("Check = %v, want %q", err, tt.says)
			case err != nil && len(err.Error()) > 6000:
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
	if err := Check(&clusterv3.Cluster{}); err != nil {
		t.Errorf("Check = %v for what has no expressions", err)
	}
}

func TestCutKeepsLettersWhole(t *testing.T) {
	t.Parallel()
	if got := cut("short"); got != "short" {
		t.Errorf("cut = %q", got)
	}
	if got := cut(strings.Repeat("x", 79) + "é and more"); got != strings.Repeat("x", 79)+"..." {
		t.Errorf("cut = %q", got)
	}
}
