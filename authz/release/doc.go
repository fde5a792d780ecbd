// Package release finds when what a package registry has was published.
//
// The index of the registry is asked, by the gateway itself and through the
// same judgement of addresses as any hop: whoever published a release cannot
// choose what is said there. Only protocols whose index says it so are asked
// (pypi by PEP 700, npm, cargo). What is not said, is said of another file, or
// cannot be read, is not known.
//
// What was read is kept for some minutes, one list for each package, of a
// bounded number. Requests for one list are joined, and few run at once. Whoever
// asks waits for a bounded time; the answer is fetched to its end all the same,
// so that who asks again finds it. A Reader may be used by many goroutines.
package release
