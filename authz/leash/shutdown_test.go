package leash

import (
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
		{"live", func(r *rig, h *Hop) { r.Open(h.ID, func(Cut) {}) }, audit.EndShutdown},
		{"cut, and the log has not come", func(r *rig, h *Hop) {
			r.Open(h.ID, func(Cut) {})
			r.Cut(h.ID, Cut{Code: "expired", Detail: wire.DetailExpired})
			r.Closed(h.ID)
		}, audit.EndExpired},
		{"logged, and the hold has not closed", func(r *rig, h *Hop) {
			r.Open(h.ID, func(Cut) {})
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
