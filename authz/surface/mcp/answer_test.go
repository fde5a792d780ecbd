package mcp_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/mcp"
)

func denial() surface.Denial {
	return surface.Denial{
		Code: "rule_denied", Status: 403, Text: "a rule denies \"this\"\n\u2028", RequestID: "0af7", Retry: "never",
		Policy: "agents/researcher", Rule: "search-code",
	}
}

const wantError = `{"jsonrpc":"2.0","id":7,"error":{"code":-32043,"message":"a rule denies \"this\"\u000a\u2028",` +
	`"data":{"code":"rule_denied","request_id":"0af7","retry":"never","policy":"agents/researcher","rule":"search-code"}}}`

const wantResult = `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"a rule denies \"this\"\u000a\u2028"}],"isError":true,` +
	`"_meta":{"hopgate.dev/denial":{"code":"rule_denied","request_id":"0af7","retry":"never","policy":"agents/researcher","rule":"search-code"}}}}`

func TestAppendError(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(wantError, string(mcp.AppendError(nil, []byte("7"), denial()))); diff != "" {
		t.Errorf("AppendError (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantResult, string(mcp.AppendResult(nil, []byte("7"), denial(), false))); diff != "" {
		t.Errorf("AppendResult (-want +got):\n%s", diff)
	}
	for _, id := range []string{``, `9007199254740993`, `"a\"b\u0000"`} {
		want := id
		if id == "" {
			want = "null"
		}
		for name, out := range map[string][]byte{
			"error":         mcp.AppendError([]byte("x"), []byte(id), surface.Denial{Code: "c"})[1:],
			"result":        mcp.AppendResult([]byte("x"), []byte(id), surface.Denial{Code: "c"}, false)[1:],
			"modern result": mcp.AppendResult([]byte("x"), []byte(id), surface.Denial{Code: "c"}, true)[1:],
		} {
			var got struct {
				ID json.RawMessage `json:"id"`
			}
			if err := json.Unmarshal(out, &got); err != nil || string(got.ID) != want {
				t.Errorf("%s: id %q becomes %q: %v", name, id, got.ID, err)
			}
		}
	}
}

// The SDK reads the error with its reason, and the result as one that failed.
func TestSDKReadsAnswers(t *testing.T) {
	t.Parallel()
	msg, err := jsonrpc.DecodeMessage(mcp.AppendError(nil, []byte(`"x"`), denial()))
	if err != nil {
		t.Fatal(err)
	}
	failure, ok := errors.AsType[*jsonrpc.Error](msg.(*jsonrpc.Response).Error)
	if !ok || failure.Code != -32043 || failure.Message != denial().Text {
		t.Errorf("the SDK reads %#v", msg)
	}
	for _, modern := range []bool{false, true} {
		msg, err = jsonrpc.DecodeMessage(mcp.AppendResult(nil, []byte(`1`), denial(), modern))
		if err != nil {
			t.Fatal(err)
		}
		var res sdk.CallToolResult
		if err := json.Unmarshal(msg.(*jsonrpc.Response).Result, &res); err != nil {
			t.Fatal(err)
		}
		text, ok := res.Content[0].(*sdk.TextContent)
		if !res.IsError || !ok || text.Text != denial().Text || res.Meta["hopgate.dev/denial"] == nil {
			t.Errorf("the SDK reads %#v", res)
		}
	}
}

func TestAppendDenial(t *testing.T) {
	t.Parallel()
	tool := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x"}}`
	for _, tc := range []struct {
		name     string
		in       mcp.Input
		asResult bool
		want     string
	}{
		{"call", post(tool), false, wantError},
		{"call, for the model", post(tool), true, wantResult},
		{"other method, for the model", post(`{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"x"}}`), true, wantError},
		{"unreadable call, for the model", post(tool + "x"), true, wantError},
		{"neither request nor response", post(`{"jsonrpc":"2.0","id":7}`), false, wantError},
		{"variant of a call", post(`{"jsonrpc":"2.0","id":7,"Method":"tools/call"}`), false, wantError},
		{"notification", post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`), false, ""},
		{"unreadable notification", post(`{"jsonrpc":"2.0","method":"notifications/initialized","params":[]}`), false, ""},
		{"response", post(`{"jsonrpc":"2.0","id":7,"result":{}}`), true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r mcp.Request
			_ = r.Read(tc.in)
			if diff := cmp.Diff(tc.want, string(r.AppendDenial(nil, denial(), tc.asResult))); diff != "" {
				t.Errorf("AppendDenial (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("text", "code", "rule")
	f.Add("\x00\"\\\u2028\xff", "</script>", "\x1b[2J")
	f.Fuzz(func(t *testing.T, text, code, rule string) {
		d := surface.Denial{Text: text, Code: code, Rule: rule}
		for _, out := range [][]byte{mcp.AppendError(nil, nil, d), mcp.AppendResult(nil, nil, d, true)} {
			if !json.Valid(out) {
				t.Errorf("not JSON: %q", out)
			}
		}
	})
}
