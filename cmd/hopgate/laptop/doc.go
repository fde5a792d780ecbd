// Package laptop wires the whole product into one process with Envoy as its
// child: a file source, translation, xDS, and the guard. It is what
// `hopgate run` is, and what tests of the data path stand on; there is no
// second implementation of anything in it.
package laptop
