package mcp

import "strings"

// maxMethod is the longest method that a rule can list, in bytes.
const maxMethod = 128

// subject says where a method's params name what it works on.
type subject uint8

const (
	none subject = iota
	byName
	byURI
	byRef
	byTask
)

// shape is how a method of clients is to be read.
type shape struct {
	name string
	base bool
	// asks: an answer is awaited, so that it needs an id; tells: none is.
	asks, tells bool
	subject     subject
	args        bool
}

// needs reports whether the message has an id where the method may have none,
// or the other way round. What is not known may be either.
func (m shape) needs(k Kind) bool {
	return m.asks && k != Call || m.tells && k != Notification
}

// lookup returns the shape of a method; false when that is no method's name.
// The revisions differ in which of these a server knows, not in what they
// mean.
func lookup(method string) (shape, bool) {
	switch method {
	// Lifecycle and listing: they do nothing by themselves.
	case "initialize", "ping", "server/discover",
		"tools/list", "resources/list", "resources/templates/list", "prompts/list", "tasks/list",
		"subscriptions/listen":
		return shape{name: strings.Clone(method), base: true, asks: true}, true
	case "logging/setLevel":
		return shape{name: "logging/setLevel", asks: true}, true
	case "tools/call":
		return shape{name: "tools/call", asks: true, subject: byName, args: true}, true
	case "prompts/get":
		return shape{name: "prompts/get", asks: true, subject: byName, args: true}, true
	case "resources/read":
		return shape{name: "resources/read", asks: true, subject: byURI}, true
	case "resources/subscribe":
		return shape{name: "resources/subscribe", asks: true, subject: byURI}, true
	case "resources/unsubscribe":
		return shape{name: "resources/unsubscribe", asks: true, subject: byURI}, true
	case "completion/complete":
		return shape{name: "completion/complete", asks: true, subject: byRef}, true
	// Tasks, of revision 2025-11-25 and of the extension to 2026-07-28.
	case "tasks/get", "tasks/result", "tasks/cancel", "tasks/update":
		return shape{name: strings.Clone(method), asks: true, subject: byTask}, true
	// The words for what has no method.
	case MethodStream, MethodEnd, MethodResponse:
		return shape{}, false
	}
	if !plainMethod(method) {
		return shape{}, false
	}
	tells := strings.HasPrefix(method, "notifications/")
	return shape{name: strings.Clone(method), base: tells, tells: tells}, true
}

// plainMethod reports whether s can be a method's name: letters, digits and
// the few signs that separate them.
func plainMethod(s string) bool {
	if s == "" || len(s) > maxMethod {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("/._-$:", c) < 0 {
			return false
		}
	}
	return true
}

// IsBase reports whether a method, or one of the words for what has none, is
// one of the base methods.
func IsBase(method string) bool {
	switch method {
	case MethodStream, MethodEnd, MethodResponse:
		return true
	}
	m, ok := lookup(method)
	return ok && m.base
}
