package denial

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// call is a tool call that was read, with an id that no number type keeps.
func call(t *testing.T) *mcp.Request {
	t.Helper()
	r := &mcp.Request{}
	err := r.Read(mcp.Input{
		HTTPMethod: "POST", ContentType: surface.One("application/json"),
		Body: []byte(`{"jsonrpc":"2.0","id":"9007199254740993.0","method":"tools/call","params":{"name":"x"}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func header(a Answer, name string) string {
	for _, h := range a.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func member(t *testing.T, body []byte, path ...string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("no %s in %s", p, body)
		}
		v = m[p]
	}
	return v
}

func TestSay(t *testing.T) {
	t.Parallel()
	d := surface.Denial{RequestID: "ab", Policy: "agents/p", Rule: "r"}
	codes := NewCodes()
	for _, tc := range []struct {
		name, code string
		o          Occasion
		status     int
		typ        string
		at         []string
		want       any
	}{
		{"problem", NoRule, Occasion{}, 403, typeProblem, []string{"code"}, "no_rule"},
		{"problem's type", NoRule, Occasion{Surface: v1alpha1.SurfaceHTTP}, 403, typeProblem, []string{"type"}, "https://hopgate.dev/denials#no_rule"},
		{"problem's request", NoRule, Occasion{}, 403, typeProblem, []string{"request_id"}, "ab"},
		{"problem's rule", RuleDenied, Occasion{}, 403, typeProblem, []string{"rule"}, "r"},
		{"no token", TokenMissing, Occasion{}, 401, typeProblem, []string{"retry"}, "after_renewal"},
		{"no token at a proxy", TokenMissing, Occasion{Proxy: true}, 407, typeProblem, []string{"code"}, "token_missing"},
		{"a problem's status is the answer's", TokenMissing, Occasion{Proxy: true}, 407, typeProblem, []string{"status"}, float64(407)},
		{"a bad token's status is the answer's", TokenExpired, Occasion{Proxy: true}, 403, typeProblem, []string{"status"}, float64(403)},
		{"bad token at a proxy", TokenExpired, Occasion{Proxy: true}, 403, typeProblem, []string{"code"}, "token_expired"},
		{"later", Overloaded, Occasion{}, 503, typeProblem, []string{"retry"}, "later"},
		{"tool", RuleDenied, Occasion{Surface: v1alpha1.SurfaceTools, MCP: call(t)}, 403, typeJSON, []string{"error", "code"}, float64(-32043)},
		{"tool's id", RuleDenied, Occasion{Surface: v1alpha1.SurfaceTools, MCP: call(t)}, 403, typeJSON, []string{"id"}, "9007199254740993.0"},
		{"tool without a token", TokenMissing, Occasion{Surface: v1alpha1.SurfaceTools, MCP: call(t)}, 403, typeJSON, []string{"error", "data", "code"}, "token_missing"},
		{"tool when we are down", Internal, Occasion{Surface: v1alpha1.SurfaceTools, MCP: call(t)}, 403, typeJSON, []string{"error", "data", "retry"}, "later"},
		{"tool as a result", RuleDenied, Occasion{Surface: v1alpha1.SurfaceTools, MCP: call(t), AsResult: true}, 200, typeJSON, []string{"result", "isError"}, true},
		{"tool that could not be read", BodyUnreadable, Occasion{Surface: v1alpha1.SurfaceTools}, 400, typeProblem, []string{"code"}, "body_unreadable"},
		{"openai", NoRule, Occasion{Surface: v1alpha1.SurfaceModels, Provider: "openai"}, 403, typeJSON, []string{"error", "type"}, "permission_error"},
		{"anthropic", NoRule, Occasion{Surface: v1alpha1.SurfaceModels, Provider: "anthropic"}, 403, typeJSON, []string{"error", "type"}, "permission_error"},
		{"gemini", NoRule, Occasion{Surface: v1alpha1.SurfaceModels, Provider: "gemini"}, 403, typeJSON, []string{"error", "status"}, "PERMISSION_DENIED"},
		{"bedrock", NoRule, Occasion{Surface: v1alpha1.SurfaceModels, Provider: "bedrock"}, 403, typeJSON, []string{"__type"}, "AccessDeniedException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := Say(codes.Get(tc.code), d, tc.o)
			if a.Status != tc.status || header(a, "content-type") != tc.typ {
				t.Errorf("status %d, type %q, want %d, %q", a.Status, header(a, "content-type"), tc.status, tc.typ)
			}
			if diff := cmp.Diff(tc.want, member(t, a.Body, tc.at...)); diff != "" {
				t.Errorf("%v differs (-want +got) in %s:\n%s", tc.at, a.Body, diff)
			}
			if header(a, "cache-control") != "no-store" {
				t.Error("the answer may be cached")
			}
		})
	}
}

func TestSayHeaders(t *testing.T) {
	t.Parallel()
	codes := NewCodes()
	for _, tc := range []struct {
		name, code   string
		o            Occasion
		header, want string
	}{
		{"a proxy asks for credentials", TokenMissing, Occasion{Proxy: true}, "proxy-authenticate", `Basic realm="hopgate"`},
		{"a proxy does not ask again", TokenExpired, Occasion{Proxy: true}, "proxy-authenticate", ""},
		{"a route asks for none", TokenMissing, Occasion{}, "proxy-authenticate", ""},
		{"a route is no OAuth resource", TokenMissing, Occasion{}, "www-authenticate", ""},
		{"a proxy says its status", AddressDenied, Occasion{Proxy: true}, "proxy-status", `hopgate; error=http_request_denied; details="address_denied"`},
		{"a proxy says it is its own", Overloaded, Occasion{Proxy: true}, "proxy-status", `hopgate; error=proxy_internal_error; details="overloaded"`},
		{"later has a time", Overloaded, Occasion{}, "retry-after", "1"},
		{"never has none", NoRule, Occasion{}, "retry-after", ""},
		{"bedrock's type", NoRule, Occasion{Surface: v1alpha1.SurfaceModels, Provider: "bedrock"}, "x-amzn-errortype", "AccessDeniedException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := header(Say(codes.Get(tc.code), surface.Denial{}, tc.o), tc.header); got != tc.want {
				t.Errorf("%s = %q, want %q", tc.header, got, tc.want)
			}
		})
	}
}

// TestSayGRPC: Envoy makes the status from ours and the message from the body.
func TestSayGRPC(t *testing.T) {
	t.Parallel()
	codes := NewCodes()
	for code, want := range map[string]int{NoRule: 403, TokenMissing: 401, Overloaded: 503, BadPath: 403} {
		a := Say(codes.Get(code), surface.Denial{RequestID: "ab", Policy: "n/p", Rule: "r"}, Occasion{GRPC: true})
		if a.Status != want || !strings.HasPrefix(string(a.Body), code+": ") || !strings.Contains(string(a.Body), "rule n/p/r") || strings.Contains(string(a.Body), "\n") {
			t.Errorf("%s: %d %q", code, a.Status, a.Body)
		}
	}
}

func TestANotificationIsDeniedWithoutABody(t *testing.T) {
	t.Parallel()
	r := &mcp.Request{}
	if err := r.Read(mcp.Input{HTTPMethod: "POST", ContentType: surface.One("application/json"), Body: []byte(`{"jsonrpc":"2.0","method":"notifications/x"}`)}); err != nil {
		t.Fatal(err)
	}
	a := Say(NewCodes().Get(NoRule), surface.Denial{}, Occasion{Surface: v1alpha1.SurfaceTools, MCP: r})
	if a.Status != 403 || len(a.Body) != 0 {
		t.Errorf("answer %d %q", a.Status, a.Body)
	}
}
