// Package word says the last word of a stream that is ended early: an event for
// a stream of events (SSE), a close frame for a WebSocket.
//
// The bytes of an answer pass by; where a word can stand between them, and how
// it is written, leaves. It is pure, and keeps a few bytes for a stream.
package word
