package mcp

import (
	"encoding/base64"
	"strings"

	"github.com/hopgate/hopgate/authz/surface"
)

// modern is the first revision without sessions, with the headers that mirror
// the body.
const modern = "2026-07-28"

// version checks the revision that a request announces. One that is not known
// may mean something else by the same words; none at all is an old client, or
// one that has yet to agree on a revision.
func (r *Request) version(v surface.Field) error {
	if v.Count > 1 {
		return surface.Refuse(surface.ReasonDoubledHeader)
	}
	if v.Count == 0 {
		return nil
	}
	switch v.Value {
	case "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25":
		return nil
	case modern:
		r.Modern = true
		return nil
	}
	return surface.Refuse(surface.ReasonVersion)
}

// agree holds the headers that mirror the body against it, whatever revision
// is announced: a server that trusts them must not see another call. A method
// whose params have no name that is known here may not announce one.
func (r *Request) agree(method, name surface.Field) error {
	if method.Count > 1 || name.Count > 1 {
		return surface.Refuse(surface.ReasonDoubledHeader)
	}
	if method.Count == 1 && (method.Value != r.Method || r.Kind == Response) {
		return surface.Refuse(surface.ReasonHeaderMismatch)
	}
	if name.Count == 1 && !mirrors(name.Value, r.Name) {
		return surface.Refuse(surface.ReasonHeaderMismatch)
	}
	return nil
}

// mirrors reports whether the value of Mcp-Name stands for name: as it is, or
// as =?base64?...?= (2026-07-28, Streamable HTTP, Value Encoding).
func mirrors(value, name string) bool {
	if name == "" {
		return false
	}
	encoded, ok := strings.CutPrefix(value, "=?base64?")
	if ok {
		encoded, ok = strings.CutSuffix(encoded, "?=")
	}
	if !ok {
		return value == name
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	return err == nil && string(decoded) == name
}
