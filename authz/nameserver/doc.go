// Package nameserver answers workloads that ask for names.
//
// Views enter: for each Gateway that says so a socket, the clients that may ask
// there, the names that its policies list, and the resolver that Check and
// Envoy go by too. Answers leave, over UDP and TCP: A, AAAA and HTTPS of listed
// names, all of whose addresses are open. Everything else is refused, and asked
// of nobody: a query for it would already tell the world something.
//
// A name is something that a workload can send to whoever owns the domain. So
// each client has a rate, and a number of names that it may try under a glob; a
// refusal is recorded, once for a client and name in a while. All that is kept
// of clients is bounded. Who is not among the clients is not answered at all.
//
// A Pool is safe for concurrent use. Apply never waits: what it closes is closed
// when it returns, and sockets are opened by Run, which tries again.
package nameserver
