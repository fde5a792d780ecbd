package leash

import (
	"log/slog"
	"testing"
	"time"

	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// stuckStream takes no message until it is let go.
type stuckStream struct {
	grpc.ServerStream
	sending chan struct{}
	let     chan struct{}
	sent    chan any
}

func (s *stuckStream) SendMsg(m any) error {
	s.sending <- struct{}{}
	<-s.let
	s.sent <- m
	return nil
}

// TestACutDoesNotWait for what is being sent on its hold, and is said after it.
func TestACutDoesNotWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	stuck := &stuckStream{sending: make(chan struct{}, 2), let: make(chan struct{}), sent: make(chan any, 2)}
	s := &side{stream: stuck}
	hop := r.enter(t, 1, 0)
	h := NewHolder(r.Register, verdict(""), plainWords{}, slog.New(slog.DiscardHandler))
	if got, _ := h.open(s, hop.ID, false); got != hop {
		t.Fatal("the hold does not open")
	}
	first := make(chan error, 1)
	go func() { first <- s.send(&procv3.ProcessingResponse{}) }()
	<-stuck.sending
	cut := make(chan bool, 1)
	go func() { cut <- r.Cut(hop.ID, Cut{Code: "x", Detail: wire.DetailRevoked}) }()
	select {
	case ok := <-cut:
		if !ok {
			t.Error("the cut was not made")
		}
	case <-time.After(5 * time.Second):
		t.Error("the cut waits for what is being sent")
	}
	close(stuck.let)
	<-stuck.sent
	if err := <-first; err != nil {
		t.Error(err)
	}
	if last := line(unwired(<-stuck.sent)); last != "403 "+wire.DetailRevoked+" x content-type=text/plain" {
		t.Errorf("the end is %q", last)
	}
	if err := s.send(&procv3.ProcessingResponse{}); err != nil || len(stuck.sent) > 0 {
		t.Errorf("after the end something more is sent: %v", err)
	}
	r.Closed(hop.ID)
	r.Logged(hop.ID, Logged{Details: wire.DetailRevoked})
}
