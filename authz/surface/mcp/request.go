package mcp

import (
	"net/http"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Input is one HTTP request.
type Input struct {
	// HTTPMethod is the method as sent.
	HTTPMethod string
	// ContentType and ContentEncoding are the headers of those names.
	ContentType, ContentEncoding surface.Field
	// Version is MCP-Protocol-Version, Method Mcp-Method, Name Mcp-Name.
	Version, Method, Name surface.Field
	// Body is the whole body, or its beginning when Partial is set. It must
	// not change while the Request's ID and Args are used.
	Body    []byte
	Partial bool
}

// Kind is what a request is in MCP's terms.
type Kind uint8

const (
	// Unknown: it could not be told.
	Unknown Kind = iota
	// Call is a JSON-RPC request, which awaits an answer.
	Call
	// Notification awaits none.
	Notification
	// Response answers a request of the server's.
	Response
	// Stream is a GET: it opens the stream of the server's own messages.
	Stream
	// End is a DELETE: it ends the session.
	End
)

// Methods that are told for what has no JSON-RPC method. No body can name
// them.
const (
	MethodStream   = "GET"
	MethodEnd      = "DELETE"
	MethodResponse = "response"
)

// Request is a request that was read. The zero Request is ready for Read.
type Request struct {
	Kind Kind
	// Method is the JSON-RPC method, or one of the words above.
	Method string
	// Name is what the method works on: the tool of tools/call, the prompt of
	// prompts/get, the URI of a resources method, the prompt or URI of
	// completion/complete, the task of a tasks method. Empty: it has none.
	Name string
	// Args are the arguments of tools/call and prompts/get; absent: none. They
	// are valid until the next Read or Reset.
	Args strictjson.Value
	// Base marks the methods without which a client cannot speak to the server
	// at all, and which by themselves do nothing. A method that is not known
	// here never is one.
	Base bool
	// ID is the request's id as it came: a JSON string or number; nil for a
	// notification, and where none could be read with certainty. It is set
	// after an error too.
	ID []byte
	// Modern is true for revision 2026-07-28 and later.
	Modern bool

	doc strictjson.Doc
}

// limits are those of a body. Its length is bounded by whoever sends it here.
func limits() strictjson.Limits { return strictjson.Limits{Depth: 64, Nodes: 1 << 17} }

// Read reads in. After an error, a *surface.Unreadable, only Kind, ID and
// Modern tell something, for the answer; the rest is empty.
func (r *Request) Read(in Input) error {
	r.clear()
	r.ID, r.Kind, r.Modern = nil, Unknown, false
	err := r.read(in)
	if err != nil {
		r.clear()
	}
	return err
}

// Reset forgets the request, for one that goes back to a pool.
func (r *Request) Reset() {
	r.doc.Reset()
	*r = Request{doc: r.doc}
}

// Action is r in the terms of rules; the destination is left empty.
func (r *Request) Action(in Input) surface.Action {
	return surface.Action{
		Kind:         v1alpha1.SurfaceTools,
		Method:       r.Method,
		Name:         r.Name,
		Args:         r.Args,
		Base:         r.Base,
		Streams:      r.Kind == Stream || (r.Kind == Call && !r.Base),
		RequestBytes: int64(len(in.Body)),
	}
}

func (r *Request) clear() {
	r.Method, r.Name, r.Args, r.Base = "", "", strictjson.Value{}, false
}

func (r *Request) read(in Input) error {
	switch in.HTTPMethod {
	case http.MethodPost:
		return r.post(in)
	case http.MethodGet:
		return r.bodiless(in, Stream, MethodStream)
	case http.MethodDelete:
		return r.bodiless(in, End, MethodEnd)
	}
	return surface.Refuse(surface.ReasonHTTPMethod)
}

// bodiless reads what has no body, and so nothing that a header could mirror.
func (r *Request) bodiless(in Input, kind Kind, method string) error {
	r.Kind = kind
	if err := r.version(in.Version); err != nil {
		return err
	}
	if len(in.Body) > 0 || in.Partial {
		return surface.Refuse(surface.ReasonBody)
	}
	if in.Method.Count > 0 || in.Name.Count > 0 {
		return surface.Refuse(surface.ReasonHeaderMismatch)
	}
	r.Method, r.Base = method, true
	return nil
}

// post parses first, so that a refusal for any reason can quote the id.
func (r *Request) post(in Input) error {
	broken := r.doc.Parse(in.Body, limits())
	r.findID(broken != nil)
	if err := surface.CheckJSON(in.ContentType, in.ContentEncoding); err != nil {
		return err
	}
	if in.Partial {
		return surface.Refuse(surface.ReasonPartial)
	}
	if broken != nil {
		return surface.FromJSON(broken)
	}
	if err := r.version(in.Version); err != nil {
		return err
	}
	if err := r.message(r.doc.Root()); err != nil {
		return err
	}
	return r.agree(in.Method, in.Name)
}
