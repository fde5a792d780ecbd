package llm_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/llm"
)

func denial(status int) surface.Denial {
	return surface.Denial{
		Code: "no_rule", Status: status, Text: "no rule allows \"this\"\n", RequestID: "0af7", Retry: "never", Policy: "agents/p", Rule: "r",
	}
}

func TestAppendError(t *testing.T) {
	t.Parallel()
	const members = `"code":"no_rule","request_id":"0af7","retry":"never","policy":"agents/p","rule":"r"`
	const text = `"no rule allows \"this\"\u000a"`
	for provider, want := range map[string]string{
		llm.OpenAI:    `{"error":{"message":` + text + `,"type":"permission_error","param":null,` + members + `}}`,
		"":            `{"error":{"message":` + text + `,"type":"permission_error","param":null,` + members + `}}`,
		llm.Anthropic: `{"type":"error","error":{"type":"permission_error","message":` + text + `,` + members + `},"request_id":"0af7"}`,
		llm.Gemini: `{"error":{"code":403,"message":` + text + `,"status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",` +
			`"domain":"hopgate.dev","reason":"no_rule","metadata":{` + members + `}}]}}`,
		llm.Bedrock: `{"message":` + text + `,"__type":"AccessDeniedException",` + members + `}`,
	} {
		got := llm.AppendError([]byte("x"), provider, denial(403))[1:]
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", provider, diff)
		}
		if !json.Valid(got) {
			t.Errorf("%s: not JSON: %s", provider, got)
		}
	}
}

func TestErrorType(t *testing.T) {
	t.Parallel()
	want := map[string]map[int]string{
		llm.OpenAI: {
			400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "invalid_request_error",
			413: "invalid_request_error", 429: "rate_limit_error", 503: "server_error",
		},
		llm.Anthropic: {
			400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
			413: "request_too_large", 429: "rate_limit_error", 503: "api_error",
		},
		llm.Gemini: {
			400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
			413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE",
		},
		llm.Bedrock: {
			400: "ValidationException", 401: "AccessDeniedException", 403: "AccessDeniedException", 404: "ResourceNotFoundException",
			413: "ValidationException", 429: "ThrottlingException", 503: "ServiceUnavailableException",
		},
	}
	for provider, types := range want {
		for status, name := range types {
			if got := llm.ErrorType(provider, status); got != name {
				t.Errorf("ErrorType(%s, %d) = %s, want %s", provider, status, got, name)
			}
		}
	}
}

func FuzzAppendError(f *testing.F) {
	f.Add("openai", "text\x00\xff\"", "code", 403)
	f.Add("gemini", "", "", 0)
	f.Fuzz(func(t *testing.T, provider, text, code string, status int) {
		d := surface.Denial{Text: text, Code: code, Status: status, RequestID: text, Rule: code}
		for _, p := range []string{provider, llm.OpenAI, llm.Anthropic, llm.Gemini, llm.Bedrock} {
			if out := llm.AppendError(nil, p, d); !json.Valid(out) {
				t.Errorf("not JSON: %q", out)
			}
		}
	})
}
