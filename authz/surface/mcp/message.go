package mcp

import (
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
)

// maxID bounds an id, which every answer repeats, in bytes.
const maxID = 1024

// envelope is the members of a JSON-RPC message (JSON-RPC 2.0 sections 4
// and 5).
type envelope struct {
	jsonrpc, id, method, params, result, failure strictjson.Value
}

// findID takes the id from a body that was read, or from what was read of it
// before it broke.
func (r *Request) findID(broken bool) {
	var id strictjson.Value
	var ok bool
	if broken {
		id, ok = r.doc.ReadBefore("id")
	} else {
		id, ok = r.doc.Root().Member("id")
	}
	if ok && fitID(id) {
		r.ID = id.Raw()
	}
}

// fitID reports whether id is a string or a whole number: "Requests MUST
// include a string or integer ID" (MCP, Overview, Requests).
func fitID(id strictjson.Value) bool {
	switch id.Kind() {
	case strictjson.String:
		return len(id.Raw()) <= maxID
	case strictjson.Number:
		for i, c := range id.Raw() {
			if (c < '0' || c > '9') && (i > 0 || c != '-') {
				return false
			}
		}
		_, ok := id.Int()
		return ok
	}
	return false
}

// message reads the one message of a body.
func (r *Request) message(root strictjson.Value) error {
	switch root.Kind() {
	case strictjson.Object:
	case strictjson.Array:
		return surface.Refuse(surface.ReasonBatch)
	default:
		return surface.Refuse(surface.ReasonNoObject)
	}
	var e envelope
	if err := e.read(root); err != nil {
		return err
	}
	if !e.jsonrpc.Is("2.0") {
		return surface.RefuseAt(surface.ReasonJSONRPC, e.jsonrpc)
	}
	if e.method.Kind() == strictjson.Absent {
		return r.response(e)
	}
	return r.request(e)
}

// read sorts the members. Any that JSON-RPC does not know is refused: no
// server needs it, and some reader could take it for one that it does know.
func (e *envelope) read(root strictjson.Value) error {
	for name, v := range root.Members() {
		switch name {
		case "jsonrpc":
			e.jsonrpc = v
		case "id":
			e.id = v
		case "method":
			e.method = v
		case "params":
			e.params = v
		case "result":
			e.result = v
		case "error":
			e.failure = v
		default:
			if surface.Variant(name, "jsonrpc", "id", "method", "params", "result", "error") {
				return surface.RefuseAt(surface.ReasonCaseVariant, v)
			}
			return surface.RefuseAt(surface.ReasonUnknownMember, v)
		}
	}
	return nil
}

// response reads an answer to what the server asked for: sampling,
// elicitation, roots, ping.
func (r *Request) response(e envelope) error {
	hasResult, hasError := e.result.Kind() != strictjson.Absent, e.failure.Kind() != strictjson.Absent
	if !hasResult && !hasError {
		return surface.Refuse(surface.ReasonMethod)
	}
	r.Kind = Response
	switch {
	case hasResult && hasError || e.params.Kind() != strictjson.Absent:
		return surface.Refuse(surface.ReasonMessage)
	case hasResult && e.result.Kind() != strictjson.Object:
		return surface.RefuseAt(surface.ReasonMessage, e.result)
	case hasError && e.failure.Kind() != strictjson.Object:
		return surface.RefuseAt(surface.ReasonMessage, e.failure)
	case !fitID(e.id) && !(hasError && e.id.Kind() == strictjson.Null):
		return surface.RefuseAt(surface.ReasonID, e.id)
	}
	r.Method, r.Base = MethodResponse, true
	return nil
}

// request reads a request or notification.
func (r *Request) request(e envelope) error {
	r.Kind = Call
	if e.id.Kind() == strictjson.Absent {
		r.Kind = Notification
	}
	if e.result.Kind() != strictjson.Absent || e.failure.Kind() != strictjson.Absent {
		return surface.Refuse(surface.ReasonMessage)
	}
	text, _ := e.method.Text()
	m, ok := lookup(text)
	if !ok {
		return surface.RefuseAt(surface.ReasonMethod, e.method)
	}
	if r.Kind == Call && !fitID(e.id) || m.needs(r.Kind) {
		return surface.RefuseAt(surface.ReasonID, e.id)
	}
	r.Method, r.Base = m.name, m.base
	return r.params(m, e.params)
}
