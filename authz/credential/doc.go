// Package credential holds the secrets that the gateway puts on requests, so
// that agents never hold them. Where each is comes with the feed; the secret
// itself is read here, from the guard's environment or from a file, and leaves
// only as a header of one answer of Check. It never shows itself in a log or
// in an error.
//
// A Holder is safe for concurrent use. Run reads files again, so that a secret
// that was rotated is used without a restart.
package credential
