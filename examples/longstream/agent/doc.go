// Package agent is a small agent that knows nothing of hopgate: it holds a
// tool's stream (MCP over server-sent events) and a WebSocket, with a
// transaction token on each request, and tells how each of them ended.
//
// An Agent is for one goroutine, its Streams for any.
package agent
