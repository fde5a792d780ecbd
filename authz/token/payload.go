package token

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hopgate/hopgate/authz/strictjson"
)

// Bounds of a payload.
const (
	payloadDepth = 16
	payloadNodes = 4096
	// maxName is the longest identity or id, in bytes.
	maxName = 1024
	// maxActors is the longest chain of actors.
	maxActors = 32
	// maxTime is the last second of the year 9999 (RFC 3339).
	maxTime = 253402300799
)

// readPayload parses a payload, and refuses names that a reader which does
// not look at case would take for a claim: SUB beside sub.
func readPayload(raw []byte, d *strictjson.Doc) *Rejection {
	if err := d.Parse(raw, strictjson.Limits{Depth: payloadDepth, Nodes: payloadNodes}); err != nil {
		return &Rejection{ReasonMalformed, "its payload cannot be read: " + err.Error()}
	}
	if d.Root().Kind() != strictjson.Object {
		return &Rejection{ReasonMalformed, "its payload is not an object"}
	}
	return exact(d.Root(), claimNames[:])
}

// claimNames are the claims that are read.
var claimNames = [...]string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "txn", "scope", "req_wl", "tctx", "rctx", "act", "agentic_ctx", "cnf", "jti",
}

// exact refuses members of v that differ by case alone from one of these
// names, which are in lower case.
func exact(v strictjson.Value, names []string) *Rejection {
	for name := range v.Members() {
		var b [maxKnown]byte
		f := fold(b[:0], name)
		if string(f) == name {
			continue // in lower case it is what it is, known or not
		}
		for _, n := range names {
			if n == string(f) {
				return &Rejection{ReasonMalformed, "it has a member that differs from " + n + " by case alone"}
			}
		}
	}
	return nil
}

// maxKnown is at least as long as every name that is known.
const maxKnown = 16

// fold appends name in the lower case that every reader could take it for
// which does not look at case: two letters beyond ASCII are a k and an s to
// them (Unicode simple case folding). Nil: it has no such form that could be
// known. It makes nothing on the heap: also who has signed nothing gets here.
func fold(b []byte, name string) []byte {
	for _, r := range name {
		switch {
		case len(b) == maxKnown:
			return nil
		case 'A' <= r && r <= 'Z':
			b = append(b, byte(r)+'a'-'A')
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r == '\u212a': // Kelvin sign
			b = append(b, 'k')
		case r == '\u017f': // long s
			b = append(b, 's')
		default:
			return nil
		}
	}
	return b
}

// audience is aud: a text, or an array of one (RFC 7519 section 4.1.3). A token
// for several trust domains is for none.
func audience(v strictjson.Value) (string, *Rejection) {
	aud, ok := v.Member("aud")
	if !ok {
		return "", missing("aud")
	}
	if aud.Kind() == strictjson.Array && aud.Len() == 1 {
		for only := range aud.Elems() {
			aud = only
		}
	}
	s, ok := aud.Text()
	if !ok || s == "" {
		return "", &Rejection{ReasonMissingClaim, "aud is not one text"}
	}
	return s, nil
}

func missing(name string) *Rejection { return &Rejection{ReasonMissingClaim, name + " is missing"} }

// members read members of an object, and keep the first that is not as it
// must be.
type members struct {
	v strictjson.Value
	// in is where the object is, with a dot behind; empty: it is the payload.
	in  string
	rej *Rejection
}

func (m *members) wrong(detail string) {
	if m.rej == nil {
		m.rej = &Rejection{ReasonMissingClaim, m.in + detail}
	}
}

// inside reads the members of v, which is one of m's, and of which no other
// reader may take one for another.
func (m *members) inside(v strictjson.Value, name string, read func(*members), known ...string) {
	at := members{v: v, in: m.in + name + ".", rej: m.rej}
	if at.rej == nil {
		at.rej = exact(v, known)
	}
	read(&at)
	m.rej = at.rej
}

// text is a member that must be a text of a bounded length, and not empty. What
// is returned does not keep the payload alive.
func (m *members) text(name string) string {
	v, ok := m.v.Member(name)
	if !ok {
		m.wrong(name + " is missing")
		return ""
	}
	s, ok := v.Text()
	if !ok || s == "" || len(s) > maxName {
		m.wrong(name + " is not a text of 1 to 1024 bytes")
		return ""
	}
	return strings.Clone(s)
}

// optional is text, where the member may be missing.
func (m *members) optional(name string) string {
	if _, ok := m.v.Member(name); !ok {
		return ""
	}
	return m.text(name)
}

// time is a member that must be a NumericDate (RFC 7519 section 2) in whole
// seconds.
func (m *members) time(name string) time.Time {
	v, ok := m.v.Member(name)
	if !ok {
		m.wrong(name + " is missing")
		return time.Time{}
	}
	s, ok := v.Int()
	if !ok || s <= 0 || s > maxTime {
		m.wrong(name + " is not a number of whole seconds")
		return time.Time{}
	}
	return time.Unix(s, 0)
}

// object is a member that must be an object where it is there.
func (m *members) object(name string) (strictjson.Value, bool) {
	v, ok := m.v.Member(name)
	if ok && v.Kind() != strictjson.Object {
		m.wrong(name + " is not an object")
		return strictjson.Value{}, false
	}
	return v, ok
}

// scopes is scope: words with one space between them (RFC 6749 section 3.3).
func (m *members) scopes() []string {
	v, ok := m.v.Member("scope")
	if !ok {
		m.wrong("scope is missing")
		return nil
	}
	s, ok := v.Text()
	if !ok || s == "" {
		m.wrong("scope is not a text")
		return nil
	}
	words := strings.Split(strings.Clone(s), " ")
	for _, w := range words {
		if !scopeToken(w) {
			m.wrong("scope is not words of visible ASCII with one space between them")
			break
		}
	}
	return words
}

// scopeToken reports whether w is one word of a scope. A tab, or a space of
// another alphabet, would make two of it for some readers.
func scopeToken(w string) bool {
	for i := range len(w) {
		if w[i] <= ' ' || w[i] > '~' || w[i] == '"' || w[i] == '\\' {
			return false
		}
	}
	return w != ""
}
