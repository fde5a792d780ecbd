package strictjson

import "fmt"

// Reason says why a document was refused. The words are stable: they reach
// denials and records.
type Reason string

const (
	// ReasonEmpty: nothing but whitespace.
	ReasonEmpty Reason = "empty"
	// ReasonSize: more bytes than this package reads (256 MiB).
	ReasonSize Reason = "size"
	// ReasonBOM: a UTF-8 byte order mark in front.
	ReasonBOM Reason = "bom"
	// ReasonSyntax: not JSON.
	ReasonSyntax Reason = "syntax"
	// ReasonTruncated: the bytes end inside the value.
	ReasonTruncated Reason = "truncated"
	// ReasonTrailing: something other than whitespace behind the value.
	ReasonTrailing Reason = "trailing_bytes"
	// ReasonDuplicate: two members of one object have the same name.
	ReasonDuplicate Reason = "duplicate_key"
	// ReasonUTF8: a string is not valid UTF-8.
	ReasonUTF8 Reason = "bad_utf8"
	// ReasonSurrogate: an escape that is half of a surrogate pair.
	ReasonSurrogate Reason = "lone_surrogate"
	// ReasonControl: a raw control character in a string.
	ReasonControl Reason = "control_character"
	// ReasonNumber: beyond a float64, or too long (128 bytes).
	ReasonNumber Reason = "number"
	// ReasonDepth: nested deeper than Limits.Depth.
	ReasonDepth Reason = "depth"
	// ReasonNodes: more values than Limits.Nodes.
	ReasonNodes Reason = "nodes"
)

// Error is why a document was refused and where. It holds nothing of the
// document itself.
type Error struct {
	Reason Reason
	// Offset counts bytes from the start: of the offending byte, of the string
	// or number at fault, or of the second of two equal keys.
	Offset int
}

// Error says the reason and the place.
func (e *Error) Error() string {
	return fmt.Sprintf("read json: %s at byte %d", e.Reason, e.Offset)
}
