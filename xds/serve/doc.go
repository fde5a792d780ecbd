// Package serve brings Envoys to a desired set of resources over delta ADS,
// safely. In go complete sets of resources, each built of parts that have one
// owner each; out go responses to each connected Envoy, and to an Observer
// what became of each owner's parts.
//
// What holds:
//
//   - One resource is in each response, so that a refusal names it. What is
//     refused is parked by the hash of its content for all Envoys, also after
//     a reconnect, until its content changes or Retry is called. It is
//     forgotten with the resource, and with the server.
//   - What cannot be built, is not valid, or was refused leaves the last good
//     version serving. Of a resource with many parts only those at fault are
//     left behind: they are found by halving, at one Envoy, while what was
//     accepted so far is kept.
//   - Updates go in the order clusters, endpoints, secrets, filters,
//     listeners, routes. A listener or route table waits for clusters that are
//     new to the Envoy, for a bounded time. A resource is removed when nothing
//     that the Envoy has refers to it since a while; a listener at once.
//   - A name that is asked for is answered at once, also when there is nothing
//     by it.
//   - An Envoy that reads slowly gets the newest only: there is one unanswered
//     response for each resource at most.
//
// The state is a catalogue of entries (what should be) and a stream for each
// Envoy (what it has), machines without goroutines, clocks or I/O. Server
// drives them under one lock, which is not held while anything is sent or the
// observer is called. Each stream has its handler's goroutine, which sends,
// and one that reads; both end with the gRPC stream. Run's goroutine calls the
// observer.
package serve
