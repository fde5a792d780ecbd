package leash

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
)

// TestACondemnedHop is recorded as cut, also where it ends before it is told.
func TestACondemnedHop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, time.Hour)
		var told []Cut
		r.Open(h.ID, false, func(c Cut) { told = append(told, c) })
		tell := r.Condemn(h.ID, revoked())
		if tell == nil || len(told) != 0 {
			t.Fatalf("it was told %v before it was to be", told)
		}
		if r.Condemn(h.ID, revoked()) != nil || r.Cut(h.ID, revoked()) {
			t.Error("it is condemned twice")
		}
		if _, ok := r.Live(h.ID); ok {
			t.Error("something new may begin inside of it")
		}
		r.Closed(h.ID)
		r.Logged(h.ID, Logged{ClientLeft: true, Details: "downstream_remote_disconnect"})
		r.wantEnds(t, audit.EndRevoked)
		if tell(); len(told) != 1 {
			t.Errorf("it was told %v", told)
		}
	})
}
