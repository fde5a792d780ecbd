// Package network makes networks in which every address there is answers on
// loopback, so that a machine stands for the Internet. In go jobs that open
// sockets and start processes; those are in the network for as long as they
// live, whoever uses them. It takes Linux, and root.
//
// A Network is safe for concurrent use; its jobs are done one after the other.
package network
