// Package budget counts what principals use of what rules give them in a
// window of time: bytes that they send, and names that they go to.
//
// In come hops as they are decided, the bytes that they carry while they live,
// and their ends; out goes whether there is room for them, and a word to those
// that live when there is none left. Counts are kept by slices of a window, of
// which the oldest is forgotten as a new one begins: what was used is counted
// for a window at least, and a twelfth of it more at most.
//
// Where there is a file, it counts what is used before that is: whoever kills the
// process gets nothing back. Nobody waits for it for long: what it does not have
// in time is refused.
//
// Everything here is safe for concurrent use. Memory is bounded: there are at
// most so many accounts, each has at most as many names as it may have, and all
// take no more in the file than can be read again.
package budget
