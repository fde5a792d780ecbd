package check

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func chat(body string) asking {
	return asking{
		target: modelTarget(), method: "POST", path: "/v1/chat/completions", host: "llm.example", body: body,
		headers: [][2]string{{"content-type", "application/json"}},
	}.bearing(goodToken)
}

func TestModels(t *testing.T) {
	t.Parallel()
	good := `{"model":"gpt-5","max_tokens":100,"messages":[]}`
	at := func(a asking, path string) asking { a.path = path; return a }
	part := chat(good)
	part.partial = true
	for _, tc := range []struct {
		name string
		a    asking
		code string
	}{
		{"a model that is listed", chat(good), ""},
		{"streamed", chat(`{"model":"gpt-5","max_tokens":100,"stream":true,"messages":[]}`), ""},
		{"a model that is not", chat(`{"model":"other","max_tokens":100,"messages":[]}`), denial.NoRule},
		{"more than the limit", chat(`{"model":"gpt-5","max_tokens":1001,"messages":[]}`), denial.LimitExceeded},
		{"nothing that the limit could bound", chat(`{"model":"gpt-5","messages":[]}`), denial.LimitMissing},
		{"another operation", at(chat(good), "/v1/embeddings"), denial.NoRule},
		{"the list of models", asking{target: modelTarget(), path: "/v1/models", host: "llm.example"}.bearing(goodToken), denial.NoRule},
		{"a path that can be read in two ways", at(chat(good), "/v1/chat/../files"), denial.BadPath},
		{"a model twice", chat(`{"model":"gpt-5","model":"other","max_tokens":1,"messages":[]}`), denial.BodyUnreadable},
		{"a model in another case", chat(`{"model":"gpt-5","Model":"other","max_tokens":1,"messages":[]}`), denial.BodyUnreadable},
		{"no model", chat(`{"max_tokens":1,"messages":[]}`), denial.BodyUnreadable},
		{"no JSON", chat(`model=gpt-5`), denial.BodyUnreadable},
		{"gzip", chat(good).with([2]string{"content-encoding", "gzip"}), denial.BodyUnreadable},
		{"a part", part, denial.BodyTooLarge},
		{"too long", chat(good + strings.Repeat(" ", 1000)), denial.BodyTooLarge},
		{"no token", chat(good).without(wire.HeaderTxnToken), denial.TokenMissing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{})
			got := h.ask(tc.a)
			if got.code() != tc.code {
				t.Fatalf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
			if h.last().Surface != "Models" || h.last().Host != "llm.example" {
				t.Errorf("recorded %+v", h.last())
			}
			if tc.code != "" {
				openAIError(t, got)
			}
		})
	}
}

func openAIError(t *testing.T, a *answered) {
	t.Helper()
	var m struct {
		Error struct {
			Message, Type string
			RequestID     string `json:"request_id"`
			Retry         string
		}
	}
	if err := json.Unmarshal([]byte(a.body()), &m); err != nil || m.Error.Message == "" || m.Error.Type == "" || m.Error.RequestID == "" || m.Error.Retry == "" {
		t.Errorf("no provider's error (%v): %s", err, a.body())
	}
	if typ, _ := a.header("content-type"); typ != "application/json" {
		t.Errorf("content type %q", typ)
	}
}

func TestASurfaceThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"Agents", "Kubernetes", "tools"} {
		target := webTarget("agents")
		target.Surface = s
		h := open(t, build{})
		if got := h.ask(asking{target: target}.bearing(goodToken)); got.code() != denial.NotAvailable {
			t.Errorf("%s: %q", s, got.code())
		}
	}
}
