package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/mcp"
)

// meaning is what a request means to one reader.
type meaning struct {
	Method, Name string
	// Args are compared as JSON values.
	Args any
}

// oracle is an MCP server of the official SDK that tells what reached it.
type oracle struct {
	handler http.Handler
	mu      sync.Mutex
	saw     []meaning
}

var errSeen = errors.New("seen")

func newOracle() *oracle {
	o := new(oracle)
	server := sdk.NewServer(&sdk.Implementation{Name: "oracle", Version: "1"}, nil)
	server.AddReceivingMiddleware(func(sdk.MethodHandler) sdk.MethodHandler {
		return func(_ context.Context, method string, req sdk.Request) (sdk.Result, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.saw = append(o.saw, meant(method, req.GetParams()))
			return nil, errSeen
		}
	})
	o.handler = sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server },
		&sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true, Logger: slog.New(slog.DiscardHandler)})
	return o
}

func meant(method string, params sdk.Params) meaning {
	m := meaning{Method: method}
	switch p := params.(type) {
	case *sdk.CallToolParamsRaw:
		m.Name, m.Args = p.Name, value(p.Arguments)
	case *sdk.GetPromptParams:
		m.Name = p.Name
		raw, _ := json.Marshal(p.Arguments)
		if p.Arguments != nil {
			m.Args = value(raw)
		}
	case *sdk.ReadResourceParams:
		m.Name = p.URI
	case *sdk.SubscribeParams:
		m.Name = p.URI
	case *sdk.UnsubscribeParams:
		m.Name = p.URI
	case *sdk.CompleteParams:
		if p.Ref != nil {
			m.Name = p.Ref.Name + p.Ref.URI
		}
	}
	return m
}

func value(raw []byte) any {
	if len(raw) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return err.Error()
	}
	return v
}

// send returns what the server saw of a body.
func (o *oracle) send(body []byte) []meaning {
	req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	o.handler.ServeHTTP(httptest.NewRecorder(), req)
	o.mu.Lock()
	defer o.mu.Unlock()
	saw := o.saw
	o.saw = nil
	return saw
}

// sloppy is what a server makes of a body that decodes it with encoding/json
// into structs: any case, the last of two, bytes behind ignored.
func sloppy(body []byte) (meaning, bool) {
	var in struct {
		Method string
		Params struct {
			Name      string
			URI       string
			TaskID    string `json:"taskId"`
			Ref       struct{ Name, URI string }
			Arguments json.RawMessage
		}
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&in); err != nil {
		return meaning{}, false
	}
	m := meaning{Method: in.Method, Args: value(in.Params.Arguments)}
	switch {
	case strings.HasPrefix(in.Method, "resources/"):
		m.Name = in.Params.URI
	case strings.HasPrefix(in.Method, "tasks/"):
		m.Name = in.Params.TaskID
	case in.Method == "completion/complete":
		m.Name = in.Params.Ref.Name + in.Params.Ref.URI
	default:
		m.Name = in.Params.Name
	}
	return m, true
}

// ours is what Read tells of a body; false: refused.
func ours(t testing.TB, body []byte) (meaning, mcp.Kind, bool) {
	t.Helper()
	var r mcp.Request
	err := r.Read(post(string(body)))
	if err != nil {
		var e *surface.Unreadable
		if !errors.As(err, &e) || e.Reason == "" {
			t.Fatalf("unfit error %#v", err)
		}
		return meaning{}, r.Kind, false
	}
	return meaning{Method: r.Method, Name: r.Name, Args: value(r.Args.Raw())}, r.Kind, true
}

// named are the methods whose name we read.
func named(method string) bool {
	switch method {
	case "tools/call", "prompts/get", "resources/read", "resources/subscribe", "resources/unsubscribe",
		"completion/complete", "tasks/get", "tasks/result", "tasks/cancel", "tasks/update":
		return true
	}
	return false
}

// compare holds what others read of an accepted body against what we read.
func compare(t *testing.T, o *oracle, body []byte) {
	t.Helper()
	want, kind, ok := ours(t, body)
	if !ok || kind == mcp.Response {
		return
	}
	if kind == mcp.Call {
		for _, got := range o.send(body) {
			if got.Name == "" && !named(want.Method) {
				got.Args = want.Args
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q means something else to the SDK (-ours +its):\n%s", body, diff)
			}
		}
	}
	got, ok := sloppy(body)
	if !ok {
		return
	}
	if !named(want.Method) {
		got.Name, got.Args = want.Name, want.Args
	}
	if want.Method != "tools/call" && want.Method != "prompts/get" {
		got.Args = want.Args
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q means something else to a sloppy reader (-ours +its):\n%s", body, diff)
	}
}

func corpus() []string {
	nested := strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50)
	return []string{
		call("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`),
		call("tools/call", `{"name":"search","arguments":{"q":"x","n":[1,2.5,{"y":null}],"big":9007199254740993}}`),
		call("tools/call", `{"name":"search"}`),
		call("tools/call", `{"n\u0061me":"\ud83d\ude00","arguments":{"\u0061":1,"b":"\/"}}`),
		call("tools/call", `{"name":"x","arguments":`+nested+`}`),
		call("tools/call", `{"name":"safe","Name":"danger"}`),
		call("tools/call", `{"name":"safe","name":"danger"}`),
		call("tools/call", `{"name":"safe","\u006eame":"danger"}`),
		call("tools/call", `{"name":"safe","arguments":{"a":1,"A":2}}`),
		call("tools/call", `{"name":"safe"}`) + call("tools/call", `{"name":"danger"}`),
		call("tools/call", `["danger"]`),
		call("prompts/get", `{"name":"p","arguments":{"a":"b"}}`),
		call("resources/read", `{"uri":"file:///a%20b"}`),
		call("resources/subscribe", `{"uri":"x:y"}`),
		call("completion/complete", `{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"b"}}`),
		call("tasks/get", `{"taskId":"t"}`),
		call("tools/list", `{}`),
		call("acme/x", `{"name":"y"}`),
		`{"jsonrpc":"2.0","id":1.5,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":"a","method":"ping"}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":1,"result":{}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe"},"PARAMS":{"name":"danger"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}`,
		`[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"danger"}}]`,
		"\xef\xbb\xbf" + call("ping", `{}`),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"safe\"},\"param\u017f\":{\"name\":\"danger\"}}",
	}
}

// The oracle would see a difference if there were one: it reads what we read.
func TestSDKSeesTheSame(t *testing.T) {
	t.Parallel()
	o := newOracle()
	compared := 0
	for _, body := range corpus() {
		compare(t, o, []byte(body))
		if want, kind, ok := ours(t, []byte(body)); ok && kind == mcp.Call && named(want.Method) {
			compared += len(o.send([]byte(body)))
		}
	}
	// The methods of tasks are unknown to this SDK.
	if compared != 8 {
		t.Errorf("the SDK saw %d of the named calls, want 8", compared)
	}
}

// What the SDK runs of the corpus we either refuse or tell by its own name.
func TestSDKRunsNothingElse(t *testing.T) {
	t.Parallel()
	o := newOracle()
	for _, body := range corpus() {
		for _, saw := range o.send([]byte(body)) {
			if want, _, ok := ours(t, []byte(body)); ok && (saw.Method != want.Method || named(want.Method) && saw.Name != want.Name) {
				t.Errorf("%s: the SDK runs %+v, we told %+v", body, saw, want)
			}
		}
	}
}

func FuzzAgainstSDK(f *testing.F) {
	for _, s := range corpus() {
		f.Add([]byte(s))
	}
	o := newOracle()
	f.Fuzz(func(t *testing.T, body []byte) { compare(t, o, body) })
}

// parts are members to put bodies together of: more of them are accepted, and
// more nearly so, than of random bytes.
var parts = [2][]string{
	{
		`"jsonrpc":"2.0"`, `"jsonrpc":"2\u002e0"`, `"JSONRPC":"2.0"`, `"id":1`, `"id":"a"`, `"id":null`, `"ID":2`, `"id":2.5`,
		`"method":"tools/call"`, `"method":"prompts/get"`, `"method":"ping"`, `"method":"resources/read"`, `"method":"completion/complete"`,
		`"Method":"ping"`, `"m\u0065thod":"tools/call"`, `"method":""`, `"result":{}`, `"error":{}`, `"x":1`, `"params":@`, `"Params":@`, `"p\u0061rams":@`,
	},
	{
		`"name":"safe"`, `"name":"danger"`, `"Name":"danger"`, `"n\u0061me":"saf\u0065"`, `"name":1`, `"na\u017fe":"x"`, `"_meta":{}`, `"name":"\u0000"`,
		`"arguments":{"a":1}`, `"arguments":{"a":1,"A":2}`, `"arguments":{"a":[1,{"b":2.50}],"\u0062":"\ud83d\ude00"}`, `"Arguments":{}`, `"arguments":null`, `"argument\u017f":{}`,
		`"uri":"file:///a"`, `"uri":"file:///a/../b"`, `"URI":"x:y"`, `"ref":{"type":"ref/prompt","name":"p"}`, `"ref":{"type":"ref/resource","uri":"x:y"}`,
		`"ref":{"type":"ref/prompt","uri":"x:y"}`, `"argument":{"name":"a","value":"b"}`, `"inputResponses":{}`, `"requestState":"s"`,
	},
}

// assemble makes a body: each byte of the choices adds one member.
func assemble(envelope, params []byte) string {
	join := func(choices []byte, of []string) string {
		var out []string
		for _, c := range choices {
			out = append(out, of[int(c)%len(of)])
		}
		return "{" + strings.Join(out, ",") + "}"
	}
	return strings.ReplaceAll(join(envelope, parts[0]), "@", join(params, parts[1]))
}

func FuzzAssembled(f *testing.F) {
	f.Add([]byte{0, 3, 8, 19}, []byte{0, 8})
	f.Add([]byte{0, 3, 11, 19}, []byte{14})
	f.Add([]byte{0, 4, 12, 21}, []byte{17, 20})
	f.Add([]byte{0, 3, 8, 19, 20}, []byte{0, 2})
	o := newOracle()
	f.Fuzz(func(t *testing.T, envelope, params []byte) {
		if len(envelope) > 8 || len(params) > 8 {
			t.Skip()
		}
		compare(t, o, []byte(assemble(envelope, params)))
	})
}

// Any one byte changed, left out or doubled: refused, or the same to all.
func TestMutations(t *testing.T) {
	t.Parallel()
	o := newOracle()
	body := []byte(call("tools/call", `{"name":"safe","arguments":{"a":[1,true],"b":"x\u0041"}}`))
	try := func(b []byte) { compare(t, o, b) }
	for i := range body {
		try(append(bytes.Clone(body[:i]), body[i+1:]...))
		try(append(bytes.Clone(body[:i+1]), body[i:]...))
		for _, c := range []byte{0, ' ', '"', '\\', '{', '}', '[', ',', ':', '0', 'A', 0x7f, 0x80, 0xff} {
			m := bytes.Clone(body)
			m[i] = c
			try(m)
		}
	}
}

// Read never fails in a way of its own, and what it tells of a refused body
// is an id that the body holds.
func FuzzRead(f *testing.F) {
	for _, s := range corpus() {
		f.Add([]byte(s), false)
		f.Add([]byte(s[:len(s)/2]), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, partial bool) {
		in := post(string(body))
		in.Partial = partial
		var r mcp.Request
		err := r.Read(in)
		if partial && err == nil {
			t.Fatal("a partial body was accepted")
		}
		if err != nil && (r.Method != "" || r.Name != "" || r.Base || r.Args.Raw() != nil) {
			t.Fatalf("a refused request tells %+v", tell(&r))
		}
		if !bytes.Contains(body, r.ID) {
			t.Fatalf("id %q is not of the body", r.ID)
		}
		out := r.AppendDenial(nil, denial(), false)
		if len(out) > 0 && !json.Valid(out) {
			t.Fatalf("the denial is not JSON: %q", out)
		}
	})
}
