// Package h2 is a client of HTTP/2 in cleartext that holds very many streams on
// few connections, and says of each when it began, and when and how it ended.
// One goroutine reads a connection and takes all that comes; a stream has none.
package h2
