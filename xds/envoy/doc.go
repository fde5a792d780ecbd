// Package envoy turns the graph into Envoy's own configuration: pure
// functions from plain data to protos, one file for each listener shape,
// filter or resource. It does no I/O and keeps nothing.
//
// What is emitted follows one rule: a listener never changes while it lives.
// The connection manager of each kind of listener is a constant, routes come
// by RDS, filters by ECDS, and policy is not in Envoy at all.
package envoy
