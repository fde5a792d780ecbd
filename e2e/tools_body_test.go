package e2e

import (
	"bytes"
	"compress/gzip"
	"net"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testgateway"
)

const (
	deleteCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"delete_repo","arguments":{"repo":"acme/x","limit":1}}}`
	searchCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search_code","arguments":{"repo":"acme/x","limit":1}}}`
)

// TestToolsOddJSON: however a call is written that two readers could take for
// two calls, no reader behind the gateway gets to read it.
func TestToolsOddJSON(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("tools", u.port(), mcp, "/mcp"),
		"policy.yaml":  policy("researcher", searchRule),
	})
	token := g.Token()
	post := func(t *testing.T, body string, header map[string]string) answer {
		return call{method: "POST", path: "/mcp", token: token, contentType: "application/json", body: body, header: header}.do(t, g)
	}
	post(t, searchCall, nil).want(t, 200, "")
	good := len(u.requests())
	for _, tc := range oddCalls(t) {
		t.Run(tc.name, func(t *testing.T) {
			a := post(t, tc.body, tc.header)
			if a.status < 400 || a.status >= 500 {
				t.Errorf("answer %d: %s", a.status, a.body)
			}
		})
	}
	if n := len(u.requests()); n != good {
		t.Errorf("%d of the odd requests came through", n-good)
	}
	a := post(t, strings.ReplaceAll(deleteCall, `"id":7`, `"id":"\u0061\n9007199254740993"`), nil)
	if a.status != 403 || !strings.Contains(a.body, `"id":"\u0061\n9007199254740993"`) || !strings.Contains(a.body, `"code":-32043`) {
		t.Errorf("the id is not quoted as it came: %d %s", a.status, a.body)
	}
}

type oddCall struct {
	name, body string
	header     map[string]string
}

func oddCalls(t testing.TB) []oddCall {
	t.Helper()
	double := func(old, doubled string) string { return strings.Replace(searchCall, old, doubled, 1) }
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte(deleteCall)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []oddCall{
		{"the plain denied call", deleteCall, nil},
		{"doubled name", double(`"name":"search_code"`, `"name":"search_code","name":"delete_repo"`), nil},
		{"doubled name, the other way", double(`"name":"search_code"`, `"name":"delete_repo","name":"search_code"`), nil},
		{"doubled name by an escape", double(`"name":"search_code"`, `"name":"search_code","n\u0061me":"delete_repo"`), nil},
		{"case variant of name", double(`"name":"search_code"`, `"name":"search_code","Name":"delete_repo"`), nil},
		{"case variant of params", double(`"params":`, `"Params":{"name":"delete_repo"},"params":`), nil},
		{"case variant of method", double(`"method":`, `"METHOD":"tools/call","method":`), nil},
		{"doubled method", double(`"method":"tools/call"`, `"method":"tools/call","method":"ping"`), nil},
		{"doubled params", double(`"params":`, `"params":{"name":"delete_repo","arguments":{}},"params":`), nil},
		{"doubled argument", double(`"repo":"acme/x"`, `"repo":"acme/x","repo":"rival/x"`), nil},
		{"case variant of arguments", double(`"arguments":`, `"Arguments":{"repo":"rival/x"},"arguments":`), nil},
		{"batch", `[` + searchCall + `,` + deleteCall + `]`, nil},
		{"batch of one", `[` + searchCall + `]`, nil},
		{"trailing call", searchCall + deleteCall, nil},
		{"trailing line", searchCall + "\n" + deleteCall, nil},
		{"trailing byte", searchCall + "x", nil},
		{"trailing NUL", searchCall + "\x00", nil},
		{"byte order mark", "\xef\xbb\xbf" + searchCall, nil},
		{"UTF-16", "\xff\xfe{\x00}\x00", nil},
		{"not UTF-8", double("acme/x", "acme/\xff"), nil},
		{"a lone surrogate", double("acme/x", `acme/\ud800`), nil},
		{"gzip", zipped.String(), map[string]string{"Content-Encoding": "gzip"}},
		{"gzip without a word", zipped.String(), nil},
		{"a call that says it is gzip", searchCall, map[string]string{"Content-Encoding": "gzip"}},
		{"comment", "/* x */" + searchCall, nil},
		{"comma at the end", double(`"limit":1}`, `"limit":1,}`), nil},
		{"a number of another kind", double(`"limit":1`, `"limit":1e400`), nil},
		{"depth", double(`"acme/x"`, strings.Repeat("[", 5000)+strings.Repeat("]", 5000)), nil},
		{"half a body", searchCall[:len(searchCall)/2], nil},
		{"nothing", "", nil},
		{"null", "null", nil},
		{"another content type", deleteCall, map[string]string{"Content-Type": "text/plain"}},
		{"a header that says another name", searchCall, map[string]string{"Mcp-Name": "delete_repo"}},
		{"a header that says another method", searchCall, map[string]string{"Mcp-Method": "ping"}},
		{"an unknown revision", searchCall, map[string]string{"Mcp-Protocol-Version": "2999-01-01"}},
	}
}

// TestBodyLimits: a body is read up to its limit to the byte, a longer one is
// denied in the protocol's words, and all bodies at once have one budget.
func TestBodyLimits(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config("limits: {bodyBytes: {tools: 64Ki}}") +
			service("tools", u.port(), mcp, "/mcp") + service("models", u.port(), openAI, "/v1"),
		"policy.yaml": policy("all", allow("tools", "{type: Tools, tools: [{servers: [{name: tools}]}]}"),
			allow("models", "{type: Models, models: [{providers: [{name: models}]}]}")),
	})
	token := g.Token()
	tool := func(size int) string { return padded(searchCall, "acme/x", size) }
	model := func(size int) string {
		return padded(`{"model":"small-1","messages":[{"role":"user","content":"acme/x"}]}`, "acme/x", size)
	}
	for _, tc := range []struct {
		name, path, body string
		status           int
		code             string
	}{
		{"tools, at the limit", "/mcp", tool(64 << 10), 200, ""},
		{"tools, a byte over it", "/mcp", tool(64<<10 + 1), 403, "body_too_large"},
		{"tools, far over it", "/mcp", tool(3 << 20), 403, "body_too_large"},
		{"models, at the limit", "/v1/chat/completions", model(16 << 20), 200, ""},
		{"models, a byte over it", "/v1/chat/completions", model(16<<20 + 1), 413, "body_too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := call{method: "POST", path: tc.path, token: token, contentType: "application/json", body: tc.body}.do(t, g)
			a.want(t, tc.status, tc.code)
			if tc.path == "/mcp" && tc.code != "" && !strings.Contains(a.body, `"jsonrpc":"2.0","id":7,"error":{"code":-32043`) {
				t.Errorf("not in the protocol's words: %s", a.body)
			}
		})
	}
	if got := u.paths(); len(got) != 2 {
		t.Errorf("the upstream saw %v", got)
	}
}

// padded makes a body of a size, by lengthening a string in it.
func padded(body, at string, size int) string {
	return strings.Replace(body, at, at+strings.Repeat("x", size-len(body)), 1)
}

// TestBodyBudget: what does not fit with all that is being answered is told to
// come later, and nothing stays taken.
func TestBodyBudget(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("models", u.port(), openAI, "/v1"),
		"policy.yaml":  policy("all", allow("models", "{type: Models, models: [{providers: [{name: models}]}]}")),
	}, func(c *laptop.Config) { c.BodyBudget = 100 << 10 })
	body := `{"model":"small-1","messages":[{"role":"user","content":"acme/x"}]}`
	for range 3 {
		for _, tc := range []struct {
			size, status int
			code         string
		}{{300 << 10, 503, "overloaded"}, {80 << 10, 200, ""}} {
			a := call{
				method: "POST", path: "/v1/chat/completions", token: g.Token(), contentType: "application/json", body: padded(body, "acme/x", tc.size),
			}.do(t, g)
			a.want(t, tc.status, tc.code)
			if tc.status == 503 && a.header.Get("Retry-After") == "" {
				t.Error("it is not said that later may help")
			}
		}
	}
}

// TestUnfinishedBody: a request whose body breaks off is not let through, and
// leaves nothing behind.
func TestUnfinishedBody(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("tools", u.port(), mcp, "/mcp"),
		"policy.yaml":  policy("all", allow("tools", "{type: Tools, tools: [{servers: [{name: tools}]}]}")),
	})
	c, err := net.Dial("tcp", strings.TrimPrefix(g.URL(""), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	head := "POST /mcp HTTP/1.1\r\nHost: x\r\nTxn-Token: " + g.Token() + "\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n"
	if _, err := c.Write([]byte(head + searchCall)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	call{method: "POST", path: "/mcp", token: g.Token(), contentType: "application/json", body: searchCall}.do(t, g).want(t, 200, "")
	if got := u.paths(); len(got) != 1 {
		t.Errorf("the upstream saw %v", got)
	}
	for _, r := range g.Records(t) {
		if r.Kind == audit.KindBegin && r.Name != "search_code" {
			t.Errorf("something else was let through: %+v", r)
		}
	}
}
