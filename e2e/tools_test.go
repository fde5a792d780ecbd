package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// searchRule lets a researcher search in its own repositories.
const searchRule = `{name: search, from: {agents: [{name: researcher}]}, transaction: {scopes: [research.read]}, action: Allow,
    to: {type: Tools, tools: [{servers: [{name: tools}], names: ["search_*"], arguments: [
      {name: repo, type: Glob, values: ["acme/*"]}, {name: limit, type: Range, minimum: 1, maximum: 100}]}]}}`

// toolServer is a tool server by the official SDK.
type toolServer struct {
	*upstream
	calls atomic.Int64 // of tools that were run
}

type searchArgs struct {
	Repo  string `json:"repo"`
	Limit int    `json:"limit"`
}

func newToolServer(t testing.TB) *toolServer {
	t.Helper()
	ts := &toolServer{}
	s := sdk.NewServer(&sdk.Implementation{Name: "code", Version: "1"}, nil)
	run := func(what string) func(context.Context, *sdk.CallToolRequest, searchArgs) (*sdk.CallToolResult, any, error) {
		return func(_ context.Context, _ *sdk.CallToolRequest, a searchArgs) (*sdk.CallToolResult, any, error) {
			ts.calls.Add(1)
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: what + " " + a.Repo}}}, nil, nil
		}
	}
	sdk.AddTool(s, &sdk.Tool{Name: "search_code"}, run("searched"))
	sdk.AddTool(s, &sdk.Tool{Name: "delete_repo"}, run("deleted"))
	t.Cleanup(func() {
		for session := range s.Sessions() {
			_ = session.Close() // its client may have ended it
		}
	})
	ts.upstream = newUpstream(t, sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, nil).ServeHTTP)
	return ts
}

// withToken puts a token on each request.
type withToken struct {
	token string
	next  http.RoundTripper
}

func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Txn-Token", w.token)
	return w.next.RoundTrip(r)
}

func connect(t testing.TB, g *testgateway.Gateway, path, token string) (*sdk.ClientSession, error) {
	t.Helper()
	hc := newClient(t)
	hc.Transport = withToken{token, hc.Transport}
	c := sdk.NewClient(&sdk.Implementation{Name: "agent", Version: "1"}, nil)
	return c.Connect(t.Context(), &sdk.StreamableClientTransport{
		Endpoint: g.URL(path), HTTPClient: hc, MaxRetries: -1, DisableStandaloneSSE: true,
	}, nil)
}

// TestTools is an agent of the official SDK at a tool server of the official
// SDK: what it may do, what it may not, and that its session outlives a
// denial.
func TestTools(t *testing.T) {
	t.Parallel()
	ts := newToolServer(t)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("tools", ts.port(), mcp, "/mcp"),
		"policy.yaml":  policy("researcher", searchRule),
	})
	s, err := connect(t, g, "/mcp", g.Token())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != 2 {
		t.Fatalf("list tools: %+v, %v", list, err)
	}
	for _, tc := range []struct {
		name, tool string
		args       map[string]any
		text, code string
	}{
		{"allowed", "search_code", map[string]any{"repo": "acme/rocket", "limit": 10}, "searched acme/rocket", ""},
		{"denied by name", "delete_repo", map[string]any{"repo": "acme/rocket", "limit": 10}, "", "no_rule"},
		{"denied by argument", "search_code", map[string]any{"repo": "rival/x", "limit": 10}, "", "no_rule"},
		{"denied by range", "search_code", map[string]any{"repo": "acme/x", "limit": 101}, "", "no_rule"},
		{"denied by an argument too many", "search_code", map[string]any{"repo": "acme/x", "limit": 1, "as": "root"}, "", "no_rule"},
		{"allowed again", "search_code", map[string]any{"repo": "acme/again", "limit": 1}, "searched acme/again", ""},
	} {
		got, code := callTool(t, s, tc.tool, tc.args)
		if got != tc.text || code != tc.code {
			t.Errorf("%s: %q, code %q, want %q, %q", tc.name, got, code, tc.text, tc.code)
		}
	}
	if n := ts.calls.Load(); n != 2 {
		t.Errorf("the server ran %d tools, want 2", n)
	}
	r := g.Recorded(t, "a denied call", func(r audit.Record) bool { return r.Kind == audit.KindDeny && r.Name == "delete_repo" })
	want := [...]string{"Tools", "tools/call", "txn-1", testgateway.Subject, testgateway.Agent, "default/egress", "default/tools"}
	if diff := cmp.Diff(want, [...]string{r.Surface, r.Method, r.Txn, r.Subject, r.Agent, r.Gateway, r.Route}); diff != "" {
		t.Errorf("the record differs (-want +got):\n%s", diff)
	}
}

// callTool gives what a tool said, or the code by which it was denied.
func callTool(t testing.TB, s *sdk.ClientSession, tool string, args map[string]any) (text, code string) {
	t.Helper()
	r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: args})
	var failure *jsonrpc.Error
	switch {
	case errors.As(err, &failure):
		var data struct{ Code string }
		if failure.Code != -32043 || json.Unmarshal(failure.Data, &data) != nil {
			t.Errorf("%s: error %d %s", tool, failure.Code, failure.Data)
		}
		return "", data.Code
	case err != nil:
		t.Fatalf("%s: the session is lost: %v", tool, err)
	}
	return r.Content[0].(*sdk.TextContent).Text, ""
}

// TestToolsBaseMethods is who is let as far as the base methods: nobody for
// whom no rule names the server.
func TestToolsBaseMethods(t *testing.T) {
	t.Parallel()
	ts := newToolServer(t)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("tools", ts.port(), mcp, "/mcp"),
		"policy.yaml":  policy("researcher", searchRule),
	})
	for _, tc := range []struct {
		name   string
		token  string
		method string
		body   string
		status int
		code   string
	}{
		{"initialize", g.Token(), "POST", initialize, 200, ""},
		{"initialize by another agent", g.Token(agent("intern")), "POST", initialize, 403, "no_rule"},
		{"initialize without a scope", g.Token(scopes("other")), "POST", initialize, 403, "no_rule"},
		{"initialize without a token", "", "POST", initialize, 403, "token_missing"},
		{"list by another agent", g.Token(agent("intern")), "POST", rpc(7, "tools/list", ""), 403, "no_rule"},
		{"an event stream by another agent", g.Token(agent("intern")), "GET", "", 403, "no_rule"},
		{"the end of a session by another agent", g.Token(agent("intern")), "DELETE", "", 403, "no_rule"},
		{"another kind of call", g.Token(), "POST", rpc(7, "prompts/get", `{"name":"search_x"}`), 403, "no_rule"},
		{"an unknown method", g.Token(), "POST", rpc(7, "tools/callx", `{"name":"search_code"}`), 403, "no_rule"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := call{
				method: tc.method, path: "/mcp", token: tc.token, contentType: "application/json", body: tc.body,
				header: map[string]string{"Accept": "application/json, text/event-stream"},
			}.do(t, g)
			a.want(t, tc.status, tc.code)
		})
	}
}

const initialize = `{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}`

// rpc is a JSON-RPC request.
func rpc(id int, method, params string) string {
	if params == "" {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q}`, id, method)
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params)
}
