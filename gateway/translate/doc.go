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
// What is decided here, where Gateway API leaves it open:
//
//   - A Gateway has one address. A port that two Gateways want is the oldest
//     one's, then that of the first by name.
//   - The XBackends of a Proxy listener are those of its Gateway's namespace
//     that have a surface other than plain HTTP, or a Credential. Of two with
//     one host name and port the oldest is the destination.
//   - An XBackend has a cluster for each way its host name is resolved: by
//     public space, by insideRanges too, by the hosts of a GatewayConfig.
//   - Two TrustDomains of one audience are both not believed on a listener that
//     is to believe both.
//   - A host of egress.hosts that is wrong is still answered, with nothing.
//   - A policy that names a section which is not there denies on the whole
//     object; one that names no target, or an unreadable one, on all of its
//     namespace.
//   - With Config.BuiltIn, a policy without targets and a route without parents,
//     of any namespace, mean the built-in Gateway, where there is one.
//
// There is no I/O, and no clock but the argument of Apply. A Translator is for
// one goroutine; what it returns is never changed afterwards.
package translate
