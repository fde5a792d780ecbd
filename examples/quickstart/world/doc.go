// Package world is what the example's agent finds outside: a tool server, a
// model provider, a web server with TLS, and a DNS. They listen on loopback.
package world
