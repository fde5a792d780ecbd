package llm_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/llm"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

func post(provider, path, body string) llm.Input {
	path, query, _ := strings.Cut(path, "?")
	return llm.Input{
		Provider: provider, HTTPMethod: "POST", Path: path, Query: query,
		ContentType: surface.One("application/json"), Body: []byte(body),
	}
}

func get(provider, path string) llm.Input {
	return llm.Input{Provider: provider, HTTPMethod: "GET", Path: path}
}

// told is all that Read tells.
type told struct {
	Operation, Model string
	Stream           bool
	OutputTokens     int64
}

func tell(r *llm.Request) told { return told{r.Operation, r.Model, r.Stream, r.OutputTokens} }

func reason(err error) surface.Reason {
	if e, ok := errors.AsType[*surface.Unreadable](err); ok {
		return e.Reason
	}
	return ""
}

const (
	chatPath = "/v1/chat/completions"
	flash    = "/v1beta/models/gemini-2.5-flash:generateContent"
	converse = "/model/amazon.nova-lite-v1:0/converse"
	claude   = "/model/us.anthropic.claude-sonnet-4-v1:0/invoke"
)

func TestReads(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		in   llm.Input
		want told
	}{
		{"chat", post(llm.OpenAI, chatPath, `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}`), told{Operation: "chat", Model: "gpt-4o"}},
		{"chat, streamed, limited", post(llm.OpenAI, chatPath, `{"model":"gpt-4o","stream":true,"max_completion_tokens":100}`), told{"chat", "gpt-4o", true, 100}},
		{"chat, old limit", post(llm.OpenAI, chatPath, `{"model":"m","max_tokens":7,"stream":false}`), told{"chat", "m", false, 7}},
		{"chat, both limits agree", post(llm.OpenAI, chatPath, `{"model":"m","max_tokens":7,"max_completion_tokens":7.0}`), told{"chat", "m", false, 7}},
		{"chat, alternatives", post(llm.OpenAI, chatPath, `{"model":"m","max_tokens":7,"n":3}`), told{"chat", "m", false, 21}},
		{"chat, alternatives and no limit", post(llm.OpenAI, chatPath, `{"model":"m","n":3}`), told{Operation: "chat", Model: "m"}},
		{"chat, nulls", post(llm.OpenAI, chatPath, `{"model":"m","stream":null,"max_tokens":null,"n":null,"models":null}`), told{Operation: "chat", Model: "m"}},
		{"chat, limit of responses does not count", post(llm.OpenAI, chatPath, `{"model":"m","max_output_tokens":7}`), told{Operation: "chat", Model: "m"}},
		{"chat, overflow", post(llm.OpenAI, chatPath, `{"model":"m","max_tokens":9223372036854775807,"n":2}`), told{"chat", "m", false, math.MaxInt64}},
		{"chat, escaped", post(llm.OpenAI, chatPath, `{"mod\u0065l":"gpt\u002d4o","str\u0065am":true}`), told{Operation: "chat", Model: "gpt-4o", Stream: true}},
		{"chat at the root", post(llm.OpenAI, "/chat/completions", `{"model":"m"}`), told{Operation: "chat", Model: "m"}},
		{"chat behind a prefix", post(llm.OpenAI, "/corp/openai/v1/chat/completions?api-version=1&key=%20x", `{"model":"m"}`), told{Operation: "chat", Model: "m"}},
		{"chat of a deployment", post(llm.OpenAI, "/openai/deployments/gpt-x/chat/completions?api-version=2024-10-21", `{"messages":[]}`), told{Operation: "chat", Model: "gpt-x"}},
		{"chat of a deployment, said again", post(llm.OpenAI, "/openai/deployments/gpt-x/chat/completions", `{"model":"gpt-x"}`), told{Operation: "chat", Model: "gpt-x"}},
		{"completion of an engine", post(llm.OpenAI, "/v1/engines/ada/completions", `{"prompt":"x"}`), told{Operation: "completion", Model: "ada"}},
		{"completion", post(llm.OpenAI, "/v1/completions", `{"model":"m","prompt":"x","max_tokens":5,"n":2,"best_of":4}`), told{"completion", "m", false, 20}},
		{"completion of three prompts", post(llm.OpenAI, "/v1/completions", `{"model":"m","prompt":["x","y","z"],"max_tokens":5}`), told{"completion", "m", false, 15}},
		{"completion of two token arrays", post(llm.OpenAI, "/v1/completions", `{"model":"m","prompt":[[1,2],[3]],"max_tokens":5}`), told{"completion", "m", false, 10}},
		{"completion of one token array", post(llm.OpenAI, "/v1/completions", `{"model":"m","prompt":[1,2,3],"max_tokens":5}`), told{"completion", "m", false, 5}},
		{"completion of no prompt", post(llm.OpenAI, "/v1/completions", `{"model":"m","prompt":[],"max_tokens":5}`), told{"completion", "m", false, 5}},
		{"response", post(llm.OpenAI, "/v1/responses", `{"model":"m","input":"x","max_output_tokens":9,"max_tokens":1}`), told{"response", "m", false, 9}},
		{"embedding", post(llm.OpenAI, "/v1/embeddings", `{"model":"e","input":["a"]}`), told{Operation: "embedding", Model: "e"}},
		{"image without a model", post(llm.OpenAI, "/v1/images/generations", `{"prompt":"x"}`), told{Operation: "image"}},
		{"image edit", post(llm.OpenAI, "/v1/images/edits", `{"model":"i"}`), told{Operation: "image", Model: "i"}},
		{"speech", post(llm.OpenAI, "/v1/audio/speech", `{"model":"tts","input":"x"}`), told{Operation: "audio", Model: "tts"}},
		{"moderation without a model", post(llm.OpenAI, "/v1/moderations", `{"input":"x"}`), told{Operation: "moderation"}},
		{"list", get(llm.OpenAI, "/v1/models"), told{Operation: "list"}},
		{"one of the list", get(llm.OpenAI, "/v1/models/gpt-4o"), told{Operation: "list", Model: "gpt-4o"}},
		{"files", post(llm.OpenAI, "/v1/files", `not read`), told{Operation: "other"}},
		{"stored response", get(llm.OpenAI, "/v1/responses/resp_1"), told{Operation: "other"}},
		{"socket of responses", get(llm.OpenAI, "/v1/responses"), told{Operation: "other"}},
		{"generations of no images", post(llm.OpenAI, "/v1/video/generations", `{}`), told{Operation: "other"}},
		{"speech of no audio", post(llm.OpenAI, "/v1/x/speech", `{}`), told{Operation: "other"}},
		{"other case", post(llm.OpenAI, "/v1/Chat/Completions", `{"model":"m"}`), told{Operation: "other"}},
		{"delete a model", llm.Input{Provider: llm.OpenAI, HTTPMethod: "DELETE", Path: "/v1/models/m"}, told{Operation: "other"}},
		{"root", get(llm.OpenAI, "/x"), told{Operation: "other"}},

		{"anthropic chat", post(llm.Anthropic, "/v1/messages?beta=true", `{"model":"claude","max_tokens":64,"stream":true,"messages":[]}`), told{"chat", "claude", true, 64}},
		{"anthropic chat behind a prefix", post(llm.Anthropic, "/anthropic/v1/messages", `{"model":"claude"}`), told{Operation: "chat", Model: "claude"}},
		{"anthropic count", post(llm.Anthropic, "/v1/messages/count_tokens", `{"model":"claude","max_tokens":64}`), told{Operation: "count", Model: "claude"}},
		{"anthropic completion", post(llm.Anthropic, "/v1/complete", `{"model":"claude","max_tokens_to_sample":8}`), told{"completion", "claude", false, 8}},
		{"anthropic batch", post(llm.Anthropic, "/v1/messages/batches", `{"requests":[]}`), told{Operation: "other"}},
		{"anthropic list", get(llm.Anthropic, "/v1/models"), told{Operation: "list"}},
		{"anthropic one", get(llm.Anthropic, "/v1/models/claude"), told{Operation: "list", Model: "claude"}},
		{"anthropic, no version", post(llm.Anthropic, "/messages", `{"model":"claude"}`), told{Operation: "other"}},
		{"anthropic, list of no version", get(llm.Anthropic, "/models"), told{Operation: "other"}},

		{"gemini chat", post(llm.Gemini, flash, `{"contents":[]}`), told{Operation: "chat", Model: "gemini-2.5-flash"}},
		{"gemini chat, streamed", post(llm.Gemini, "/v1beta/models/g:streamGenerateContent?alt=sse", `{"generationConfig":{"maxOutputTokens":10,"candidateCount":2}}`), told{"chat", "g", true, 20}},
		{"gemini chat, snake", post(llm.Gemini, flash, `{"generation_config":{"max_output_tokens":10}}`), told{"chat", "gemini-2.5-flash", false, 10}},
		{"gemini chat, null config", post(llm.Gemini, flash, `{"generationConfig":null}`), told{Operation: "chat", Model: "gemini-2.5-flash"}},
		{"gemini chat, model said again", post(llm.Gemini, flash, `{"model":"models/gemini-2.5-flash"}`), told{Operation: "chat", Model: "gemini-2.5-flash"}},
		{"gemini count", post(llm.Gemini, "/v1beta/models/g:countTokens", `{}`), told{Operation: "count", Model: "g"}},
		{"gemini embedding", post(llm.Gemini, "/v1beta/models/g:embedContent", `{}`), told{Operation: "embedding", Model: "g"}},
		{"gemini embeddings", post(llm.Gemini, "/v1beta/models/g:batchEmbedContents", `{"requests":[{"model":"models/g"}]}`), told{Operation: "embedding", Model: "g"}},
		{"gemini image", post(llm.Gemini, "/v1beta/models/imagen-4:predict", `{}`), told{Operation: "image", Model: "imagen-4"}},
		{"gemini predict", post(llm.Gemini, "/v1beta/models/text-x:predict", `{}`), told{Operation: "invoke", Model: "text-x"}},
		{"gemini, tuned", post(llm.Gemini, "/v1beta/tunedModels/t:generateContent", `{}`), told{Operation: "chat", Model: "tunedModels/t"}},
		{"gemini, unknown verb", post(llm.Gemini, "/v1beta/models/g:evolve", `x`), told{Operation: "other"}},
		{"gemini, no verb", post(llm.Gemini, "/v1beta/interactions", `{"model":"g"}`), told{Operation: "other"}},
		{"gemini list", get(llm.Gemini, "/v1beta/models"), told{Operation: "list"}},
		{"vertex", post(llm.Gemini, "/v1/projects/p/locations/l/publishers/google/models/g:generateContent", `{}`), told{Operation: "chat", Model: "g"}},
		{"vertex, other publisher", post(llm.Gemini, "/v1/projects/p/locations/l/publishers/evil/models/g:generateContent", `{}`), told{Operation: "chat", Model: "evil/g"}},
		{"vertex endpoint", post(llm.Gemini, "/v1/projects/p/locations/l/endpoints/7:generateContent", `{}`), told{Operation: "chat", Model: "endpoints/7"}},

		{"bedrock converse", post(llm.Bedrock, converse, `{"messages":[],"inferenceConfig":{"maxTokens":5}}`), told{"chat", "amazon.nova-lite-v1:0", false, 5}},
		{"bedrock converse, encoded", post(llm.Bedrock, "/model/amazon.nova-lite-v1%3A0/converse-stream", `{}`), told{Operation: "chat", Model: "amazon.nova-lite-v1:0", Stream: true}},
		{"bedrock converse, model's own limit agrees", post(llm.Bedrock, converse, `{"inferenceConfig":{"maxTokens":5},"additionalModelRequestFields":{"max_tokens":5,"top_k":1}}`), told{"chat", "amazon.nova-lite-v1:0", false, 5}},
		{"bedrock converse, only the model's own limit", post(llm.Bedrock, converse, `{"additionalModelRequestFields":{"max_tokens":5}}`), told{Operation: "chat", Model: "amazon.nova-lite-v1:0"}},
		{
			"bedrock ARN", post(llm.Bedrock, "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.anthropic.claude/invoke", `{"messages":[],"max_tokens":3}`),
			told{"chat", "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude", false, 3},
		},
		{"bedrock invoke", post(llm.Bedrock, claude, `{"anthropic_version":"x","messages":[],"max_tokens":3}`), told{"chat", "us.anthropic.claude-sonnet-4-v1:0", false, 3}},
		{"bedrock invoke, streamed", post(llm.Bedrock, claude+"-with-response-stream", `{"messages":[]}`), told{Operation: "chat", Model: "us.anthropic.claude-sonnet-4-v1:0", Stream: true}},
		{"bedrock invoke of what", post(llm.Bedrock, "/model/amazon.titan-embed/invoke", `{"inputText":"x"}`), told{Operation: "invoke", Model: "amazon.titan-embed"}},
		{"bedrock invoke of llama", post(llm.Bedrock, "/model/meta.llama3/invoke", `{"prompt":"x","max_gen_len":4,"max_tokens":1}`), told{"invoke", "meta.llama3", false, 4}},
		{"bedrock invoke of nova", post(llm.Bedrock, "/model/amazon.nova/invoke", `{"messages":[],"inferenceConfig":{"max_new_tokens":4}}`), told{"chat", "amazon.nova", false, 4}},
		{"bedrock invoke of who knows", post(llm.Bedrock, "/model/acme.x/invoke", `{"max_tokens":4}`), told{Operation: "invoke", Model: "acme.x"}},
		{"bedrock count", post(llm.Bedrock, "/model/amazon.nova/count-tokens", `{"input":{}}`), told{Operation: "count", Model: "amazon.nova"}},
		{"bedrock behind a prefix", post(llm.Bedrock, "/aws/model/amazon.nova/converse", `{}`), told{Operation: "chat", Model: "amazon.nova"}},
		{"bedrock, unknown verb", post(llm.Bedrock, "/model/amazon.nova/evolve", `x`), told{Operation: "other"}},
		{"bedrock, elsewhere", post(llm.Bedrock, "/async-invoke", `{"modelId":"x"}`), told{Operation: "other"}},
		{"bedrock list", get(llm.Bedrock, "/foundation-models"), told{Operation: "list"}},
		{"bedrock profiles", get(llm.Bedrock, "/inference-profiles"), told{Operation: "list"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r llm.Request
			if err := r.Read(tc.in); err != nil {
				t.Fatalf("Read: %v", err)
			}
			if diff := cmp.Diff(tc.want, tell(&r)); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	return b.String()
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	chat := func(body string) llm.Input { return post(llm.OpenAI, chatPath, body) }
	with := func(change func(*llm.Input)) llm.Input {
		in := chat(`{"model":"m"}`)
		change(&in)
		return in
	}
	for _, tc := range []struct {
		name string
		in   llm.Input
		want surface.Reason
	}{
		{"unknown provider", post("acme", chatPath, `{"model":"m"}`), surface.ReasonProvider},
		{"no provider", post("", chatPath, `{"model":"m"}`), surface.ReasonProvider},

		{"form", with(func(in *llm.Input) { in.ContentType = surface.One("multipart/form-data; boundary=x") }), surface.ReasonMultipart},
		{"no content type", with(func(in *llm.Input) { in.ContentType = surface.Field{} }), surface.ReasonContentType},
		{"gzip", with(func(in *llm.Input) { in.ContentEncoding = surface.One("gzip") }), surface.ReasonContentEncoding},
		{"partial", with(func(in *llm.Input) { in.Partial = true }), surface.ReasonPartial},
		{"partial, body not read", llm.Input{Provider: llm.OpenAI, HTTPMethod: "POST", Path: "/v1/files", Partial: true}, surface.ReasonPartial},
		{"list with a body", llm.Input{Provider: llm.OpenAI, HTTPMethod: "GET", Path: "/v1/models", Body: []byte("{}")}, surface.ReasonBody},

		{"empty body", chat(``), "empty"},
		{"array", chat(`[]`), surface.ReasonNoObject},
		{"duplicate model", chat(`{"model":"a","model":"b"}`), "duplicate_key"},
		{"duplicate model, escaped", chat(`{"model":"a","m\u006fdel":"b"}`), "duplicate_key"},
		{"duplicate deep inside", chat(`{"model":"a","messages":[{"content":[{"x":{"y":1,"y":2}}]}]}`), "duplicate_key"},
		{"trailing bytes", chat(`{"model":"a"}{"model":"b"}`), "trailing_bytes"},
		{"bad UTF-8 deep inside", chat("{\"model\":\"a\",\"messages\":[{\"content\":[\"\xff\"]}]}"), "bad_utf8"},
		{"too deep", chat(`{"model":"a","messages":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`), "depth"},
		{"too many values", chat(`{"model":"a","input":[` + strings.Repeat("1,", 1<<17) + `1]}`), "nodes"},

		{"Model beside", chat(`{"model":"a","Model":"b"}`), surface.ReasonCaseVariant},
		{"Model instead", chat(`{"MODEL":"b"}`), surface.ReasonCaseVariant},
		{"maxTokens", chat(`{"model":"a","maxTokens":1}`), surface.ReasonCaseVariant},
		{"Stream", chat(`{"model":"a","Stream":true}`), surface.ReasonCaseVariant},
		{"anthropic Model", post(llm.Anthropic, "/v1/messages", `{"model":"a","Model":"b"}`), surface.ReasonCaseVariant},
		{"gemini generationconfig", post(llm.Gemini, flash, `{"generationconfig":{}}`), surface.ReasonCaseVariant},
		{"gemini maxoutputtokens", post(llm.Gemini, flash, `{"generationConfig":{"maxoutputtokens":1}}`), surface.ReasonCaseVariant},
		{"bedrock InferenceConfig", post(llm.Bedrock, converse, `{"InferenceConfig":{}}`), surface.ReasonCaseVariant},
		{"bedrock max_tokens in the config", post(llm.Bedrock, converse, `{"inferenceConfig":{"max_tokens":1}}`), surface.ReasonCaseVariant},
		{"bedrock invoke, MaxTokens in the config", post(llm.Bedrock, claude, `{"inferenceConfig":{"MaxTokens":1}}`), surface.ReasonCaseVariant},

		{"too many members", chat(`{"model":"a"` + manyMembers(1024) + `}`), surface.ReasonMembers},
		{"no model", chat(`{"messages":[]}`), surface.ReasonModel},
		{"model null", chat(`{"model":null}`), surface.ReasonModel},
		{"model a number", chat(`{"model":4}`), surface.ReasonModel},
		{"model empty", chat(`{"model":""}`), surface.ReasonModel},
		{"model with a NUL", chat(`{"model":"gpt-4o\u0000-mini"}`), surface.ReasonModel},
		{"model with a space behind", chat(`{"model":"gpt-4o "}`), surface.ReasonModel},
		{"model too long", chat(`{"model":"` + strings.Repeat("m", 257) + `"}`), surface.ReasonModel},
		{"image of no model's name", post(llm.OpenAI, "/v1/images/generations", `{"model":null}`), surface.ReasonModel},
		{"response of a stored prompt", post(llm.OpenAI, "/v1/responses", `{"prompt":{"id":"p"}}`), surface.ReasonModel},
		{"deployment and another model", post(llm.OpenAI, "/openai/deployments/a/chat/completions", `{"model":"b"}`), surface.ReasonModel},
		{"gemini, another model", post(llm.Gemini, flash, `{"model":"models/other"}`), surface.ReasonModel},
		{"gemini, model null", post(llm.Gemini, flash, `{"model":null}`), surface.ReasonModel},
		{"bedrock, another model", post(llm.Bedrock, claude, `{"model":"other"}`), surface.ReasonModel},
		{"bedrock, another modelId", post(llm.Bedrock, converse, `{"modelId":"other"}`), surface.ReasonModel},
		{"further models", chat(`{"model":"a","models":["b"]}`), surface.ReasonOtherModels},
		{"fallbacks", chat(`{"model":"a","fallbacks":["b"]}`), surface.ReasonOtherModels},
		{"a body in the body", chat(`{"model":"a","extra_body":{"model":"b"}}`), surface.ReasonOtherModels},
		{"a body in the body, by case", chat(`{"model":"a","Extra_Body":{"model":"b"}}`), surface.ReasonCaseVariant},
		{"preset", chat(`{"model":"a","preset":"b"}`), surface.ReasonOtherModels},
		{"anthropic, fallbacks", post(llm.Anthropic, "/v1/messages", `{"model":"a","fallbacks":[]}`), surface.ReasonOtherModels},
		{"gemini, further models", post(llm.Gemini, flash, `{"models":["b"]}`), surface.ReasonOtherModels},
		{"bedrock, further models", post(llm.Bedrock, converse, `{"models":["b"]}`), surface.ReasonOtherModels},

		{"stream a string", chat(`{"model":"a","stream":"true"}`), surface.ReasonStream},
		{"stream a number", post(llm.Anthropic, "/v1/messages", `{"model":"a","stream":1}`), surface.ReasonStream},

		{"limits differ", chat(`{"model":"a","max_tokens":1,"max_completion_tokens":1000}`), surface.ReasonOutputTokens},
		{"limit zero", chat(`{"model":"a","max_tokens":0}`), surface.ReasonOutputTokens},
		{"limit negative", chat(`{"model":"a","max_tokens":-1}`), surface.ReasonOutputTokens},
		{"limit a string", chat(`{"model":"a","max_tokens":"5"}`), surface.ReasonOutputTokens},
		{"limit a fraction", chat(`{"model":"a","max_tokens":1.5}`), surface.ReasonOutputTokens},
		{"limit huge", chat(`{"model":"a","max_tokens":1e30}`), surface.ReasonOutputTokens},
		{"alternatives zero", chat(`{"model":"a","max_tokens":1,"n":0}`), surface.ReasonOutputTokens},
		{"alternatives a string", chat(`{"model":"a","n":"100"}`), surface.ReasonOutputTokens},
		{"anthropic, limit a string", post(llm.Anthropic, "/v1/messages", `{"model":"a","max_tokens":"5"}`), surface.ReasonOutputTokens},
		{"gemini, both spellings", post(llm.Gemini, flash, `{"generationConfig":{},"generation_config":{"maxOutputTokens":9}}`), surface.ReasonOutputTokens},
		{"gemini, limits differ", post(llm.Gemini, flash, `{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}`), surface.ReasonOutputTokens},
		{"gemini, config no object", post(llm.Gemini, flash, `{"generationConfig":[]}`), surface.ReasonOutputTokens},
		{"bedrock, config no object", post(llm.Bedrock, converse, `{"inferenceConfig":5}`), surface.ReasonOutputTokens},
		{"bedrock invoke, config no object", post(llm.Bedrock, claude, `{"inferenceConfig":5}`), surface.ReasonOutputTokens},
		{"bedrock, own parameters no object", post(llm.Bedrock, converse, `{"additionalModelRequestFields":[]}`), surface.ReasonOutputTokens},
		{"bedrock, model's own limit differs", post(llm.Bedrock, converse, `{"inferenceConfig":{"maxTokens":5},"additionalModelRequestFields":{"max_tokens":500}}`), surface.ReasonOutputTokens},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r llm.Request
			err := r.Read(tc.in)
			if got := reason(err); got != tc.want {
				t.Fatalf("Read refused for %q (%v), want %q", got, err, tc.want)
			}
			if got := tell(&r); got != (told{}) {
				t.Errorf("a refused request tells %+v", got)
			}
		})
	}
}

func TestReuse(t *testing.T) {
	t.Parallel()
	var r llm.Request
	first := post(llm.OpenAI, chatPath, `{"model":"m","stream":true,"max_tokens":5}`)
	if err := r.Read(first); err != nil {
		t.Fatal(err)
	}
	clear(first.Body)
	if r.Model != "m" {
		t.Error("the model changed with the body")
	}
	if err := r.Read(get(llm.OpenAI, "/v1/models")); err != nil || tell(&r) != (told{Operation: "list"}) {
		t.Errorf("after another request: %+v, %v", tell(&r), err)
	}
	r.Reset()
	if tell(&r) != (told{}) {
		t.Errorf("after Reset: %+v", tell(&r))
	}
}

func TestAction(t *testing.T) {
	t.Parallel()
	in := post(llm.OpenAI, chatPath, `{"model":"m","max_tokens":5}`)
	var r llm.Request
	if err := r.Read(in); err != nil {
		t.Fatal(err)
	}
	want := surface.Action{
		Kind: v1alpha1.SurfaceModels, Method: "chat", Name: "m", Path: chatPath, RequestBytes: int64(len(in.Body)), OutputTokens: 5,
	}
	if got := r.Action(in); got != want {
		t.Errorf("Action = %+v, want %+v", got, want)
	}
}
