// Package guard is the process beside Envoy: it joins the decision point, the
// register of live streams, the resolver, the token verifier and the record
// into one service on one unix socket.
//
// A feed snapshot enters by Apply; Envoy's questions enter by the socket;
// records leave by the audit log. Nothing else reaches it: the socket answers
// one process alone, and nothing that decides listens on TCP.
package guard
