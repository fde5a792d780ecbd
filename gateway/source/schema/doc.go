// Package schema says of an object what the API server would say: unknown
// fields, types, formats, list keys, validation rules, names; and it fills in
// defaults. A generic JSON object and its kind enter; a typed object leaves,
// or findings, each with the path of a field and how to mend it.
//
// The schemas of CRDs (Gateway API, experimental channel, and our own) are
// embedded and compiled on first use, one kind at a time; kinds of Kubernetes
// itself have theirs derived from the Go types, and checks in code. A Checker
// is safe for concurrent use.
//
// It is stricter than the API server in one way: a null in spec is an error.
// The server drops it, and a rule of a policy that loses a field that way says
// more than was meant.
package schema

//go:generate go run ./generate -root ../../..
