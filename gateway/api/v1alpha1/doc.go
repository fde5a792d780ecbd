// Package v1alpha1 holds hopgate's own resource types, group hopgate.dev.
//
// They are data and nothing else: no I/O, no defaults computed in code (the
// defaults are in the schema, applied where objects enter), no Envoy types.
// Unions carry a type field, enums are open strings: a reader that does not
// know a value denies.
//
// +kubebuilder:object:generate=true
// +groupName=hopgate.dev
package v1alpha1
