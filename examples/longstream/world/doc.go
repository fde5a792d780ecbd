// Package world is what the example's agent finds outside: a tool server and a
// feed. They listen on loopback.
package world
