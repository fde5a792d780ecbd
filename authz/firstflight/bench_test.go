package firstflight_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"testing"
	"time"

	netprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/network_ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/firstflight"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// played is a side stream on which messages have come, and then its end. It
// costs nothing but what the codec does.
type played struct {
	grpc.ServerStream
	ctx   context.Context
	codec *check.Codec
	came  [][]byte
	next  int
	sent  int
}

func (p *played) Context() context.Context { return p.ctx }

func (p *played) RecvMsg(m any) error {
	if p.next == len(p.came) {
		return io.EOF
	}
	p.next++
	return p.codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(p.came[p.next-1])}, m)
}

func (p *played) SendMsg(m any) error {
	b, err := p.codec.Marshal(m)
	if err != nil {
		return err
	}
	p.sent += b.Len()
	b.Free()
	return nil
}

// newPlayed is a service, and a side stream that shows it a first flight which
// passes.
func newPlayed(t testing.TB) (*firstflight.Server, *played) {
	t.Helper()
	live := leash.NewRegister(leash.Config{Now: time.Now, Ended: func(*leash.Hop, leash.Ending) {}})
	id := leash.ID{1}
	if err := live.Enter(&leash.Hop{ID: id, Held: true}); err != nil {
		t.Fatal(err)
	}
	if _, ok := live.Open(id, false, func(leash.Cut) {}); !ok {
		t.Fatal("the hop has no hold")
	}
	raw, err := proto.Marshal(&netprocv3.ProcessingRequest{ReadData: &netprocv3.Data{Data: sent(t, &tls.Config{ServerName: "open.example"})}})
	if err != nil {
		t.Fatal(err)
	}
	// What Envoy's call says of itself.
	md := metadata.Pairs(wire.CallParent, id.String(), ":authority", "hopgate_flight", "content-type", "application/grpc",
		"x-envoy-internal", "true", "x-forwarded-for", "10.0.0.1", "user-agent", "envoy")
	return firstflight.New(live, judge{}, time.Now, slog.New(slog.DiscardHandler)), &played{
		ctx: metadata.NewIncomingContext(t.Context(), md), codec: check.NewCodec(check.NewBudget(1 << 20)), came: [][]byte{raw},
	}
}

func (p *played) again(t testing.TB, s *firstflight.Server) {
	t.Helper()
	p.next, p.sent = 0, 0
	if err := s.Process(p); err == nil || p.sent == 0 {
		t.Fatalf("%d bytes were answered, and the end is %v", p.sent, err)
	}
}

// BenchmarkPassed is a first flight that passes, without what grpc itself costs.
func BenchmarkPassed(b *testing.B) {
	s, p := newPlayed(b)
	b.ReportAllocs()
	for b.Loop() {
		p.again(b, s)
	}
}

// maxAllocs is what one tunnel may cost here, without what grpc itself does.
const maxAllocs = 10

func TestAllocations(t *testing.T) {
	s, p := newPlayed(t)
	if got := testing.AllocsPerRun(100, func() { p.again(t, s) }); got > maxAllocs {
		t.Errorf("a first flight costs %v allocations, want %d at most", got, maxAllocs)
	}
}
