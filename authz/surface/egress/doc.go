// Package egress says where a hop wants to go, in one canonical form, and
// whether that place can be reached at all, before any policy is asked.
//
// An authority, a path, an address or a name as a client wrote it enters; a
// Destination, a canonical path, a Class or a Verdict leaves, or a Refusal. A
// spelling that two readers could understand in two ways is refused, not
// repaired; case and one trailing dot are all that is mended. What is accepted
// is a fixed point: read again, it gives the same.
//
// Space is what the addresses of this gateway are judged by, Plan what a whole
// destination is: both are made once for each feed, never change, and may be
// shared by any number of goroutines. Nothing here does I/O: names are
// resolved by package resolve.
package egress
