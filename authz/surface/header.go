package surface

import "strings"

// Field is one header of a request; the zero Field was not sent.
type Field struct {
	// Value is the last value; the only one that counts when Count is 1.
	Value string
	// Count is how often the header was sent.
	Count int
}

// One is a Field that was sent once.
func One(value string) Field { return Field{Value: value, Count: 1} }

// Add notes one more occurrence. A sender that joins values by commas leaves
// one value here: whoever compares values sees that they differ.
func (f *Field) Add(value string) {
	f.Value = value
	f.Count++
}

// CheckJSON refuses a body that is not exactly JSON in UTF-8 without further
// encoding: the content type is application/json, with charset=utf-8 or
// nothing behind it, and sent once.
func CheckJSON(contentType, contentEncoding Field) error {
	if contentType.Count > 1 || contentEncoding.Count > 1 {
		return Refuse(ReasonDoubledHeader)
	}
	if contentEncoding.Count == 1 && !strings.EqualFold(contentEncoding.Value, "identity") {
		return Refuse(ReasonContentEncoding)
	}
	kind, parameter, more := strings.Cut(contentType.Value, ";")
	if strings.EqualFold(kind, "multipart/form-data") {
		return Refuse(ReasonMultipart)
	}
	if kind != "application/json" || more && !strings.EqualFold(strings.Trim(parameter, " \t"), "charset=utf-8") {
		return Refuse(ReasonContentType)
	}
	return nil
}
