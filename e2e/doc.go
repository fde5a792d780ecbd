// Package e2e holds tests of the whole: real Envoy, real clients, real files.
// It has no code of its own.
package e2e
