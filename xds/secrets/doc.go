// Package secrets mints the certificates that intercepted TLS is answered
// with, and serves them to Envoy. In go a CA and the names that a decision has
// just approved; out go leaves of hours, by delta SDS. A name that nobody
// approved gets none, whoever asks for it, so that a storm of names costs a
// refusal each and keeps nothing.
//
// Leaves and Server are safe for concurrent use. Keys never show themselves in
// logs or in formatted text.
package secrets
