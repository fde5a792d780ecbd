// Package mcp reads the requests that go to an MCP server (Model Context
// Protocol, streamable HTTP, revisions 2025-03-26 to 2026-07-28) and writes
// the answers that refuse them.
//
// A request's method, a few headers and its body enter; the JSON-RPC method,
// the name it works on, the arguments of a call and the id that an answer must
// quote leave, or a surface.Unreadable. Whatever some server could read as
// another call than the one told here is refused: the body is judged once, by
// this package, and read again behind it, by a reader that may be sloppy.
//
// Nothing here does I/O. A Request is used by one goroutine at a time, and
// again and again.
package mcp
