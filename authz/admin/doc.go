// Package admin is the door by which a person looks at live streams, revokes
// and quarantines: HTTP with JSON on a unix socket, for who knows a random
// bearer. Nothing that is decided can reach it.
//
// The socket stands in a private folder; where it is and the bearer stand in
// a file of the state folder that its owner alone can read.
package admin
