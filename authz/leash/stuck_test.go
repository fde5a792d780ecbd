package leash

import (
	"testing"
	"testing/synctest"
	"time"

	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// stuckStream takes no message until it is let go.
type stuckStream struct {
	grpc.ServerStream
	let  chan struct{}
	sent chan any
}

func (s *stuckStream) SendMsg(m any) error {
	<-s.let
	s.sent <- m
	return nil
}

// TestACutDoesNotWait for what is being sent on its hold, and is said after it.
func TestACutDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		stuck := &stuckStream{let: make(chan struct{}), sent: make(chan any, 2)}
		s := &side{stream: stuck}
		hop := r.enter(t, 1, 0)
		r.Open(hop.ID, false, func(c Cut) { s.endSoon(immediate(Reply{Status: 403}, c.Detail)) })
		go func() { _ = s.send(&procv3.ProcessingResponse{}) }()
		synctest.Wait() // it is being sent
		begun := time.Now()
		if !r.Cut(hop.ID, Cut{Code: "x", Detail: wire.DetailRevoked}) || time.Since(begun) > 0 {
			t.Error("the cut was not made, or waited")
		}
		close(stuck.let)
		synctest.Wait()
		if len(stuck.sent) != 2 {
			t.Errorf("%d messages were sent, want the one that was stuck, and the end", len(stuck.sent))
		}
		if err := s.send(&procv3.ProcessingResponse{}); err != nil || len(stuck.sent) != 2 {
			t.Errorf("after the end something more is sent: %v", err)
		}
		r.Closed(hop.ID)
		r.Logged(hop.ID, Logged{Details: wire.DetailRevoked})
	})
}
