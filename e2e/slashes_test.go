package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// TestEncodedSlashesOnRoutes: what was judged is sent on, also where a route
// replaces what it begins with, and a route to tools has none.
func TestEncodedSlashesOnRoutes(t *testing.T) {
	t.Parallel()
	site := newUpstream(t, said("site"))
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("")),
		"site.yaml": service("site", site.port(), plain, "/") + strings.Replace(route("short", "site", "/forge"), "    backendRefs:",
			"    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]\n    backendRefs:", 1),
		"tools.yaml": service("tools", site.port(), mcp, "/mcp"),
		"policy.yaml": policy("paths",
			`{name: projects, to: {type: HTTP, http: [{methods: [GET], paths: ["/projects/*", "/forge/projects/*"], encodedSlashes: Keep}]}, action: Allow}`,
			`{name: shut, to: {type: HTTP, http: [{paths: ["/**/acme/secret"]}]}, action: Deny}`,
			`{name: tools, to: {type: Tools, tools: [{}]}, action: Allow}`),
	})
	token := g.Token()
	for _, tc := range []struct {
		path   string
		status int
		seen   string // empty: nothing
	}{
		{"/projects/acme%2Fsite", http.StatusOK, "/projects/acme%2Fsite"},
		{"/projects/acme%2fsite?a=%2f", http.StatusOK, "/projects/acme%2Fsite?a=%2f"},
		{"/forge/projects/acme%2fsite?a=%2f", http.StatusOK, "/projects/acme%2Fsite?a=%2f"},
		{"/forge/projects/acme%2fsecret", http.StatusForbidden, ""},
		{"/forge/projects/acme%2f..%2f..%2fadmin", http.StatusBadRequest, ""},
		{"/forge%2fprojects/acme", http.StatusForbidden, ""},
		{"/forge/%2fevil.example", http.StatusBadRequest, ""},
		{"/projects/acme%5csite", http.StatusBadRequest, ""},
	} {
		before := len(site.requests())
		got := statusOf(t, g.HTTP, "GET "+tc.path+" HTTP/1.1\r\nHost: route.example\r\nTxn-Token: "+token+"\r\n\r\n")
		seen := ""
		if came := site.requests()[before:]; len(came) > 0 {
			seen = came[0].RequestURI
		}
		if got != tc.status || seen != tc.seen {
			t.Errorf("%s: answer %d, and the site saw %q, want %d, %q", tc.path, got, seen, tc.status, tc.seen)
		}
	}
	for _, path := range []string{"/mcp/..%2fadmin", "/mcp/a%2Fb", "/mcp/a%5cb"} {
		got := statusOf(t, g.HTTP, "POST "+path+" HTTP/1.1\r\nHost: route.example\r\nTxn-Token: "+token+"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
		if got != http.StatusBadRequest && got != http.StatusForbidden {
			t.Errorf("%s: answer %d", path, got)
		}
		g.Recorded(t, "that the path is refused", func(r audit.Record) bool { return r.Code == "bad_path" && r.Surface == "Tools" })
	}
}
