// Package firstflight reads the first flight of each tunnel whose TLS passes: what
// Envoy's own inspector does not look at in a ClientHello, the guard does
// (docs/design/002-ech.md).
//
// Envoy's network filter ext_proc sends what a client began with, before any of
// it has gone further, and the id of the hop; what leaves is the same bytes,
// with which Envoy goes on by itself, or an alert of TLS and the end. A hop that
// is refused is condemned in the register, so that it is recorded with its
// reason. Server keeps no state but the register's, and is safe for concurrent
// use.
package firstflight
