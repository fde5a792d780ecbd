// Package testcorpus reads attempts to get out of a gateway, one a line, and
// says what each is about: where it wants to go, by what, and under which
// rules. A row is to fare alike wherever it is tried: at the functions that
// read hosts and paths, at a decision, and at a real Envoy.
//
// The rules of a row are a short sentence. Read makes of it what a fixture is
// built from, and says of what it does not understand that it does not.
package testcorpus
