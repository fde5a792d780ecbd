package denial

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/llm"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

func TestLast(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		o     Occasion
		event string
		path  []string // to the code
		id    any      // of JSON-RPC
		call  string   // its method
	}{
		{
			"a tool call",
			Occasion{Surface: v1alpha1.SurfaceTools, MCP: &mcp.Request{Kind: mcp.Call, Method: "tools/call", ID: []byte(`"a7"`)}},
			"",
			[]string{"error", "data", "code"},
			"a7", "",
		},
		{
			"a tool call that is denied by results",
			Occasion{Surface: v1alpha1.SurfaceTools, AsResult: true, MCP: &mcp.Request{Kind: mcp.Call, Method: "tools/call", ID: []byte("7")}},
			"",
			[]string{"error", "data", "code"},
			7.0, "",
		},
		{
			"a stream of no request",
			Occasion{Surface: v1alpha1.SurfaceTools, MCP: &mcp.Request{Kind: mcp.Stream, Method: mcp.MethodStream}},
			"",
			[]string{"params", "data", "code"},
			nil, "notifications/message",
		},
		{"a stream that was not read", Occasion{Surface: v1alpha1.SurfaceTools}, "", []string{"params", "data", "code"}, nil, "notifications/message"},
		{"OpenAI", Occasion{Surface: v1alpha1.SurfaceModels, Provider: llm.OpenAI}, "", []string{"error", "code"}, nil, ""},
		{"Anthropic", Occasion{Surface: v1alpha1.SurfaceModels, Provider: llm.Anthropic}, "error", []string{"error", "code"}, nil, ""},
		{"a page, at a proxy", Occasion{Surface: v1alpha1.SurfaceHTTP, Proxy: true}, "error", []string{"code"}, nil, ""},
		{"gRPC", Occasion{Surface: v1alpha1.SurfaceHTTP, GRPC: true}, "error", []string{"code"}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := Last(NewCodes().Get(TokenRevoked), surface.Denial{RequestID: "ab"}, tt.o)
			if e.Name != tt.event {
				t.Errorf("the event is %q, want %q", e.Name, tt.event)
			}
			got := decoded(t, e.Data)
			if diff := cmp.Diff([]any{tt.id, methodOf(tt.call)}, []any{got["id"], got["method"]}); diff != "" {
				t.Errorf("id and method (-want +got):\n%s", diff)
			}
			if code := at(got, tt.path); code != TokenRevoked {
				t.Errorf("code at %v is %v in %s", tt.path, code, e.Data)
			}
		})
	}
}

func TestWarning(t *testing.T) {
	t.Parallel()
	e := Warning(NewCodes().Get(TokenExpiring), surface.Denial{}, Occasion{Surface: v1alpha1.SurfaceTools})
	got := decoded(t, e.Data)
	if level := at(got, []string{"params", "level"}); level != "warning" {
		t.Errorf("level is %v in %s", level, e.Data)
	}
	for _, s := range []v1alpha1.SurfaceType{v1alpha1.SurfaceModels, v1alpha1.SurfaceHTTP, v1alpha1.SurfaceHosts} {
		if e := Warning(NewCodes().Get(TokenExpiring), surface.Denial{}, Occasion{Surface: s}); e.Data != nil {
			t.Errorf("%s has no place for %s", s, e.Data)
		}
	}
}

func methodOf(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func decoded(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return out
}

// at follows names.
func at(v any, path []string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}
