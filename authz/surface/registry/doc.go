// Package registry reads requests to package registries: which protocol's
// operation, on which package, which version, pinned by which digest.
//
// It knows the index protocols of Python (PEP 503, 658, 691), npm, Go modules,
// Cargo, Debian archives, OCI distribution and the Hugging Face hub. Reading is
// strict: a path has one meaning, or none. What a protocol has beside indexes
// and files (publishing, logging in, searching) is told apart only to say what
// it is, and all that is not known is Other. Nothing of that is ever allowed.
//
// Names are canonical: two spellings that a registry takes for one package are
// one name here, or the second is refused. There is no I/O, and no clock.
package registry
