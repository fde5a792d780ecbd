package testenv

import (
	"testing"
	"time"
)

// patience is how long a condition may take on a busy machine.
const patience = 20 * time.Second

// Wait waits for a condition, and fails the test when it does not come.
func Wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	WaitFor(t, patience, what, ok)
}

// WaitFor is Wait for what is much, and may take longer.
func WaitFor(t testing.TB, patience time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for: %s", patience, what)
		}
		<-tick.C
	}
}
