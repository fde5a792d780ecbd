package leash

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
)

// TestAWebSocketThatSaysGoodbye is recorded as one that ended, though its
// connection just stops, which looks to Envoy as if somebody broke it off.
func TestAWebSocketThatSaysGoodbye(t *testing.T) {
	t.Parallel()
	const broken = "upstream_reset_after_response_started{connection_termination}"
	for _, tt := range []struct {
		name, said string
		log        Logged
		want       audit.End
	}{
		{"by its server", "\x81\x02hi\x88\x02\x03\xe8", Logged{Details: broken, Status: 101}, audit.EndDone},
		{"and its client is quicker", "\x88\x02\x03\xe8", Logged{Details: "downstream_remote_disconnect", Status: 101}, audit.EndDone},
		{"and lives for too long", "\x88\x02\x03\xe8", Logged{Details: "upstream_max_stream_duration_reached", Status: 101}, audit.EndExpired},
		{"not at all", "\x81\x02hi", Logged{Details: broken, Status: 101}, audit.EndUpstreamReset},
		{"only in a message", "\x81\x04\x88\x02\x03\xe8", Logged{Details: broken, Status: 101}, audit.EndUpstreamReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				hop := r.enterRelay(t, 1, time.Hour, true)
				h := r.relayed(t, hop, headers(":status", "101"), piece(tt.said, false))
				if err := h.close(); err != nil {
					t.Errorf("Process = %v", err)
				}
				r.Logged(hop.ID, tt.log)
				r.wantEnds(t, tt.want)
			})
		})
	}
}
