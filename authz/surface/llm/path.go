package llm

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/hopgate/hopgate/authz/surface"
)

// locate says what method and path ask for. A route may put any path in front
// of the provider's own.
func locate(in Input) (place, error) {
	segments, ok := split(in.Path, in.Provider == Bedrock)
	if !ok {
		return place{}, surface.Refuse(surface.ReasonPath)
	}
	switch in.Provider {
	case OpenAI:
		return locateOpenAI(in.HTTPMethod, segments)
	case Anthropic:
		return locateAnthropic(in.HTTPMethod, segments)
	case Gemini:
		return locateGemini(in.HTTPMethod, segments)
	case Bedrock:
		return locateBedrock(in.HTTPMethod, segments)
	}
	return place{}, surface.Refuse(surface.ReasonProvider)
}

// maxSegments is more than any provider's path has, with one in front of it.
const maxSegments = 24

// split cuts a path into its segments; false when it can be read in more than
// one way: an empty or dot segment, a byte that some reader drops or turns.
// Percent encoding is refused but where the dialect needs it.
func split(path string, encoded bool) ([]string, bool) {
	if path == "" || path[0] != '/' {
		return nil, false
	}
	for i := range len(path) {
		c := path[i]
		if c <= ' ' || c >= 0x7F || strings.IndexByte(`\;?#"<>^|`+"`{}", c) >= 0 || c == '%' && !encoded {
			return nil, false
		}
	}
	segments := make([]string, 0, maxSegments)
	for s := range strings.SplitSeq(path[1:], "/") {
		if s == "" || s == "." || s == ".." || len(segments) == maxSegments {
			return nil, false
		}
		segments = append(segments, s)
	}
	return segments, true
}

// at is the segment that is n from the end, the last being 1; empty: none.
func at(segments []string, n int) string {
	if n > len(segments) {
		return ""
	}
	return segments[len(segments)-n]
}

// openAIPost is the operation of the last segments, and how many they are.
func openAIPost(s []string) (string, int) {
	switch at(s, 1) {
	case "completions":
		if at(s, 2) == "chat" {
			return Chat, 2
		}
		return Completion, 1
	case "responses":
		return Response, 1
	case "embeddings":
		return Embedding, 1
	case "moderations":
		return Moderation, 1
	case "generations", "edits", "variations":
		if at(s, 2) == "images" {
			return Image, 2
		}
	case "speech", "transcriptions", "translations":
		if at(s, 2) == "audio" {
			return Audio, 2
		}
	}
	return Other, 0
}

func locateOpenAI(method string, s []string) (place, error) {
	switch method {
	case http.MethodGet:
		return locateList(s), nil
	case http.MethodPost:
		op, n := openAIPost(s)
		if op == Other {
			return place{operation: Other}, nil
		}
		model, err := chosenByPath(s[:len(s)-n])
		return place{operation: op, model: model}, err
	}
	return place{operation: Other}, nil
}

// locateList reads GET .../models and .../models/NAME.
func locateList(s []string) place {
	switch {
	case at(s, 1) == "models":
		return place{operation: List}
	case at(s, 2) == "models" && surface.CleanName(at(s, 1)):
		return place{operation: List, model: at(s, 1)}
	}
	return place{operation: Other}
}

// chosenByPath is the model that the path in front of an operation chooses:
// .../deployments/NAME or .../engines/NAME. Any other spelling of these, or a
// path below models, may choose one too, and is refused.
func chosenByPath(front []string) (string, error) {
	model := ""
	for i := 0; i < len(front); i++ {
		exact := front[i] == "deployments" || front[i] == "engines"
		switch {
		case exact && model == "" && i+1 < len(front) && len(front[i+1]) <= maxModel:
			model = front[i+1]
			i++
		case exact || surface.Variant(front[i], "deployments", "engines") || surface.Resembles(front[i], "models"):
			return "", surface.Refuse(surface.ReasonPath)
		}
	}
	return model, nil
}

func locateAnthropic(method string, s []string) (place, error) {
	if p := locateList(s); method == http.MethodGet && p.operation == List && (at(s, 2) == "v1" || at(s, 3) == "v1") {
		return p, nil
	}
	op, n := Other, 0
	switch {
	case method != http.MethodPost:
	case at(s, 2) == "v1" && at(s, 1) == "messages":
		op, n = Chat, 2
	case at(s, 3) == "v1" && at(s, 2) == "messages" && at(s, 1) == "count_tokens":
		op, n = Count, 3
	case at(s, 2) == "v1" && at(s, 1) == "complete":
		op, n = Completion, 2
	}
	if op == Other {
		return place{operation: Other}, nil
	}
	if model, err := chosenByPath(s[:len(s)-n]); err != nil || model != "" {
		return place{}, surface.Refuse(surface.ReasonPath)
	}
	return place{operation: op}, nil
}

// locateGemini reads .../models/NAME:VERB, of the Gemini API and of Vertex AI.
func locateGemini(method string, s []string) (place, error) {
	if method == http.MethodGet {
		return locateList(s), nil
	}
	name, verb, ok := strings.Cut(at(s, 1), ":")
	if method != http.MethodPost || !ok {
		return place{operation: Other}, nil
	}
	model, ok := geminiModel(s, name)
	if !ok || strings.Contains(verb, ":") {
		return place{}, surface.Refuse(surface.ReasonPath)
	}
	switch verb {
	case "generateContent":
		return place{operation: Chat, model: model}, nil
	case "streamGenerateContent":
		return place{operation: Chat, model: model, stream: true}, nil
	case "countTokens":
		return place{operation: Count, model: model}, nil
	case "embedContent", "batchEmbedContents":
		return place{operation: Embedding, model: model}, nil
	case "predict":
		return place{operation: predicts(model), model: model}, nil
	}
	return place{operation: Other}, nil
}

// predicts is what :predict does: Imagen makes images; of others the path does
// not say.
func predicts(model string) string {
	if strings.HasPrefix(model, "imagen") {
		return Image
	}
	return Invoke
}

// geminiModel is the name for rules: that of Google's own models as it is, any
// other with the collection or publisher it is of.
func geminiModel(s []string, name string) (string, bool) {
	if name == "" {
		return "", false
	}
	switch collection := at(s, 2); collection {
	case "models":
		if publisher := at(s, 3); at(s, 4) == "publishers" && publisher != "google" {
			return publisher + "/" + name, true
		}
		return name, true
	case "tunedModels", "endpoints":
		return collection + "/" + name, true
	}
	return "", false
}

// locateBedrock reads /model/ID/VERB of the Bedrock runtime.
func locateBedrock(method string, s []string) (place, error) {
	if method == http.MethodGet && (at(s, 1) == "foundation-models" || at(s, 1) == "inference-profiles") {
		return place{operation: List}, onlyPlain(s)
	}
	p := place{operation: Other}
	if method != http.MethodPost || at(s, 3) != "model" {
		return p, onlyPlain(s)
	}
	switch at(s, 1) {
	case "converse":
		p.operation = Chat
	case "converse-stream":
		p.operation, p.stream = Chat, true
	case "invoke":
		p.operation = Invoke
	case "invoke-with-response-stream":
		p.operation, p.stream = Invoke, true
	case "count-tokens":
		p.operation = Count
	default:
		return p, onlyPlain(s)
	}
	model, ok := decodeModel(at(s, 2))
	if !ok || onlyPlain(s[:len(s)-2]) != nil {
		return place{}, surface.Refuse(surface.ReasonPath)
	}
	p.model = model
	return p, nil
}

// onlyPlain refuses percent encoding where no model is expected.
func onlyPlain(segments []string) error {
	for _, s := range segments {
		if strings.Contains(s, "%") {
			return surface.Refuse(surface.ReasonPath)
		}
	}
	return nil
}

// decodeModel decodes a model's ID in a path: an ARN has colons and slashes.
// Only one spelling of each encoding is taken: upper case, and not of what
// needs none.
func decodeModel(s string) (string, bool) {
	decoded, err := url.PathUnescape(s)
	if err != nil || decoded != s && !canonical(s) || !surface.CleanName(decoded) || strings.ContainsAny(decoded, `%\`) {
		return "", false
	}
	for seg := range strings.SplitSeq(decoded, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return "", false
		}
	}
	return decoded, true
}

// canonical reports whether each %XX of s, which is well formed, is upper case
// and of a byte that RFC 3986 section 2.3 does not call unreserved.
func canonical(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		hex := s[i+1 : i+3]
		c, err := strconv.ParseUint(hex, 16, 8)
		if err != nil || hex != strings.ToUpper(hex) || c >= 0x7F || unreserved(byte(c)) {
			return false
		}
		i += 2
	}
	return true
}

func unreserved(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// checkQuery refuses parameters that some server lets decide instead of path
// or body.
func checkQuery(query string) error {
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || strings.Contains(pair, ";") {
			return surface.Refuse(surface.ReasonQuery)
		}
		for _, k := range []string{"model", "models", "deployment", "engine", "fallbacks", "preset", "method", "httpMethod"} {
			if surface.Resembles(name, k) {
				return surface.Refuse(surface.ReasonQuery)
			}
		}
	}
	return nil
}
