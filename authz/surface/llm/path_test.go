package llm_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/llm"
)

func TestPathsRefused(t *testing.T) {
	t.Parallel()
	for provider, paths := range map[string][]string{
		llm.OpenAI: {
			"", "v1/chat/completions", "/v1//chat/completions", "/v1/../chat/completions", "/v1/./chat/completions",
			"/v1/chat/completions/", "/v1/chat%2Fcompletions", "/v1/ch%61t/completions", `/v1\chat/completions`, "/v1/chat/completions;x",
			"/v1/chat/completions#x", "/v1/chat/ completions", "/v1/chat/completions\x00", "/v1/chät/completions",
			"/openai/Deployments/a/chat/completions", "/openai/deployments/a/deployments/b/chat/completions", "/openai/deployments/chat/completions",
			"/models/acme/big/v1/chat/completions", "/v1/Engines/a/completions", "/openai/deployments/" + strings.Repeat("a", 257) + "/chat/completions",
			strings.Repeat("/a", 24) + "/chat/completions",
		},
		llm.Anthropic: {"/v1/messages/", "/models/x/v1/messages", "/deployments/x/v1/messages", "/v1%2Fmessages"},
		llm.Gemini: {
			"/v1beta/models/a:b:generateContent", "/v1beta/models/:generateContent", "/v1beta/files/a:generateContent",
			"/v1beta/models/gemini%2Dpro:generateContent", "/v1beta/models/a%3AgenerateContent", "/a:generateContent",
		},
		llm.Bedrock: {
			"/model/amazon.nova%3a0/converse", "/model/amazon%2Enova/converse", "/model/a%2F..%2Fb/converse", "/model/a%2F/converse",
			"/model/a%00/converse", "/model/%20a/converse", "/model/a%25/converse", "/model/a%/converse", "/model/a%C3%A9/converse",
			"/model/amazon.nova/conv%65rse", "/mod%65l/amazon.nova/converse", "/x%2Fy/model/amazon.nova/converse", "/model/a/b%2Fconverse",
			"/model/..%5C..%5Cadmin/invoke", "/model/a%5Cb/converse",
		},
	} {
		for _, path := range paths {
			in := llm.Input{Provider: provider, HTTPMethod: "POST", Path: path, ContentType: surface.One("application/json"), Body: []byte(`{"model":"m"}`)}
			var r llm.Request
			if got := reason(r.Read(in)); got != surface.ReasonPath {
				t.Errorf("%s %q: refused for %q, want path", provider, path, got)
			}
		}
	}
}

// TestListPaths: whatever stands before a list is plain, for somebody behind may
// undo it and be elsewhere.
func TestListPaths(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/bedrock/..%2f..%2fadmin%2fusers%2f/foundation-models", "/%2e%2e/inference-profiles", "/foundation-models%2f..%2fadmin"} {
		var r llm.Request
		if got := reason(r.Read(get(llm.Bedrock, path))); got != surface.ReasonPath {
			t.Errorf("%q: refused for %q, want path", path, got)
		}
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]surface.Reason{
		"":                              "",
		"api-version=2024-10-21":        "",
		"alt=sse&key=a%2Fb&prettyPrint": "",
		"beta=true&":                    "",
		"model=other":                   surface.ReasonQuery,
		"a=b&MODEL=other":               surface.ReasonQuery,
		"m%6fdel=other":                 surface.ReasonQuery,
		"model[]=other":                 surface.ReasonQuery,
		"models=other":                  surface.ReasonQuery,
		"a=b;model=other":               surface.ReasonQuery,
		"%zz=1":                         surface.ReasonQuery,
		"$httpMethod=DELETE":            surface.ReasonQuery,
		"_method=DELETE":                surface.ReasonQuery,
		"deployment=x":                  surface.ReasonQuery,
	} {
		in := post(llm.OpenAI, chatPath, `{"model":"m"}`)
		in.Query = query
		var r llm.Request
		if got := reason(r.Read(in)); got != want {
			t.Errorf("query %q: refused for %q, want %q", query, got, want)
		}
	}
}
