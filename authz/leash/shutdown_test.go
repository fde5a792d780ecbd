package leash

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

func TestShutdownEndsWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(r *rig, h *Hop)
		want audit.End
	}{
		{"pending", func(*rig, *Hop) {}, audit.EndShutdown},
		{"live", func(r *rig, h *Hop) { r.Open(h.ID, false, func(Cut) {}) }, audit.EndShutdown},
		{"cut, and the log has not come", func(r *rig, h *Hop) {
			r.Open(h.ID, false, func(Cut) {})
			r.Cut(h.ID, Cut{Code: "expired", Detail: wire.DetailExpired})
			r.Closed(h.ID)
		}, audit.EndExpired},
		{"logged, and the hold has not closed", func(r *rig, h *Hop) {
			r.Open(h.ID, false, func(Cut) {})
			r.Logged(h.ID, Logged{Details: "via_upstream", Status: 200})
		}, audit.EndDone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				h := r.enter(t, 1, time.Hour)
				tt.do(r, h)
				r.Shutdown()
				r.Shutdown()
				r.Closed(h.ID)
				r.wantEnds(t, tt.want)
			})
		})
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, time.Hour)
		r.Open(h.ID, false, func(Cut) {})
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r.Settle(ctx)
		if d := time.Since(begun); d != time.Second {
			t.Errorf("waited %s for a hop that does not end, want 1s", d)
		}
		time.AfterFunc(300*time.Millisecond, func() { r.Closed(h.ID); r.Logged(h.ID, Logged{Details: "via_upstream"}) })
		r.Settle(t.Context())
		if d := time.Since(begun); d > 1400*time.Millisecond {
			t.Errorf("waited %s after the last hop had ended", d-1300*time.Millisecond)
		}
		r.wantEnds(t, audit.EndDone)
	})
}
