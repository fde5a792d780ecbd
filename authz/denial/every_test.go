package denial

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/llm"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// occasions are every way in which a denial is said.
func occasions(t *testing.T) map[string]Occasion {
	t.Helper()
	out := map[string]Occasion{
		"http": {Surface: v1alpha1.SurfaceHTTP}, "hosts": {Surface: v1alpha1.SurfaceHosts}, "nothing": {}, "grpc": {GRPC: true},
		"tool":                   {Surface: v1alpha1.SurfaceTools, MCP: call(t)},
		"tool as a result":       {Surface: v1alpha1.SurfaceTools, MCP: call(t), AsResult: true},
		"tool, nothing read":     {Surface: v1alpha1.SurfaceTools},
		"tool by gRPC":           {Surface: v1alpha1.SurfaceTools, MCP: call(t), GRPC: true},
		"model, unknown dialect": {Surface: v1alpha1.SurfaceModels, Provider: "other"},
	}
	for _, p := range []string{llm.OpenAI, llm.Anthropic, llm.Gemini, llm.Bedrock} {
		out[p] = Occasion{Surface: v1alpha1.SurfaceModels, Provider: p}
	}
	for name, o := range maps.Clone(out) {
		o.Proxy = true
		out["proxy, "+name] = o
	}
	return out
}

// TestEveryCodeOnEveryOccasion: each says the code, the request and what may
// help, in a body that its protocol can read; 407 is for no token at a proxy
// and nothing else; untrusted names stay what they are.
func TestEveryCodeOnEveryOccasion(t *testing.T) {
	t.Parallel()
	d := surface.Denial{RequestID: "0123abcd", Policy: "n/p\"\r\n", Rule: "r\u202e\x1b"}
	for name, o := range occasions(t) {
		for _, c := range All() {
			a := Say(c, d, o)
			body := string(a.Body)
			for _, want := range []string{c.Name, "0123abcd", string(c.Retry)} {
				if !strings.Contains(body, want) {
					t.Errorf("%s, %s: no %s in %s", name, c.Name, want, body)
				}
			}
			if !o.GRPC && !json.Valid(a.Body) {
				t.Errorf("%s, %s: no JSON: %s", name, c.Name, body)
			}
			if challenge := header(a, "proxy-authenticate"); (a.Status == 407) != (o.Proxy && c.Name == TokenMissing) || (challenge != "") != (a.Status == 407) {
				t.Errorf("%s, %s: status %d, Proxy-Authenticate %q", name, c.Name, a.Status, challenge)
			}
			if o.Proxy && a.Status == 401 {
				t.Errorf("%s, %s: a proxy says 401", name, c.Name)
			}
			if (header(a, "proxy-status") != "") != o.Proxy || header(a, "cache-control") != "no-store" || header(a, "content-type") == "" {
				t.Errorf("%s, %s: headers %v", name, c.Name, a.Headers)
			}
			if (header(a, "retry-after") != "") != (c.Retry == RetryLater) {
				t.Errorf("%s, %s: headers %v", name, c.Name, a.Headers)
			}
			if a.Status < 400 && !(o.AsResult && a.Status == 200) {
				t.Errorf("%s, %s: status %d", name, c.Name, a.Status)
			}
			if headersBreak(a) {
				t.Errorf("%s, %s: a header that breaks: %q", name, c.Name, a.Headers)
			}
		}
	}
}

func headersBreak(a Answer) bool {
	seen := map[string]bool{}
	for _, h := range a.Headers {
		if seen[h.Name] || h.Name != strings.ToLower(h.Name) || strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return true
		}
		seen[h.Name] = true
	}
	return false
}

// TestSayKeepsWhatItIsTold: a text and a retry of the occasion come before the
// code's own.
func TestSayKeepsWhatItIsTold(t *testing.T) {
	t.Parallel()
	a := Say(NewCodes().Get(NoRule), surface.Denial{Text: "because", Retry: string(RetryLater)}, Occasion{})
	if member(t, a.Body, "detail") != "because" || member(t, a.Body, "retry") != "later" || header(a, "retry-after") == "" {
		t.Errorf("answer %s %v", a.Body, a.Headers)
	}
}
