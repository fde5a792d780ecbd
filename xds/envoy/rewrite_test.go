package envoy

import (
	"regexp"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/hopgate/hopgate/gateway/graph"
)

// rewritten is what Envoy makes of a path: the matched prefix is replaced, or
// what the expression matches.
func rewritten(t *testing.T, from string, w graph.Rewrite, path string) string {
	t.Helper()
	act := &routev3.RouteAction{}
	rewrite(act, &w, graph.Match{PathKind: graph.MatchPrefix, Path: from})
	if err := Check(tableWith(&routev3.Route{
		Match: routeMatch(graph.Match{PathKind: graph.MatchPrefix, Path: from}), Action: &routev3.Route_Route{Route: act},
	})); err != nil {
		t.Fatalf("Check = %v", err)
	}
	if r := act.GetRegexRewrite(); r != nil {
		if act.GetPrefixRewrite() != "" {
			t.Fatal("two rewrites of one path")
		}
		// RE2 takes \\ where Go takes nothing, and nothing where Go takes $.
		to := strings.ReplaceAll(strings.ReplaceAll(r.GetSubstitution(), `\\`, `\`), "$", "$$")
		return regexp.MustCompile(r.GetPattern().GetRegex()).ReplaceAllString(path, to)
	}
	if act.GetPrefixRewrite() == "" {
		return path
	}
	return act.GetPrefixRewrite() + strings.TrimPrefix(path, strings.TrimRight(from, "/"))
}

func tableWith(r *routev3.Route) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{Name: "t", VirtualHosts: []*routev3.VirtualHost{{Name: "*", Domains: []string{"*"}, Routes: []*routev3.Route{r}}}}
}

// TestPrefixesAreReplaced has the table of Gateway API (HTTPPathModifier), and
// what it does not say.
func TestPrefixesAreReplaced(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, from, to, want string }{
		{"/foo/bar", "/foo", "/xyz", "/xyz/bar"},
		{"/foo/bar", "/foo", "/xyz/", "/xyz/bar"},
		{"/foo/bar", "/foo/", "/xyz", "/xyz/bar"},
		{"/foo/bar", "/foo/", "/xyz/", "/xyz/bar"},
		{"/foo", "/foo", "/xyz", "/xyz"},
		{"/foo/", "/foo", "/xyz", "/xyz/"},
		{"/foo/bar", "/foo", "", "/bar"},
		{"/foo/", "/foo", "", "/"},
		{"/foo", "/foo", "", "/"},
		{"/foo/", "/foo", "/", "/"},
		{"/foo", "/foo", "/", "/"},
		{"/ext/x", "/ext", "/", "/x"},
		{"/x", "/", "/xyz", "/xyz/x"},
		{"/x", "/", "/", "/x"},
		{"/a.b/x", "/a.b", "/", "/x"},
		{"/a/x", "/a", `/$1\1`, `/$1\1/x`},
		{"/x", "/", `/$1\1`, `/$1\1/x`},
	} {
		if got := rewritten(t, tt.from, graph.Rewrite{SetPath: true, PathPrefix: true, Path: tt.to}, tt.path); got != tt.want {
			t.Errorf("%s, with %s replaced by %q, is %s, want %s", tt.path, tt.from, tt.to, got, tt.want)
		}
	}
}

func TestPathsAreReplaced(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		w    graph.Rewrite
		want string
	}{
		{graph.Rewrite{SetPath: true, Path: "/all"}, "/all"},
		{graph.Rewrite{SetPath: true, Path: `/\0`}, `/\0`},
		{graph.Rewrite{Host: "h"}, "/foo/bar"},
	} {
		if got := rewritten(t, "/foo", tt.w, "/foo/bar"); got != tt.want {
			t.Errorf("%+v makes %s, want %s", tt.w, got, tt.want)
		}
	}
	act := &routev3.RouteAction{}
	rewrite(act, nil, graph.Match{})
	rewrite(act, &graph.Rewrite{Host: "h"}, graph.Match{})
	if act.GetHostRewriteLiteral() != "h" {
		t.Errorf("host = %q", act.GetHostRewriteLiteral())
	}
}

// FuzzPrefixRewrite: no path that a client or a person wrote becomes one with
// an empty segment (trap 4).
func FuzzPrefixRewrite(f *testing.F) {
	f.Add("ext", "", "x")
	f.Add("", "xyz", "a/b")
	f.Add("a.b/c", "x", "")
	f.Add("a", `\1`, "y")
	f.Fuzz(func(t *testing.T, from, to, rest string) {
		from, to, rest = clean(from), clean(to), clean(rest)
		path := strings.TrimRight(from, "/") + rest
		got := rewritten(t, from, graph.Rewrite{SetPath: true, PathPrefix: true, Path: to}, path)
		if strings.Contains(got, "//") || !strings.HasPrefix(got, "/") {
			t.Errorf("%s, with %s replaced by %s, is %s", path, from, to, got)
		}
	})
}

// clean is a path as translation and Envoy's normalisation let it pass.
func clean(s string) string {
	var b strings.Builder
	b.WriteByte('/')
	for _, r := range s {
		if r > ' ' && r < 0x7f && r != '?' && r != '#' && (r != '/' || !strings.HasSuffix(b.String(), "/")) {
			b.WriteRune(r)
		}
	}
	return b.String()
}
