// Package translate turns what users wrote into what is served: objects enter,
// a graph.Graph for Envoy, a feedv1.Snapshot for the guards, and the status of
// every object leave.
//
// The work is cut into units, each a pure function of one owner object and of
// what it reads of others (package incr writes that down). A change computes
// the units again that have read it; all else is shared with the result
// before, by pointer. The phases, in order, are in phases.go: a unit reads
// objects, and facts that earlier phases have set.
//
// Each kind has a file, and what is not understood is closed: a rule with a
// value that is not supported answers 500, a listener that conflicts does not
// listen, a policy that is not accepted denies what it guards. A broken object
// never takes down another.
//
// There is no I/O, and no clock but the argument of Apply. A Translator is for
// one goroutine; what it returns is never changed afterwards.
package translate
