package leash

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// TestTooManyHopsMeanNo: those that are held, and those that go without.
func TestTooManyHopsMeanNo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Max: 2})
		h := r.enter(t, 1, 0)
		r.Open(h.ID, false, never(t))
		if err := r.Enter(&Hop{ID: idOf(2)}); err != nil {
			t.Fatal(err)
		}
		for _, held := range []bool{true, false} {
			if err := r.Enter(&Hop{ID: idOf(3), Held: held}); !errors.Is(err, ErrFull) {
				t.Errorf("Enter = %v, want ErrFull", err)
			}
		}
		if r.Len() != 2 {
			t.Errorf("%d hops, want the two that fit", r.Len())
		}
		r.Logged(idOf(2), Logged{Details: "via_upstream"})
		r.enter(t, 3, 0)
		r.Closed(h.ID)
		r.Logged(h.ID, Logged{Details: "via_upstream"})
		r.Logged(idOf(3), Logged{ClientLeft: true})
		r.wantEnds(t, audit.EndDone, audit.EndDone, audit.EndClientLeft)
		if n := r.all.Load(); n != 0 {
			t.Errorf("%d hops are counted, and none is there", n)
		}
	})
}

// TestAnIDIsUsedOnce: bits that are not random would hand one hop to another.
func TestAnIDIsUsedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.enter(t, 1, 0)
		for _, held := range []bool{true, false} {
			if err := r.Enter(&Hop{ID: h.ID, Held: held}); !errors.Is(err, ErrTwice) {
				t.Errorf("Enter = %v, want ErrTwice", err)
			}
		}
		if got, ok := r.Open(h.ID, false, never(t)); !ok || got != h {
			t.Error("the first hop is not the one that is held")
		}
		r.Closed(h.ID)
		r.Logged(h.ID, Logged{Details: "via_upstream"})
		r.wantEnds(t, audit.EndDone)
	})
}

// TestAHoldThatEnvoyCouldNotOpen is told by Envoy's words, before the time for
// it is over.
func TestAHoldThatEnvoyCouldNotOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(r *rig, h *Hop)
		want audit.End
	}{
		{"never opened", func(r *rig, h *Hop) {
			r.Logged(h.ID, Logged{Details: "ext_proc_error_gRPC_error_14{upstream_reset}", Status: 503})
		}, audit.EndHoldMissing},
		{"opened and broken", func(r *rig, h *Hop) {
			r.Open(h.ID, false, func(Cut) {})
			r.Closed(h.ID)
			r.Logged(h.ID, Logged{Details: "ext_proc_error_gRPC_error_14{upstream_reset}", Status: 503})
		}, audit.EndLost},
		{"opened and broken while it was answered", func(r *rig, h *Hop) {
			r.Open(h.ID, false, func(Cut) {})
			r.Closed(h.ID)
			r.Logged(h.ID, Logged{Details: "ext_proc_error_gRPC_error_13{upstream_reset_after_response_started{connection_termination}}", Status: 200})
		}, audit.EndLost},
		{"not opened, for the client had left", func(r *rig, h *Hop) {
			r.Logged(h.ID, Logged{Details: "downstream_remote_disconnect"})
		}, audit.EndClientLeft},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				tt.do(r, r.enter(t, 1, time.Hour))
				r.wantEnds(t, tt.want)
			})
		})
	}
}

func TestHowOfWordsOfEnvoy(t *testing.T) {
	t.Parallel()
	for details, want := range map[string]audit.End{
		"downstream_local_disconnect(idle)":                         audit.EndClientLeft,
		"http2.remote_reset":                                        audit.EndClientLeft,
		"http2.remote_refuse":                                       audit.EndClientLeft,
		"upstream_reset_after_response_started{http2.remote_reset}": audit.EndUpstreamReset,
		"upstream_per_try_timeout":                                  audit.EndTimeout,
		"max_duration_timeout":                                      audit.EndTimeout,
		"stream_idle_timeout":                                       audit.EndTimeout,
		"request_overall_timeout":                                   audit.EndTimeout,
		wire.DetailDeadline:                                         audit.EndExpired,
		"":                                                          audit.EndDone,
	} {
		if got := howOf(Cut{}, &Logged{Details: details, Status: 200}); got != want {
			t.Errorf("howOf(%q) = %s, want %s", details, got, want)
		}
	}
}
