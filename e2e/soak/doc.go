// Package soak holds a test that has streams of every kind come and go for a
// long time, through the real Envoy, and looks for what is left behind. It has
// no code of its own.
package soak
