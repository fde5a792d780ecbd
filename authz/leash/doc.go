// Package leash holds hops from the answer of Check to their end: the
// register of live streams, the side stream (ext_proc) by which Envoy holds
// each of them and by which it can be cut, and the access log that tells how
// it ended.
//
// A hop is entered as pending before Envoy is told that it may pass. Its hold
// opens once; then it is live, with a timer of its own, so that neither a
// retry nor a lost deadline header can lengthen it. It ends once, when its
// hold has closed and Envoy has logged it, whichever comes last.
//
// Everything here is safe for concurrent use.
package leash
