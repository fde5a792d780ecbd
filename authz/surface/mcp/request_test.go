package mcp_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// post is a request as a client of an old revision sends it.
func post(body string) mcp.Input {
	return mcp.Input{HTTPMethod: "POST", ContentType: surface.One("application/json"), Body: []byte(body)}
}

// call wraps params into a request.
func call(method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
}

// told is all that Read tells.
type told struct {
	Kind         mcp.Kind
	Method, Name string
	Args         string
	Base         bool
	ID           string
}

func tell(r *mcp.Request) told {
	return told{Kind: r.Kind, Method: r.Method, Name: r.Name, Args: string(r.Args.Raw()), Base: r.Base, ID: string(r.ID)}
}

func reason(err error) surface.Reason {
	if e, ok := errors.AsType[*surface.Unreadable](err); ok {
		return e.Reason
	}
	return ""
}

func TestReads(t *testing.T) {
	t.Parallel()
	base := func(method string) told { return told{Kind: mcp.Call, Method: method, Base: true, ID: "1"} }
	for _, tc := range []struct {
		name, body string
		want       told
	}{
		{"initialize", call("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`), base("initialize")},
		{"ping without params", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, base("ping")},
		{"discover", call("server/discover", `{"_meta":{}}`), base("server/discover")},
		{"tools/list", call("tools/list", `{"cursor":"x"}`), base("tools/list")},
		{"resources/list", call("resources/list", `{}`), base("resources/list")},
		{"resources/templates/list", call("resources/templates/list", `{}`), base("resources/templates/list")},
		{"prompts/list", call("prompts/list", `{}`), base("prompts/list")},
		{"tasks/list", call("tasks/list", `{}`), base("tasks/list")},
		{"subscriptions/listen", call("subscriptions/listen", `{"notifications":{"toolsListChanged":true}}`), base("subscriptions/listen")},
		{
			"tools/call", call("tools/call", `{"name":"search","arguments":{"q":"x","n":[1,2]},"_meta":{"progressToken":1}}`),
			told{Kind: mcp.Call, Method: "tools/call", Name: "search", Args: `{"q":"x","n":[1,2]}`, ID: "1"},
		},
		{"tools/call without arguments", call("tools/call", `{"name":"now"}`), told{Kind: mcp.Call, Method: "tools/call", Name: "now", ID: "1"}},
		{
			"tools/call, escaped", `{"jsonrpc":"2\u002e0","\u0069d":"\u0031","method":"tools\/call","params":{"n\u0061me":"sear\u0063h","arguments":{}}}`,
			told{Kind: mcp.Call, Method: "tools/call", Name: "search", Args: "{}", ID: `"\u0031"`},
		},
		{"tools/call with input responses", call("tools/call", `{"name":"x","inputResponses":{},"requestState":"s"}`), told{Kind: mcp.Call, Method: "tools/call", Name: "x", ID: "1"}},
		{"prompts/get", call("prompts/get", `{"name":"p","arguments":{"a":"b"}}`), told{Kind: mcp.Call, Method: "prompts/get", Name: "p", Args: `{"a":"b"}`, ID: "1"}},
		{"resources/read", call("resources/read", `{"uri":"file:///a/b.txt"}`), told{Kind: mcp.Call, Method: "resources/read", Name: "file:///a/b.txt", ID: "1"}},
		{"resources/subscribe", call("resources/subscribe", `{"uri":"x:y"}`), told{Kind: mcp.Call, Method: "resources/subscribe", Name: "x:y", ID: "1"}},
		{"resources/unsubscribe", call("resources/unsubscribe", `{"uri":"x:y"}`), told{Kind: mcp.Call, Method: "resources/unsubscribe", Name: "x:y", ID: "1"}},
		{
			"completion of a prompt", call("completion/complete", `{"ref":{"type":"ref/prompt","name":"p","title":"P"},"argument":{"name":"a","value":"b"}}`),
			told{Kind: mcp.Call, Method: "completion/complete", Name: "p", ID: "1"},
		},
		{
			"completion of a resource", call("completion/complete", `{"ref":{"type":"ref/resource","uri":"file:///{path}"},"argument":{"name":"a","value":"b"}}`),
			told{Kind: mcp.Call, Method: "completion/complete", Name: "file:///{path}", ID: "1"},
		},
		{"tasks/get", call("tasks/get", `{"taskId":"t-1"}`), told{Kind: mcp.Call, Method: "tasks/get", Name: "t-1", ID: "1"}},
		{"tasks/result", call("tasks/result", `{"taskId":"t-1"}`), told{Kind: mcp.Call, Method: "tasks/result", Name: "t-1", ID: "1"}},
		{"tasks/cancel", call("tasks/cancel", `{"taskId":"t-1"}`), told{Kind: mcp.Call, Method: "tasks/cancel", Name: "t-1", ID: "1"}},
		{"tasks/update", call("tasks/update", `{"taskId":"t-1","inputResponses":{}}`), told{Kind: mcp.Call, Method: "tasks/update", Name: "t-1", ID: "1"}},
		{"logging/setLevel", call("logging/setLevel", `{"level":"info"}`), told{Kind: mcp.Call, Method: "logging/setLevel", ID: "1"}},
		{"unknown method", call("acme/danger", `{"name":"x"}`), told{Kind: mcp.Call, Method: "acme/danger", ID: "1"}},
		{"unknown list", call("acme/list", `{}`), told{Kind: mcp.Call, Method: "acme/list", ID: "1"}},
		{"method of servers", call("sampling/createMessage", `{}`), told{Kind: mcp.Call, Method: "sampling/createMessage", ID: "1"}},
		{"roots/list is none of ours", call("roots/list", `{}`), told{Kind: mcp.Call, Method: "roots/list", ID: "1"}},
		{"other case is another method", call("Tools/Call", `{"name":"x"}`), told{Kind: mcp.Call, Method: "Tools/Call", ID: "1"}},
		{"unknown method without id", `{"jsonrpc":"2.0","method":"acme/note"}`, told{Kind: mcp.Notification, Method: "acme/note"}},
		{"initialized", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, told{Kind: mcp.Notification, Method: "notifications/initialized", Base: true}},
		{"cancelled", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, told{Kind: mcp.Notification, Method: "notifications/cancelled", Base: true}},
		{"roots changed", `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`, told{Kind: mcp.Notification, Method: "notifications/roots/list_changed", Base: true}},
		{"result", `{"jsonrpc":"2.0","id":"s-1","result":{"roots":[]}}`, told{Kind: mcp.Response, Method: "response", Base: true, ID: `"s-1"`}},
		{"error", `{"jsonrpc":"2.0","id":5,"error":{"code":-1,"message":"no"}}`, told{Kind: mcp.Response, Method: "response", Base: true, ID: `5`}},
		{"error without id", `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}`, told{Kind: mcp.Response, Method: "response", Base: true}},
		{"large id", `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, told{Kind: mcp.Call, Method: "ping", Base: true, ID: "9007199254740993"}},
		{"negative id", `{"jsonrpc":"2.0","id":-7,"method":"ping"}`, told{Kind: mcp.Call, Method: "ping", Base: true, ID: "-7"}},
		{"whitespace", " \r\n{ \"jsonrpc\" : \"2.0\" , \"id\" : 1 , \"method\" : \"ping\" }\n", base("ping")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r mcp.Request
			if err := r.Read(post(tc.body)); err != nil {
				t.Fatalf("Read: %v", err)
			}
			if diff := cmp.Diff(tc.want, tell(&r)); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	const id1 = "1"
	for _, tc := range []struct {
		name, body string
		want       surface.Reason
		id         string
	}{
		{"empty", ``, "empty", ""},
		{"batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, surface.ReasonBatch, ""},
		{"empty batch", `[]`, surface.ReasonBatch, ""},
		{"number", `1`, surface.ReasonNoObject, ""},
		{"null", `null`, surface.ReasonNoObject, ""},
		{"string", `"x"`, surface.ReasonNoObject, ""},
		{"empty object", `{}`, surface.ReasonJSONRPC, ""},

		{"duplicate method", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`, "duplicate_key", id1},
		{"duplicate id", `{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, "duplicate_key", ""},
		{"duplicate params", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe"},"params":{"name":"danger"}}`, "duplicate_key", id1},
		{"duplicate name", call("tools/call", `{"name":"safe","name":"danger"}`), "duplicate_key", id1},
		{"duplicate name, escaped", call("tools/call", `{"name":"safe","\u006eame":"danger"}`), "duplicate_key", id1},
		{"duplicate argument", call("tools/call", `{"name":"x","arguments":{"a":1,"a":2}}`), "duplicate_key", id1},
		{"duplicate deep in an argument", call("tools/call", `{"name":"x","arguments":{"a":[{"b":1,"b":2}]}}`), "duplicate_key", id1},

		{"Name beside", call("tools/call", `{"name":"safe","Name":"danger"}`), surface.ReasonCaseVariant, id1},
		{"Name instead", call("tools/call", `{"Name":"danger"}`), surface.ReasonCaseVariant, id1},
		{"name with a NUL", call("tools/call", `{"name":"safe","name\u0000":"danger"}`), surface.ReasonCaseVariant, id1},
		{"name with a sign", call("tools/call", `{"name":"safe","na-me":"danger"}`), surface.ReasonCaseVariant, id1},
		{"ARGUMENTS", call("tools/call", `{"name":"safe","arguments":{},"ARGUMENTS":{"a":1}}`), surface.ReasonCaseVariant, id1},
		{"argument\u017f", call("tools/call", "{\"name\":\"safe\",\"argument\u017f\":{\"a\":1}}"), surface.ReasonCaseVariant, id1},
		{"URI", call("resources/read", `{"uri":"x:y","URI":"x:z"}`), surface.ReasonCaseVariant, id1},
		{"task_id", call("tasks/get", `{"taskId":"a","task_id":"b"}`), surface.ReasonCaseVariant, id1},
		{"Ref", call("completion/complete", `{"ref":{"type":"ref/prompt","name":"a"},"Ref":{}}`), surface.ReasonCaseVariant, id1},
		{"Type in ref", call("completion/complete", `{"ref":{"type":"ref/prompt","name":"a","Type":"ref/resource"}}`), surface.ReasonCaseVariant, id1},
		{"PARAMS beside", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe"},"PARAMS":{"name":"danger"}}`, surface.ReasonCaseVariant, id1},
		{"PARAMS instead", `{"jsonrpc":"2.0","id":1,"method":"tools/call","PARAMS":{"name":"danger"}}`, surface.ReasonCaseVariant, id1},
		{"Method beside", `{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}`, surface.ReasonCaseVariant, id1},
		{"Method instead", `{"jsonrpc":"2.0","id":1,"Method":"tools/call"}`, surface.ReasonCaseVariant, id1},
		{"ID", `{"jsonrpc":"2.0","id":1,"method":"ping","ID":2}`, surface.ReasonCaseVariant, id1},
		{"JSONRPC", `{"JSONRPC":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}`, surface.ReasonCaseVariant, id1},
		{"Result", `{"jsonrpc":"2.0","id":1,"method":"ping","Result":{}}`, surface.ReasonCaseVariant, id1},
		{"arguments that differ in case", call("tools/call", `{"name":"x","arguments":{"amount":1,"b":0,"Amount":1000}}`), surface.ReasonCaseVariant, id1},
		{"many arguments, two differ in case", call("tools/call", `{"name":"x","arguments":{`+manyMembers(40)+`,"K7":1}}`), surface.ReasonCaseVariant, id1},
		{"name of a kilobyte of signs", call("tools/call", `{"name":"x","`+strings.Repeat("_", 1024)+`":1}`), surface.ReasonCaseVariant, id1},
		{"too many arguments", call("tools/call", `{"name":"x","arguments":{`+manyMembers(1025)+`}}`), surface.ReasonMembers, id1},
		{"too many params", call("acme/x", `{`+manyMembers(1025)+`}`), surface.ReasonMembers, id1},
		{"member of no envelope", `{"jsonrpc":"2.0","id":1,"method":"ping","meta":{}}`, surface.ReasonUnknownMember, id1},

		{"byte order mark", "\xef\xbb\xbf" + call("ping", `{}`), "bom", ""},
		{"UTF-16", "{\x00\"\x00", "syntax", ""},
		{"comment", `{"jsonrpc":"2.0","id":1,/* */"method":"ping"}`, "syntax", id1},
		{"trailing bytes", call("ping", `{}`) + "x", "trailing_bytes", id1},
		{"second object", call("ping", `{}`) + call("tools/call", `{"name":"danger"}`), "trailing_bytes", id1},
		{"truncated", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sa`, "truncated", id1},
		{"truncated in the id", `{"jsonrpc":"2.0","id":1`, "truncated", ""},
		{"trailing comma", `{"jsonrpc":"2.0","id":1,"method":"ping",}`, "syntax", id1},
		{"single quotes", `{'jsonrpc':'2.0'}`, "syntax", ""},
		{"raw control character", call("tools/call", "{\"name\":\"a\nb\"}"), "control_character", id1},
		{"bad UTF-8", call("tools/call", "{\"name\":\"a\xff\"}"), "bad_utf8", id1},
		{"lone surrogate", call("tools/call", `{"name":"a\ud800"}`), "lone_surrogate", id1},
		{"NaN", call("tools/call", `{"name":"a","arguments":{"x":NaN}}`), "syntax", id1},
		{"1e999", call("tools/call", `{"name":"a","arguments":{"x":1e999}}`), "number", id1},
		{"2000 digits", call("tools/call", `{"name":"a","arguments":{"x":`+strings.Repeat("7", 2000)+`}}`), "number", id1},
		{"65 deep", call("tools/call", `{"name":"a","arguments":{"x":`+strings.Repeat("[", 62)+strings.Repeat("]", 62)+`}}`), "depth", id1},
		{"too many values", call("tools/call", `{"name":"a","arguments":{"x":[`+strings.Repeat("1,", 1<<17)+`1]}}`), "nodes", id1},

		{"no jsonrpc", `{"id":1,"method":"ping"}`, surface.ReasonJSONRPC, id1},
		{"jsonrpc 1.0", `{"jsonrpc":"1.0","id":1,"method":"ping"}`, surface.ReasonJSONRPC, id1},
		{"jsonrpc a number", `{"jsonrpc":2.0,"id":1,"method":"ping"}`, surface.ReasonJSONRPC, id1},
		{"no method", `{"jsonrpc":"2.0","id":1}`, surface.ReasonMethod, id1},
		{"method a number", `{"jsonrpc":"2.0","id":1,"method":1}`, surface.ReasonMethod, id1},
		{"method null", `{"jsonrpc":"2.0","id":1,"method":null}`, surface.ReasonMethod, id1},
		{"method null beside a result", `{"jsonrpc":"2.0","id":1,"method":null,"result":{}}`, surface.ReasonMessage, id1},
		{"method an array", `{"jsonrpc":"2.0","id":1,"method":["ping"]}`, surface.ReasonMethod, id1},
		{"method empty", `{"jsonrpc":"2.0","id":1,"method":""}`, surface.ReasonMethod, id1},
		{"method with a space", call("ping ", `{}`), surface.ReasonMethod, id1},
		{"method with a NUL", `{"jsonrpc":"2.0","id":1,"method":"ping\u0000"}`, surface.ReasonMethod, id1},
		{"method not ASCII", `{"jsonrpc":"2.0","id":1,"method":"pıng"}`, surface.ReasonMethod, id1},
		{"method too long", call(strings.Repeat("a", 129), `{}`), surface.ReasonMethod, id1},
		{"method GET", call("GET", `{}`), surface.ReasonMethod, id1},
		{"method DELETE", call("DELETE", `{}`), surface.ReasonMethod, id1},
		{"method response", call("response", `{}`), surface.ReasonMethod, id1},
		{"request and result", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"danger"},"result":{}}`, surface.ReasonMessage, id1},
		{"request and error", `{"jsonrpc":"2.0","id":1,"method":"ping","error":{}}`, surface.ReasonMessage, id1},
		{"result and error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, surface.ReasonMessage, id1},
		{"result and params", `{"jsonrpc":"2.0","id":1,"result":{},"params":{}}`, surface.ReasonMessage, id1},
		{"result no object", `{"jsonrpc":"2.0","id":1,"result":[]}`, surface.ReasonMessage, id1},
		{"error no object", `{"jsonrpc":"2.0","id":1,"error":"no"}`, surface.ReasonMessage, id1},
		{"result without id", `{"jsonrpc":"2.0","result":{}}`, surface.ReasonID, ""},
		{"result with id null", `{"jsonrpc":"2.0","id":null,"result":{}}`, surface.ReasonID, ""},
		{"error without id", `{"jsonrpc":"2.0","error":{}}`, surface.ReasonID, ""},

		{"call without id", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"danger"}}`, surface.ReasonID, ""},
		{"base method without id", `{"jsonrpc":"2.0","method":"initialize"}`, surface.ReasonID, ""},
		{"notification with id", `{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}`, surface.ReasonID, id1},
		{"id null", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, surface.ReasonID, ""},
		{"id null on a notification", `{"jsonrpc":"2.0","id":null,"method":"notifications/initialized"}`, surface.ReasonID, ""},
		{"id a boolean", `{"jsonrpc":"2.0","id":true,"method":"ping"}`, surface.ReasonID, ""},
		{"id an object", `{"jsonrpc":"2.0","id":{},"method":"ping"}`, surface.ReasonID, ""},
		{"id a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, surface.ReasonID, ""},
		{"id with an exponent", `{"jsonrpc":"2.0","id":1e3,"method":"ping"}`, surface.ReasonID, ""},
		{"id beyond 64 bits", `{"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"}`, surface.ReasonID, ""},
		{"id too long", `{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 1023) + `","method":"ping"}`, surface.ReasonID, ""},

		{"params an array", call("tools/call", `["danger"]`), surface.ReasonParams, id1},
		{"params null", call("ping", `null`), surface.ReasonParams, id1},
		{"params a string", call("acme/x", `"a"`), surface.ReasonParams, id1},
		{"tools/call without params", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, surface.ReasonName, id1},
		{"name missing", call("tools/call", `{"arguments":{}}`), surface.ReasonName, id1},
		{"name null", call("tools/call", `{"name":null}`), surface.ReasonName, id1},
		{"name an array", call("tools/call", `{"name":["danger"]}`), surface.ReasonName, id1},
		{"name a number", call("prompts/get", `{"name":1}`), surface.ReasonName, id1},
		{"name empty", call("tools/call", `{"name":""}`), surface.ReasonName, id1},
		{"name with a NUL", call("tools/call", `{"name":"danger\u0000"}`), surface.ReasonName, id1},
		{"name with a space behind", call("tools/call", `{"name":"danger "}`), surface.ReasonName, id1},
		{"name too long", call("tools/call", `{"name":"`+strings.Repeat("a", 4097)+`"}`), surface.ReasonName, id1},
		{"task missing", call("tasks/result", `{}`), surface.ReasonName, id1},
		{"arguments null", call("tools/call", `{"name":"a","arguments":null}`), surface.ReasonArguments, id1},
		{"arguments an array", call("tools/call", `{"name":"a","arguments":[1]}`), surface.ReasonArguments, id1},
		{"arguments a string", call("prompts/get", `{"name":"a","arguments":"{}"}`), surface.ReasonArguments, id1},
		{"uri missing", call("resources/read", `{}`), surface.ReasonURI, id1},
		{"uri an array", call("resources/read", `{"uri":["x:y"]}`), surface.ReasonURI, id1},
		{"uri with dots", call("resources/read", `{"uri":"file:///a/../etc/passwd"}`), surface.ReasonURI, id1},
		{"ref missing", call("completion/complete", `{"argument":{}}`), surface.ReasonName, id1},
		{"ref of no type", call("completion/complete", `{"ref":{"name":"p"}}`), surface.ReasonName, id1},
		{"ref of another type", call("completion/complete", `{"ref":{"type":"ref/tool","name":"p"}}`), surface.ReasonName, id1},
		{"ref of both", call("completion/complete", `{"ref":{"type":"ref/prompt","name":"p","uri":"x:y"}}`), surface.ReasonName, id1},
		{"ref of the other", call("completion/complete", `{"ref":{"type":"ref/resource","name":"p"}}`), surface.ReasonName, id1},
		{"ref without its uri", call("completion/complete", `{"ref":{"type":"ref/resource"}}`), surface.ReasonURI, id1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r mcp.Request
			err := r.Read(post(tc.body))
			if got := reason(err); got != tc.want {
				t.Fatalf("Read refused for %q (%v), want %q", got, err, tc.want)
			}
			if got := string(r.ID); got != tc.id {
				t.Errorf("ID = %q, want %q", got, tc.id)
			}
			if r.Method != "" || r.Name != "" || r.Args.Raw() != nil || r.Base {
				t.Errorf("a refused request tells %+v", tell(&r))
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	return b.String()[1:]
}

func TestManyArguments(t *testing.T) {
	t.Parallel()
	var r mcp.Request
	if err := r.Read(post(call("tools/call", `{"name":"x","arguments":{`+manyMembers(40)+`}}`))); err != nil {
		t.Errorf("Read: %v", err)
	}
}

// What surrounds the body.
func TestTransport(t *testing.T) {
	t.Parallel()
	tool := call("tools/call", `{"name":"search"}`)
	read := call("resources/read", `{"uri":"file:///a"}`)
	with := func(body string, change func(*mcp.Input)) mcp.Input {
		in := post(body)
		change(&in)
		return in
	}
	b64 := func(s string) surface.Field {
		return surface.One("=?base64?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?=")
	}
	one, twice := surface.One, func(s string) surface.Field { return surface.Field{Value: s, Count: 2} }
	for _, tc := range []struct {
		name string
		in   mcp.Input
		want surface.Reason
	}{
		{"charset", with(tool, func(in *mcp.Input) { in.ContentType = one("application/json; charset=UTF-8") }), ""},
		{"text/plain", with(tool, func(in *mcp.Input) { in.ContentType = one("text/plain") }), surface.ReasonContentType},
		{"gzip", with(tool, func(in *mcp.Input) { in.ContentEncoding = one("gzip") }), surface.ReasonContentEncoding},
		{"gzip and a broken body", with("\x1f\x8b", func(in *mcp.Input) { in.ContentEncoding = one("gzip") }), surface.ReasonContentEncoding},
		{"partial", with(tool[:len(tool)-1], func(in *mcp.Input) { in.Partial = true }), surface.ReasonPartial},
		{"partial, and yet whole", with(tool, func(in *mcp.Input) { in.Partial = true }), surface.ReasonPartial},
		{"known revision", with(tool, func(in *mcp.Input) { in.Version = one("2025-06-18") }), ""},
		{"modern revision", with(tool, func(in *mcp.Input) { in.Version = one("2026-07-28") }), ""},
		{"unknown revision", with(tool, func(in *mcp.Input) { in.Version = one("2099-01-01") }), surface.ReasonVersion},
		{"empty revision", with(tool, func(in *mcp.Input) { in.Version = one("") }), surface.ReasonVersion},
		{"two revisions", with(tool, func(in *mcp.Input) { in.Version = twice("2026-07-28") }), surface.ReasonDoubledHeader},
		{"headers agree", with(tool, func(in *mcp.Input) { in.Method, in.Name = one("tools/call"), one("search") }), ""},
		{"other method", with(tool, func(in *mcp.Input) { in.Method = one("tools/list") }), surface.ReasonHeaderMismatch},
		{"method in another case", with(tool, func(in *mcp.Input) { in.Method = one("Tools/Call") }), surface.ReasonHeaderMismatch},
		{"method empty", with(tool, func(in *mcp.Input) { in.Method = one("") }), surface.ReasonHeaderMismatch},
		{"method joined", with(tool, func(in *mcp.Input) { in.Method = one("tools/call,tools/list") }), surface.ReasonHeaderMismatch},
		{"method doubled", with(tool, func(in *mcp.Input) { in.Method = twice("tools/call") }), surface.ReasonDoubledHeader},
		{"method encoded", with(tool, func(in *mcp.Input) { in.Method = b64("tools/call") }), surface.ReasonHeaderMismatch},
		{"other name", with(tool, func(in *mcp.Input) { in.Name = one("danger") }), surface.ReasonHeaderMismatch},
		{"other name, old revision", with(tool, func(in *mcp.Input) { in.Version, in.Name = one("2025-03-26"), one("danger") }), surface.ReasonHeaderMismatch},
		{"name doubled", with(tool, func(in *mcp.Input) { in.Name = twice("search") }), surface.ReasonDoubledHeader},
		{"name joined", with(tool, func(in *mcp.Input) { in.Name = one("search,danger") }), surface.ReasonHeaderMismatch},
		{"name encoded", with(tool, func(in *mcp.Input) { in.Name = b64("search") }), ""},
		{"other name, encoded", with(tool, func(in *mcp.Input) { in.Name = b64("danger") }), surface.ReasonHeaderMismatch},
		{"name encoded badly", with(tool, func(in *mcp.Input) { in.Name = one("=?base64?c2VhcmNo=?=") }), surface.ReasonHeaderMismatch},
		{"name encoded with stray bits", with(call("tools/call", `{"name":"a"}`), func(in *mcp.Input) { in.Name = one("=?base64?YR==?=") }), surface.ReasonHeaderMismatch},
		{"name that looks encoded", with(call("tools/call", `{"name":"=?base64?YQ==?="}`), func(in *mcp.Input) { in.Name = one("=?base64?YQ==?=") }), surface.ReasonHeaderMismatch},
		{"name where there is none", with(call("tools/list", `{}`), func(in *mcp.Input) { in.Name = one("search") }), surface.ReasonHeaderMismatch},
		{"empty name where there is none", with(call("tools/list", `{}`), func(in *mcp.Input) { in.Name = one("") }), surface.ReasonHeaderMismatch},
		{"name of an unknown method", with(call("acme/x", `{"name":"a"}`), func(in *mcp.Input) { in.Name = one("a") }), surface.ReasonHeaderMismatch},
		{"uri as name", with(read, func(in *mcp.Input) { in.Name = one("file:///a") }), ""},
		{"task as name", with(call("tasks/get", `{"taskId":"t"}`), func(in *mcp.Input) { in.Name = one("t") }), ""},
		{"method on a response", with(`{"jsonrpc":"2.0","id":1,"result":{}}`, func(in *mcp.Input) { in.Method = one("response") }), surface.ReasonHeaderMismatch},
		{"notification", with(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, func(in *mcp.Input) { in.Method = one("notifications/initialized") }), ""},
		{"GET", mcp.Input{HTTPMethod: "GET"}, ""},
		{"GET with a body", mcp.Input{HTTPMethod: "GET", Body: []byte("{}")}, surface.ReasonBody},
		{"GET with a partial body", mcp.Input{HTTPMethod: "GET", Partial: true}, surface.ReasonBody},
		{"GET with a method", mcp.Input{HTTPMethod: "GET", Method: one("tools/call")}, surface.ReasonHeaderMismatch},
		{"GET with a name", mcp.Input{HTTPMethod: "GET", Name: one("x")}, surface.ReasonHeaderMismatch},
		{"GET of an unknown revision", mcp.Input{HTTPMethod: "GET", Version: one("2099-01-01")}, surface.ReasonVersion},
		{"DELETE", mcp.Input{HTTPMethod: "DELETE", Version: one("2025-11-25")}, ""},
		{"DELETE with a body", mcp.Input{HTTPMethod: "DELETE", Body: []byte("{}")}, surface.ReasonBody},
		{"PUT", mcp.Input{HTTPMethod: "PUT", ContentType: one("application/json"), Body: []byte(tool)}, surface.ReasonHTTPMethod},
		{"OPTIONS", mcp.Input{HTTPMethod: "OPTIONS"}, surface.ReasonHTTPMethod},
		{"HEAD", mcp.Input{HTTPMethod: "HEAD"}, surface.ReasonHTTPMethod},
		{"post", mcp.Input{HTTPMethod: "post", ContentType: one("application/json"), Body: []byte(tool)}, surface.ReasonHTTPMethod},
		{"no method", mcp.Input{}, surface.ReasonHTTPMethod},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r mcp.Request
			if got := reason(r.Read(tc.in)); got != tc.want {
				t.Fatalf("Read = %q, want %q", got, tc.want)
			}
			if tc.want != "" && (r.Method != "" || r.Base) {
				t.Errorf("a refused request tells %+v", tell(&r))
			}
		})
	}
}

func TestBodiless(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]told{
		"GET":    {Kind: mcp.Stream, Method: "GET", Base: true},
		"DELETE": {Kind: mcp.End, Method: "DELETE", Base: true},
	} {
		var r mcp.Request
		if err := r.Read(mcp.Input{HTTPMethod: method}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, tell(&r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", method, diff)
		}
	}
}

// The id is told for a denial whatever else is wrong, unless it is in doubt.
func TestPartialID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, body, want string }{
		{"in front", `{"jsonrpc":"2.0","id":"a-7","method":"tools/call","params":{"arguments":{"x":"yyyy`, `"a-7"`},
		{"number", `{"id":12,"jsonr`, `12`},
		{"cut in the number", `{"id":12`, ``},
		{"behind the cut", `{"method":"tools/call","params":{"id":1`, ``},
		{"twice", `{"id":1,"id":2,"x":`, ``},
		{"no id", `{"id":{"a":1},"x":`, ``},
		{"escaped", `{"\u0069d":"\u0061","x":`, `"\u0061"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in := post(tc.body)
			in.Partial = true
			var r mcp.Request
			if got := reason(r.Read(in)); got != surface.ReasonPartial {
				t.Errorf("Read = %q", got)
			}
			if string(r.ID) != tc.want {
				t.Errorf("ID = %q, want %q", r.ID, tc.want)
			}
		})
	}
}

// Nothing of one request is left in the next.
func TestReuse(t *testing.T) {
	t.Parallel()
	var r mcp.Request
	read := func(in mcp.Input) told {
		_ = r.Read(in)
		return tell(&r)
	}
	modernCall := post(call("tools/call", `{"name":"a","arguments":{"x":1}}`))
	modernCall.Version = surface.One("2026-07-28")
	read(modernCall)
	if !r.Modern {
		t.Error("not Modern")
	}
	if diff := cmp.Diff(told{Kind: mcp.Stream, Method: "GET", Base: true}, read(mcp.Input{HTTPMethod: "GET"})); diff != "" || r.Modern {
		t.Errorf("GET after a call (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(told{}, read(post(`[`))); diff != "" {
		t.Errorf("broken body after GET (-want +got):\n%s", diff)
	}
	read(modernCall)
	r.Reset()
	if diff := cmp.Diff(told{}, tell(&r)); diff != "" || r.Modern {
		t.Errorf("Reset (-want +got):\n%s", diff)
	}
}

// Names do not change when the body's memory is used again.
func TestNamesAreCopies(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		call("tools/call", `{"name":"search"}`), call("tools/list", `{}`), call("acme/x", `{}`), call("resources/read", `{"uri":"x:search"}`), call("tasks/get", `{"taskId":"t"}`),
	} {
		in := post(body)
		var r mcp.Request
		if err := r.Read(in); err != nil {
			t.Fatal(err)
		}
		method, name := strings.Clone(r.Method), strings.Clone(r.Name)
		clear(in.Body)
		if r.Method != method || r.Name != name {
			t.Errorf("%s: the names changed with the body", body)
		}
	}
}

func TestAction(t *testing.T) {
	t.Parallel()
	in := post(call("tools/call", `{"name":"search","arguments":{"q":1}}`))
	var r mcp.Request
	if err := r.Read(in); err != nil {
		t.Fatal(err)
	}
	got := r.Action(in)
	args := string(got.Args.Raw())
	got.Args = surface.Action{}.Args
	want := surface.Action{Kind: v1alpha1.SurfaceTools, Method: "tools/call", Name: "search", Streams: true, RequestBytes: int64(len(in.Body))}
	if got != want || args != `{"q":1}` {
		t.Errorf("Action = %+v with %s, want %+v", got, args, want)
	}
}
