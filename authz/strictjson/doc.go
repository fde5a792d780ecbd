// Package strictjson reads JSON (RFC 8259) from callers who may lie: tokens
// and request bodies that decide what is allowed.
//
// A body enters as bytes and leaves as a Doc: a flat list of nodes that point
// into those bytes, made in one pass that also validates. What two readers
// could understand in two ways is refused: duplicate keys (after unescaping),
// invalid UTF-8, lone surrogates, a byte order mark, anything behind the value,
// numbers that a float64 cannot hold. All that encoding/json of the standard
// library would refuse is refused too, so that a body which is accepted here
// means the same to any reader that keeps to the RFC.
//
// Work and memory are linear in the body, whatever it holds; Limits bound
// both. A Doc that is used again allocates nothing.
//
// A Doc is not safe for concurrent use while it parses. Values only read, and
// may be read by many goroutines until the next Parse or Reset.
package strictjson
