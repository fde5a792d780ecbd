// Package world is what the example's agent finds outside: two curated
// registries, and one that nobody has approved. They listen on loopback.
package world
