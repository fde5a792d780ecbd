package surface

import (
	"strconv"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// Denial is what a refusal tells the caller. Empty fields are left out, but
// for Code and Text. Texts are for people and agents to read; the protocols'
// packages put them into their own shapes.
type Denial struct {
	// Code is the stable reason.
	Code string
	// Status is the HTTP status that goes with it.
	Status int
	// Text says what is wrong and what would mend it.
	Text string
	// Reason narrows Code down: an Unreadable's, or another's.
	Reason string
	// RequestID is the hop's id.
	RequestID string
	// Retry is never, after_approval, after_renewal or later.
	Retry string
	// After is when to try again, in seconds, where Retry is later; 0: soon.
	After int64
	// Policy and Rule are what decided; for verified callers only.
	Policy, Rule string
}

// AppendMembers appends the machine-readable part, as JSON members without
// braces: code, reason, request_id, retry, policy, rule.
func (d Denial) AppendMembers(dst []byte) []byte {
	dst = append(dst, `"code":`...)
	dst = strictjson.AppendString(dst, d.Code)
	dst = appendMember(dst, `,"reason":`, d.Reason)
	dst = appendMember(dst, `,"request_id":`, d.RequestID)
	dst = appendMember(dst, `,"retry":`, d.Retry)
	dst = appendMember(dst, `,"policy":`, d.Policy)
	return appendMember(dst, `,"rule":`, d.Rule)
}

func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return strictjson.AppendString(append(dst, name...), value)
}

// AppendStatus appends the status as a number.
func (d Denial) AppendStatus(dst []byte) []byte {
	return strconv.AppendInt(dst, int64(d.Status), 10)
}
