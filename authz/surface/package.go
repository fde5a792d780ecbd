package surface

import "time"

// Package is what a request to a registry asks for, beside its name.
type Package struct {
	// Version is a version, tag or revision; empty: there is none.
	Version string
	// File is the name of a file, where the protocol has files by name.
	File string
	// Pinned: what is asked for can never be something else.
	Pinned bool
	// Aged is true once somebody has looked how old the release is, and then Age
	// says it.
	Aged bool
	Age  time.Duration
}
