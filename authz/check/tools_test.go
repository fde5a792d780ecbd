package check

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// call is a tool call with good manners.
func call(name, args string) asking {
	return rpc(fmt.Sprintf(`{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, name, args))
}

func rpc(body string) asking {
	return asking{
		target: toolTarget(), method: "POST", path: "/mcp", host: "tools.example", body: body,
		headers: [][2]string{{"content-type", "application/json"}},
	}.bearing(goodToken)
}

func method(name string) asking { return rpc(`{"jsonrpc":"2.0","id":"x","method":"` + name + `"}`) }

// without leaves out a header.
func (a asking) without(name string) asking {
	var kept [][2]string
	for _, h := range a.headers {
		if h[0] != name {
			kept = append(kept, h)
		}
	}
	a.headers = kept
	return a
}

func TestTools(t *testing.T) {
	t.Parallel()
	good := `{"repo":"acme/site"}`
	for _, tc := range []struct {
		name string
		a    asking
		code string
	}{
		{"a call that is listed", call("search_code", good), ""},
		{"a tool that is not", call("delete", good), denial.NoRule},
		{"an argument that is not", call("search_code", `{"repo":"evil/site"}`), denial.NoRule},
		{"an argument that is missing", call("search_code", `{}`), denial.NoRule},
		{"an argument of another type", call("search_code", `{"repo":["acme/site"]}`), ""},
		{"an array of which one is not listed", call("search_code", `{"repo":["acme/site","evil/site"]}`), denial.NoRule},
		{"an argument too many", call("search_code", `{"repo":"acme/site","also":1}`), denial.NoRule},
		{"a tool that is denied", call("merge", `{}`), denial.RuleDenied},
		{"a tool that asks", call("push", `{}`), denial.ApprovalRequired},

		{"initialize", method("initialize"), ""},
		{"ping", method("ping"), ""},
		{"tools/list", method("tools/list"), ""},
		{"server/discover", method("server/discover"), ""},
		{"a notification", rpc(`{"jsonrpc":"2.0","method":"notifications/initialized"}`), ""},
		{"a response", rpc(`{"jsonrpc":"2.0","id":1,"result":{}}`), ""},
		{"the stream of a session", asking{target: toolTarget(), path: "/mcp"}.bearing(goodToken), ""},
		{"the end of a session", asking{target: toolTarget(), path: "/mcp", method: "DELETE"}.bearing(goodToken), ""},
		{"a method that is not a base one", rpc(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///x"}}`), denial.NoRule},
		{"a method that nobody knows", method("vendor/danger"), denial.NoRule},
		{"another HTTP method", asking{target: toolTarget(), path: "/mcp", method: "PUT"}.bearing(goodToken), denial.BodyUnreadable},
		{"a method in lower case", asking{target: toolTarget(), path: "/mcp", method: "get"}.bearing(goodToken), denial.BodyUnreadable},
		{"no method", asking{target: toolTarget(), path: "/mcp", method: " "}.bearing(goodToken), denial.BodyUnreadable},

		{"no token", call("search_code", good).without(wire.HeaderTxnToken), denial.TokenMissing},
		{"an expired token", call("search_code", good).without(wire.HeaderTxnToken).bearing(denial.TokenExpired), denial.TokenExpired},
		{"a base method without a token", method("initialize").without(wire.HeaderTxnToken), denial.TokenMissing},

		{"case variants", rpc(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_code","Name":"merge","arguments":` + good + `}}`), denial.BodyUnreadable},
		{"a key twice", rpc(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"merge","name":"search_code","arguments":` + good + `}}`), denial.BodyUnreadable},
		{"a batch", rpc(`[` + `{"jsonrpc":"2.0","id":1,"method":"ping"}` + `]`), denial.BodyUnreadable},
		{"more behind it", rpc(`{"jsonrpc":"2.0","id":1,"method":"ping"}{}`), denial.BodyUnreadable},
		{"no body", rpc(""), denial.BodyUnreadable},
		{"gzip", method("ping").with([2]string{"content-encoding", "gzip"}), denial.BodyUnreadable},
		{"another content type", method("ping").without("content-type").with([2]string{"content-type", "text/plain"}), denial.BodyUnreadable},
		{"no content type", method("ping").without("content-type"), denial.BodyUnreadable},
		{"two content types", method("ping").with([2]string{"content-type", "application/json"}), denial.BodyUnreadable},
		{"a header that says another tool", call("search_code", good).with([2]string{"mcp-name", "merge"}), denial.BodyUnreadable},
		{"a header that says another method", method("ping").with([2]string{"mcp-method", "tools/call"}), denial.BodyUnreadable},
		{"a header that says the same tool", call("search_code", good).with([2]string{"mcp-name", "search_code"}), ""},
		{"a revision that is not known", method("ping").with([2]string{"mcp-protocol-version", "2099-01-01"}), denial.BodyUnreadable},
		{"a host that can be read in two ways", func() asking { a := method("ping"); a.host = "a.example:80:80"; return a }(), denial.BadAuthority},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{})
			got := h.ask(tc.a)
			if got.code() != tc.code {
				t.Fatalf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
			if tc.code != "" && got.status() != 403 {
				t.Errorf("status %d, want 403 whatever the reason", got.status())
			}
			if r := h.last(); (r.Kind == audit.KindBegin) != (tc.code == "") || r.Code != tc.code {
				t.Errorf("recorded %s with code %q", r.Kind, r.Code)
			}
		})
	}
}

// TestAToolTakesNoUpgrade: behind one, bytes flow that no parser sees.
func TestAToolTakesNoUpgrade(t *testing.T) {
	t.Parallel()
	upgrade := [2]string{"upgrade", "websocket"}
	for _, a := range []asking{
		{target: toolTarget(), path: "/mcp"},
		{target: modelTarget(), path: "/v1/models"},
		{target: proxyToolTarget(), host: "mcp.example:443"},
		{target: modelTarget(), path: "/v1/realtime"},
		method("ping").without(wire.HeaderTxnToken), call("search_code", `{"repo":"acme/x"}`).without(wire.HeaderTxnToken),
	} {
		h := open(t, build{})
		got := h.ask(a.bearing(goodToken).with(upgrade))
		if got.code() != denial.BodyUnreadable || !strings.Contains(got.body(), `"reason":"upgrade"`) {
			t.Errorf("%s %s: %q %s", a.target.Surface, a.path, got.code(), got.body())
		}
		if !strings.Contains(h.last().Reason, "upgrade") {
			t.Errorf("recorded reason %q", h.last().Reason)
		}
	}
}

// TestADenialQuotesTheID, byte for byte, whatever was wrong, as far as the
// request can be read.
func TestADenialQuotesTheID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{`9007199254740993`, `"a\u0020b"`, `-1`, `"ünï"`, `""`} {
		body := `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"merge"}}`
		partial := rpc(body)
		partial.partial = true
		over := rpc(body + strings.Repeat(" ", 1000))
		for name, a := range map[string]asking{
			"rule":    rpc(body),
			"token":   rpc(body).without(wire.HeaderTxnToken),
			"bad":     rpc(body).without(wire.HeaderTxnToken).bearing(denial.TokenExpired),
			"gzip":    rpc(body).with([2]string{"content-encoding", "gzip"}),
			"upgrade": rpc(body).with([2]string{"upgrade", "x"}),
			"partial": partial, "over": over,
			"expiring": rpc(body).without(wire.HeaderTxnToken).bearing(dyingToken),
		} {
			got := open(t, build{}).ask(a)
			if !strings.HasPrefix(got.body(), `{"jsonrpc":"2.0","id":`+id+`,"error":{"code":-32043,`) {
				t.Errorf("%s, %s: %s", name, id, got.body())
			}
			if typ, _ := got.header("content-type"); typ != "application/json" || got.status() != 403 {
				t.Errorf("%s, %s: %d %s", name, id, got.status(), typ)
			}
		}
	}
}

// TestPartialBody: what Envoy does not call whole, and what is over the limit,
// is denied in the protocol's words, though it may read well.
func TestPartialBody(t *testing.T) {
	t.Parallel()
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	fits := ping + strings.Repeat(" ", 1000-len(ping))
	part := rpc(ping)
	part.partial = true
	for _, tc := range []struct {
		name string
		a    asking
		code string
	}{
		{"whole", rpc(ping), ""},
		{"as long as it may be", rpc(fits), ""},
		{"one byte over", rpc(fits + " "), denial.BodyTooLarge},
		{"a part", part, denial.BodyTooLarge},
		{"said twice", rpc(ping).with([2]string{wire.HeaderPartialBody, "false"}), denial.BodyTooLarge},
		{"a part of nothing", rpc("").with([2]string{wire.HeaderPartialBody, "true"}), denial.BodyTooLarge},
		{"an odd word", rpc("").with([2]string{wire.HeaderPartialBody, "False"}), denial.BodyTooLarge},
		{"nothing, and it is whole", rpc("").with([2]string{wire.HeaderPartialBody, "false"}), denial.BodyUnreadable},
		{"a GET with a part of a body", asking{target: toolTarget()}.bearing(goodToken).with([2]string{wire.HeaderPartialBody, "true"}), denial.BodyUnreadable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{})
			if got := h.ask(tc.a); got.code() != tc.code {
				t.Errorf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
		})
	}
	t.Run("not said at all", func(t *testing.T) {
		t.Parallel()
		m := rpc(ping).message()
		headers := m.GetAttributes().GetRequest().GetHttp().GetHeaderMap()
		headers.Headers = headers.Headers[:len(headers.Headers)-1]
		if got := open(t, build{}).askMessage(m); got.code() != denial.BodyTooLarge {
			t.Errorf("code %q: %s", got.code(), got.body())
		}
	})
}

// TestAModelReadsTheDenial where every rule that names the server says so.
func TestAModelReadsTheDenial(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	got := h.ask(call("delete", `{}`).without(wire.HeaderTxnToken).bearing(gentleToken))
	var m struct {
		ID     json.Number
		Result struct {
			IsError bool
			Content []struct{ Text string }
		}
	}
	if err := json.Unmarshal([]byte(got.body()), &m); err != nil {
		t.Fatal(err)
	}
	// Two rules name the server for this caller, and one of them says nothing.
	if got.status() != 403 || m.Result.IsError {
		t.Errorf("status %d: %s", got.status(), got.body())
	}
	h = open(t, build{feed: func(f *feedv1.Snapshot) {
		f.Policies[0].Rules = f.Policies[0].Rules[1:2]
	}})
	got = h.ask(call("delete", `{}`).without(wire.HeaderTxnToken).bearing(gentleToken))
	if err := json.Unmarshal([]byte(got.body()), &m); err != nil {
		t.Fatal(err)
	}
	if got.status() != 200 || !m.Result.IsError || m.ID != "9007199254740993" || len(m.Result.Content) != 1 || m.Result.Content[0].Text == "" {
		t.Errorf("status %d: %s", got.status(), got.body())
	}
	if h.last().Verdict != audit.VerdictDeny || h.last().Code != denial.NoRule {
		t.Errorf("recorded %+v", h.last())
	}
}

// TestARecordTellsTheCall, and no argument that no rule reads.
func TestARecordTellsTheCall(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	h.ask(call("search_code", `{"repo":"evil/site","password":"hunter2"}`))
	r := h.last()
	if r.Surface != "Tools" || r.Method != "tools/call" || r.Name != "search_code" || r.Host != "tools.example" || r.Port != 8080 {
		t.Errorf("recorded %+v", r)
	}
	var seen []string
	for _, f := range r.Seen {
		seen = append(seen, f.Name+"="+string(f.Value))
	}
	if got := strings.Join(seen, " "); !strings.Contains(got, `args.repo="evil/site"`) || strings.Contains(h.recorder.lines[0], "hunter2") {
		t.Errorf("seen %s in %s", got, h.recorder.lines[0])
	}
}
