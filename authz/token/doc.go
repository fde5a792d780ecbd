// Package token says whether a Txn-Token (draft-ietf-oauth-transaction-tokens-11)
// is believed, and makes tokens for development.
//
// A token enters as text, claims leave that are shared and never change, or a
// Rejection with a stable reason. The strict parser comes first: what two
// readers could understand in two ways is refused before any signature is
// looked at. A verification is remembered, a decision never is.
//
// A Verifier is asked by any number of goroutines. Its key sources load in Run.
package token
