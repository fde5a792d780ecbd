package surface

import (
	"errors"
	"fmt"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// Reason says why a request could not be read without doubt. The words are
// stable: they reach denials and records. Those of strictjson are among them.
type Reason string

const (
	// ReasonHTTPMethod: a method that the protocol does not use here.
	ReasonHTTPMethod Reason = "http_method"
	// ReasonUpgrade: a switch to another protocol, behind which nothing is read.
	ReasonUpgrade Reason = "upgrade"
	// ReasonContentType: not exactly application/json.
	ReasonContentType Reason = "content_type"
	// ReasonMultipart: a form with parts, which is not read.
	ReasonMultipart Reason = "multipart"
	// ReasonContentEncoding: a body that is encoded, so that whoever decodes
	// it sees another one.
	ReasonContentEncoding Reason = "content_encoding"
	// ReasonPartial: more body than is read; only its beginning was seen.
	ReasonPartial Reason = "partial_body"
	// ReasonBody: a body where none belongs.
	ReasonBody Reason = "unexpected_body"
	// ReasonDoubledHeader: a header that decides was sent more than once.
	ReasonDoubledHeader Reason = "doubled_header"
	// ReasonHeaderMismatch: a header says other than the body.
	ReasonHeaderMismatch Reason = "header_mismatch"
	// ReasonVersion: a protocol version that is not known.
	ReasonVersion Reason = "protocol_version"
	// ReasonBatch: several messages in one body.
	ReasonBatch Reason = "batch"
	// ReasonNoObject: the body is no JSON object.
	ReasonNoObject Reason = "no_object"
	// ReasonCaseVariant: a member that some reader may take for one that
	// decides: its name differs only in case or in signs.
	ReasonCaseVariant Reason = "case_variant"
	// ReasonMembers: an object that decides has more members than 1024.
	ReasonMembers Reason = "members"
	// ReasonUnknownMember: a member that the envelope does not have.
	ReasonUnknownMember Reason = "unknown_member"
	// ReasonJSONRPC: jsonrpc is not "2.0".
	ReasonJSONRPC Reason = "jsonrpc"
	// ReasonID: an id that is missing, not allowed, or of another type.
	ReasonID Reason = "id"
	// ReasonMethod: a method that is missing, no string or no method's name.
	ReasonMethod Reason = "method"
	// ReasonMessage: members of a request and of a response in one message.
	ReasonMessage Reason = "message"
	// ReasonParams: params is no object.
	ReasonParams Reason = "params"
	// ReasonName: the tool's, prompt's or task's name is missing, no string,
	// empty, or holds control characters.
	ReasonName Reason = "name"
	// ReasonArguments: arguments is no object.
	ReasonArguments Reason = "arguments"
	// ReasonURI: a resource's URI that can be read in more than one way.
	ReasonURI Reason = "uri"
	// ReasonProvider: a dialect that is not known.
	ReasonProvider Reason = "provider"
	// ReasonPath: a path that can be read in more than one way.
	ReasonPath Reason = "path"
	// ReasonQuery: a query parameter that decides.
	ReasonQuery Reason = "query"
	// ReasonModel: the model is missing, no string, no model's name, or said
	// twice and differently.
	ReasonModel Reason = "model"
	// ReasonOtherModels: the request offers models besides the one it names.
	ReasonOtherModels Reason = "other_models"
	// ReasonStream: stream is no boolean.
	ReasonStream Reason = "stream"
	// ReasonOutputTokens: the limit on the answer is no whole number above
	// zero, or said twice and differently.
	ReasonOutputTokens Reason = "output_tokens"
)

// Unreadable is the error of every reader below this package: the request is
// not what it must be, or could mean two things. It holds nothing of the
// request.
type Unreadable struct {
	Reason Reason
	// Offset counts bytes into the body; -1: the fault has no place there.
	Offset int
}

// Error says the reason and, where there is one, the place.
func (e *Unreadable) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("read request: %s", e.Reason)
	}
	return fmt.Sprintf("read request: %s at byte %d", e.Reason, e.Offset)
}

// Refuse is an Unreadable without a place.
func Refuse(r Reason) error { return &Unreadable{Reason: r, Offset: -1} }

// RefuseAt is an Unreadable whose place is that of v.
func RefuseAt(r Reason, v strictjson.Value) error {
	return &Unreadable{Reason: r, Offset: v.Offset()}
}

// FromJSON makes an Unreadable of what strictjson said.
func FromJSON(err error) error {
	if e, ok := errors.AsType[*strictjson.Error](err); ok {
		return &Unreadable{Reason: Reason(e.Reason), Offset: e.Offset}
	}
	return Refuse(Reason(strictjson.ReasonSyntax))
}
