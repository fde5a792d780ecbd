package mcp

import (
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
)

// codeDenied is the JSON-RPC error code of every refusal. SDKs use codes near
// -32001 for the connection itself and close the session on some of them;
// this one they hand to the caller.
const codeDenied = "-32043"

// AppendDenial appends the body that answers r with d, and asResult says
// whether a refused call is told as a result that the model reads. Where no
// answer is awaited the body is empty. The content type is application/json.
func (r *Request) AppendDenial(dst []byte, d surface.Denial, asResult bool) []byte {
	switch {
	case r.Kind == Notification || r.Kind == Response:
		return dst
	case asResult && r.Kind == Call && r.Method == "tools/call":
		return AppendResult(dst, r.ID, d, r.Modern)
	}
	return AppendError(dst, r.ID, d)
}

// AppendError appends a JSON-RPC error response. An empty id becomes null
// (JSON-RPC 2.0 section 5: "If there was an error in detecting the id").
func AppendError(dst, id []byte, d surface.Denial) []byte {
	dst = appendHead(dst, id)
	dst = append(dst, `"error":{"code":`+codeDenied+`,"message":`...)
	dst = strictjson.AppendString(dst, d.Text)
	dst = append(dst, `,"data":{`...)
	dst = d.AppendMembers(dst)
	return append(dst, "}}}"...)
}

// AppendResult appends a result of tools/call that failed. The text is the
// answer's content; the rest is under _meta. Revision 2026-07-28 wants to be
// told that the result is complete.
func AppendResult(dst, id []byte, d surface.Denial, modern bool) []byte {
	dst = appendHead(dst, id)
	dst = append(dst, `"result":{`...)
	if modern {
		dst = append(dst, `"resultType":"complete",`...)
	}
	dst = append(dst, `"content":[{"type":"text","text":`...)
	dst = strictjson.AppendString(dst, d.Text)
	dst = append(dst, `}],"isError":true,"_meta":{"hopgate.dev/denial":{`...)
	dst = d.AppendMembers(dst)
	return append(dst, "}}}}"...)
}

func appendHead(dst, id []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	if len(id) == 0 {
		dst = append(dst, "null"...)
	}
	dst = append(dst, id...)
	return append(dst, ',')
}
