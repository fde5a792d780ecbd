package llm

import (
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Providers are the dialects, as wire.Target.Provider names them.
const (
	OpenAI    = "openai"
	Anthropic = "anthropic"
	Gemini    = "gemini"
	Bedrock   = "bedrock"
)

// Operations that rules list. A rule that lists none means the first three.
const (
	Chat       = "chat"
	Completion = "completion"
	Response   = "response"
	Embedding  = "embedding"
	Image      = "image"
	Audio      = "audio"
	Moderation = "moderation"
	List       = "list"
	// Count counts the tokens of a prompt.
	Count = "count"
	// Invoke is a model's own interface, whose body does not say what it does.
	Invoke = "invoke"
	// Other is all that is not known here. Its body is not read, and no model
	// is told.
	Other = "other"
)

// Input is one HTTP request.
type Input struct {
	// Provider is the dialect.
	Provider   string
	HTTPMethod string
	// Path is the path as sent, without the query; Query is what follows the
	// question mark.
	Path, Query string
	// ContentType and ContentEncoding are the headers of those names.
	ContentType, ContentEncoding surface.Field
	// Body is the whole body, or its beginning when Partial is set.
	Body    []byte
	Partial bool
}

// Request is a request that was read. The zero Request is ready for Read.
type Request struct {
	// Operation is what is asked for.
	Operation string
	// Model is the model's name; empty where the operation has none, or where
	// the provider chooses one when it is not told.
	Model string
	// Stream is true when the answer comes in pieces.
	Stream bool
	// OutputTokens is the most tokens that the answer may have, over all the
	// alternatives asked for; 0: the request does not say.
	OutputTokens int64

	doc strictjson.Doc
}

// limits keep a body's outer two levels. Below them all is checked, and
// nothing kept.
func limits() strictjson.Limits { return strictjson.Limits{Depth: 64, Nodes: 1 << 17, Keep: 2} }

// place is what method and path say.
type place struct {
	operation string
	model     string
	stream    bool
}

// Read reads in. After an error, a *surface.Unreadable, r is empty.
func (r *Request) Read(in Input) error {
	*r = Request{doc: r.doc}
	if err := r.read(in); err != nil {
		*r = Request{doc: r.doc}
		return err
	}
	r.Model = strings.Clone(r.Model)
	return nil
}

// Reset forgets the request, for one that goes back to a pool.
func (r *Request) Reset() {
	r.doc.Reset()
	*r = Request{doc: r.doc}
}

// Action is r in the terms of rules; the destination is left empty.
func (r *Request) Action(in Input) surface.Action {
	return surface.Action{
		Kind:         v1alpha1.SurfaceModels,
		Method:       r.Operation,
		Name:         r.Model,
		Path:         in.Path,
		RequestBytes: int64(len(in.Body)),
		OutputTokens: r.OutputTokens,
		Streams:      r.Stream,
	}
}

func (r *Request) read(in Input) error {
	p, err := locate(in)
	if err != nil {
		return err
	}
	if err := checkQuery(in.Query); err != nil {
		return err
	}
	if in.Partial {
		return surface.Refuse(surface.ReasonPartial)
	}
	r.Operation, r.Model, r.Stream = p.operation, p.model, p.stream
	switch p.operation {
	case Other:
		return nil
	case List:
		return noBody(in)
	}
	return r.readBody(in)
}

func noBody(in Input) error {
	if len(in.Body) > 0 {
		return surface.Refuse(surface.ReasonBody)
	}
	return nil
}

func (r *Request) readBody(in Input) error {
	if err := surface.CheckJSON(in.ContentType, in.ContentEncoding); err != nil {
		return err
	}
	if err := r.doc.Parse(in.Body, limits()); err != nil {
		return surface.FromJSON(err)
	}
	root := r.doc.Root()
	if root.Kind() != strictjson.Object {
		return surface.Refuse(surface.ReasonNoObject)
	}
	switch in.Provider {
	case Gemini:
		return r.readGemini(root)
	case Bedrock:
		return r.readBedrock(root, strings.HasSuffix(in.Path, "/invoke") || strings.HasSuffix(in.Path, "/invoke-with-response-stream"))
	case Anthropic:
		return r.readAnthropic(root)
	}
	return r.readOpenAI(root)
}
