// Package incr computes units again when something that they read has changed,
// and only then.
//
// A unit is a pure function of what it reads. It reads through a Run, which
// writes down every read; it leaves facts for units of later phases, and values
// in sinks. The phases are in order: a unit never reads what its own phase or a
// later one says. So each unit is computed at most once in a run, and the
// result is the same as that of computing everything from nothing.
//
// Values that did not change keep their pointer, and touch nobody. Nothing here
// is safe for concurrent use.
package incr
