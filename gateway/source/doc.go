// Package source says what wanted objects are and how a set of them changes.
// It is shared by everything that objects can come from: files now, the
// Kubernetes API later.
//
// What enters is decoded, validated and defaulted by package schema. What
// leaves is a sequence of Deltas: the first is complete, each later one is a
// change to what came before. Objects are immutable once they are in a Delta;
// an object whose content did not change keeps its pointer.
//
// The package holds data only. A Set is for one goroutine.
package source
