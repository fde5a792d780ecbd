package main

import "testing"

// TestValuesThatNameNothing are refused before any gateway is asked.
func TestValuesThatNameNothing(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"abcdef0123456789": true, "ABCDEF0123456789": false, "abcdef012345678": false, "abcdef01234567890": false, "zz": false, "": false,
	} {
		if got := tokenName(name); got != ok {
			t.Errorf("tokenName(%q) = %v", name, got)
		}
	}
}
