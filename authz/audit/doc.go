// Package audit keeps the record of what was decided and how it ended.
//
// It owns one file of JSON lines. What enters are Records: one when a hop is
// decided, one when it ends. What leaves are lines that are chained (seq,
// prev) and signed at checkpoints, so that Verify finds the first place where
// one was changed, left out, moved or added; trees of whole transactions
// (Builder); and single lines for a console (Live).
//
// Everything an agent can choose is hostile here. Text is escaped so that it
// cannot end a line, move a cursor, hide or reorder what stands beside it;
// each field has a limit; tokens, headers, query strings and bodies have no
// field at all.
//
// Log is safe for use by many goroutines. One goroutine (Run) owns the file.
// Append encodes in the goroutine that calls it and keeps nothing of the
// Record, so its strings may be views of a request. A queue of bounded size
// lies between: when it is full, or when a record that must be durable cannot
// be, Append says so and the caller denies the hop.
package audit
