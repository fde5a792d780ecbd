// Package resolve is the guard's resolver: what Check asks before it allows a
// destination, and what Envoy asks, over DNS on loopback, before it dials it.
// Both get one answer, so that the addresses that were judged are the
// addresses that are dialled.
//
// Names enter; an Answer leaves, all of whose addresses are open, or an error:
// *egress.Refusal (in a *Refused) where a name or one of its addresses may not
// be reached, *Failure where nothing is known. One closed address refuses the
// whole answer. Names of egress.hosts are answered by the configuration and
// never asked of anybody; private names are neither.
//
// A Resolver is asked by any number of goroutines. Apply may change what it
// goes by at any time: what is cached is judged again, by whom it is asked
// next. A Server answers only names that were approved, and nothing else is
// ever forwarded: a query for any other name would already tell the world
// something.
package resolve
