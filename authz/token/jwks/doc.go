// Package jwks holds the keys that verify tokens: JWK Sets (RFC 7517), and the
// sources that they come from.
//
// Bytes of a set, a file or a URL enter; immutable Sets of public keys leave.
// A source goes on serving the last good set while its file or URL is gone,
// for as long as it may, and says so. Nothing that a token says ever becomes
// a URL.
//
// Sources owns the goroutines that load. A Source is asked by any number of
// goroutines; View never waits.
package jwks
