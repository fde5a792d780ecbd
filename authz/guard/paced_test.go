package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	procfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
)

// relay opens the hold of a WebSocket as Envoy does, and lets its answer begin.
func (r *rig) relay(peer string) procv3.ExternalProcessor_ProcessClient {
	r.t.Helper()
	res := r.askAs("one", peer, &corev3.HeaderValue{Key: "connection", RawValue: []byte("upgrade")}, &corev3.HeaderValue{Key: "upgrade", RawValue: []byte("websocket")})
	if hold := res.GetDynamicMetadata().GetFields()[wire.MetaHold].GetStringValue(); hold != wire.HoldRelay {
		r.t.Fatalf("a WebSocket is held by %q", hold)
	}
	s, err := procv3.NewExternalProcessorClient(r.conn).Process(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	meta := &structpb.Struct{Fields: map[string]*structpb.Value{wire.MetaHopID: structpb.NewStringValue(hopOf(res))}}
	for _, m := range []*procv3.ProcessingRequest{
		{
			Request:         &procv3.ProcessingRequest_RequestHeaders{RequestHeaders: &procv3.HttpHeaders{}},
			MetadataContext: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{wire.AuthzNamespace: meta}},
			ProtocolConfig:  &procv3.ProtocolConfiguration{ResponseBodyMode: procfilterv3.ProcessingMode_FULL_DUPLEX_STREAMED},
		},
		{Request: &procv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: &procv3.HttpHeaders{Headers: &corev3.HeaderMap{
			Headers: []*corev3.HeaderValue{{Key: ":status", RawValue: []byte("101")}},
		}}}},
	} {
		if err := s.Send(m); err != nil {
			r.t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			r.t.Fatal(err)
		}
	}
	return s
}

// TestASideStreamThatIsStuckDelaysNoOther: Envoy reads nothing more of one, as
// it does when its client does not read, and all are cut.
func TestASideStreamThatIsStuckDelaysNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(snapshot("1", peers(v1alpha1.UnmatchedAllow)))
	var before, after []procv3.ExternalProcessor_ProcessClient
	open := func(list *[]procv3.ExternalProcessor_ProcessClient) {
		for range 8 {
			held, _ := r.hold(hopOf(r.askAs("one", bad)))
			*list = append(*list, held, r.relay(bad))
		}
	}
	open(&before)
	stuck := r.relay(bad)
	frame := append([]byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0x40, 0}, bytes.Repeat([]byte("x"), 16<<10)...)
	const endless = 1 << 20
	var sent atomic.Int64
	go func() { // many times what a side stream has room for; it ends with the stream
		for range endless {
			m := &procv3.ProcessingRequest{Request: &procv3.ProcessingRequest_ResponseBody{ResponseBody: &procv3.HttpBody{Body: frame}}}
			if stuck.Send(m) != nil {
				return
			}
			sent.Add(1)
		}
	}()
	last, since := int64(0), time.Now()
	testenv.Wait(t, "nothing to be read of it any more", func() bool {
		if n := sent.Load(); n != last {
			last, since = n, time.Now()
		}
		return last > 4 && time.Since(since) > 200*time.Millisecond
	})
	open(&after)
	begun := time.Now()
	_, n, err := r.Order(contain.Order{Verb: contain.VerbQuarantine, Kind: contain.KindPeer, Value: bad, Until: time.Now().Add(time.Hour)})
	if want := len(before) + len(after) + 1; err != nil || n != want {
		t.Fatalf("Order = %d, %v, want %d cut", n, err, want)
	}
	for _, s := range append(before, after...) {
		if _, err := s.Recv(); err != nil {
			t.Errorf("a hold hears no end: %v", err)
		}
	}
	if d := time.Since(begun); d > 2*time.Second {
		t.Errorf("the others hear of their end after %s", d)
	}
	// The one that is stuck ends as soon as it is read again, or is broken off.
	for over := false; !over; {
		m, err := stuck.Recv()
		over = err != nil || m.GetResponseBody().GetResponse().GetBodyMutation().GetStreamedResponse().GetEndOfStream()
		if errors.Is(err, io.EOF) {
			t.Error("the one that is stuck has an orderly end, which would let its hop go on")
		}
	}
}

// TestManyCutsLeaveRoom: while thousands of hops are cut, new ones are decided,
// and the order says how many have ended.
func TestManyCutsLeaveRoom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(snapshot("1", peers(v1alpha1.UnmatchedAllow)))
	const many = 2000
	heard := make(chan error, many)
	var opened sync.WaitGroup
	for range 20 {
		opened.Go(func() {
			for range many / 20 {
				s, _ := r.hold(hopOf(r.askAs("one", bad)))
				go func() {
					m, err := s.Recv()
					if err == nil && m.GetImmediateResponse().GetDetails() != wire.DetailQuarantined {
						err = fmt.Errorf("a hold hears %v", m)
					}
					heard <- err
				}()
			}
		})
	}
	opened.Wait()
	// Envoy has a connection for each of the two.
	mine := *r
	var err error
	if mine.conn, err = grpc.NewClient(r.conn.Target(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	defer mine.conn.Close()
	ctx, stop := context.WithCancel(t.Context())
	var decided atomic.Int64
	var slowest atomic.Int64
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for ctx.Err() == nil {
			begun := time.Now()
			if got := status(mine.askAs("one", good)); got != 0 {
				t.Errorf("status %d for somebody else", got)
				return
			}
			slowest.Store(max(slowest.Load(), int64(time.Since(begun))))
			decided.Add(1)
		}
	}()
	begun, before := time.Now(), decided.Load()
	_, n, err := r.Order(contain.Order{Verb: contain.VerbQuarantine, Kind: contain.KindPeer, Value: bad, Until: time.Now().Add(time.Hour)})
	took, room := time.Since(begun), decided.Load()-before
	stop()
	<-asked
	if err != nil || n != many {
		t.Errorf("Order = %d, %v, want %d cut", n, err, many)
	}
	for range many {
		if err := <-heard; err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d were cut in %s, heard of within %s; meanwhile %d new ones were decided, the slowest in %s", n, took, time.Since(begun), room, time.Duration(slowest.Load()))
	if pauses := many / cutBatch * cutPause; room < 1 || took < pauses {
		t.Errorf("while %d were cut for %s, with pauses of %s, %d were decided", n, took, pauses, room)
	}
}
