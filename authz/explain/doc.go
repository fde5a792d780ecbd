// Package explain says why a hop is decided as it is: a hop as a person writes
// it, or as the record has it, enters, with a configuration; each level, each
// rule and each condition with its value leave. It is pure, and asks the
// engine that decides: what it tells and what happens cannot differ.
package explain
