// Package rules holds the rules of the house as tests: which way imports
// flow, what a package must say of itself, how large things may grow.
package rules
