package llm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/llm"
)

// A provider that decodes with encoding/json into a struct, in any case and
// with the last of two, sees the model and the stream flag that we told.
func FuzzAgainstSloppyReader(f *testing.F) {
	for _, s := range []string{
		`{"model":"m","stream":true,"max_tokens":5}`, `{"model":"m","Model":"n"}`, `{"model":"m","model":"n"}`, `{"MODEL":"n"}`,
		`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"\ud83d\ude00"}]}],"tools":[{"a":{"b":{}}}]}`,
		`{"model":"m"}{"model":"n"}`, `{"model":"m","\u004dodel":"n"}`, `{"model":"m","max_tokens":1,"max_completion_tokens":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r llm.Request
		if err := r.Read(post(llm.OpenAI, chatPath, string(body))); err != nil {
			var e *surface.Unreadable
			if !errors.As(err, &e) || e.Reason == "" || tell(&r) != (told{}) {
				t.Fatalf("unfit refusal %#v, %+v", err, tell(&r))
			}
			return
		}
		var got struct {
			Model               string
			Stream              bool
			MaxTokens           *json.Number `json:"max_tokens"`
			MaxCompletionTokens *json.Number `json:"max_completion_tokens"`
		}
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(&got); err != nil {
			t.Fatalf("accepted %q, encoding/json does not: %v", body, err)
		}
		if got.Model != r.Model || got.Stream != r.Stream {
			t.Fatalf("%q: it reads %+v, we %+v", body, got, tell(&r))
		}
		if (got.MaxTokens != nil || got.MaxCompletionTokens != nil) != (r.OutputTokens > 0) {
			t.Fatalf("%q: it reads limits %v and %v, we %d", body, got.MaxTokens, got.MaxCompletionTokens, r.OutputTokens)
		}
	})
}

// An accepted path is the same to net/url, and its model is of the path.
func FuzzPath(f *testing.F) {
	for _, p := range []string{chatPath, flash, converse, claude, "/model/a%3A0/invoke", "/v1/../x", "/openai/deployments/a/chat/completions"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, provider := range []string{llm.OpenAI, llm.Anthropic, llm.Gemini, llm.Bedrock} {
			in := llm.Input{Provider: provider, HTTPMethod: "POST", Path: path, ContentType: surface.One("application/json"), Body: []byte(`{}`)}
			var r llm.Request
			if r.Read(in) != nil {
				continue
			}
			u, err := url.ParseRequestURI(path)
			if err != nil {
				t.Fatalf("accepted %q, net/url does not: %v", path, err)
			}
			if clean := u.JoinPath().EscapedPath(); clean != path && provider != llm.Bedrock {
				t.Fatalf("accepted %q, which is %q", path, clean)
			}
			if name := r.Model[strings.LastIndexByte(r.Model, '/')+1:]; !strings.Contains(u.Path, name) {
				t.Fatalf("%q: model %q is not of the path", path, r.Model)
			}
		}
	})
}
