package leash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	procfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/rawproto"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// envoy is Envoy's side of one hold. The zero context is the test's.
type envoy struct {
	grpc.ServerStream
	ctx  context.Context
	says chan *procv3.ProcessingRequest
	// fails is what Recv gives when says is closed; nil: io.EOF.
	fails error

	mu    sync.Mutex
	heard []string // guarded by mu; what was sent, one line each
	gone  error    // guarded by mu; what Send gives
}

func newEnvoy(t *testing.T) *envoy {
	return &envoy{ctx: t.Context(), says: make(chan *procv3.ProcessingRequest, 8)}
}

func (e *envoy) Context() context.Context { return e.ctx }

func (e *envoy) RecvMsg(m any) error {
	next, ok := <-e.says
	switch {
	case ok:
		return m.(*said).ReadProto(wired(next))
	case e.fails != nil:
		return e.fails
	default:
		return io.EOF
	}
}

// wired is a message as it comes from the wire, in pieces.
func wired(m proto.Message) mem.BufferSlice {
	raw, err := proto.Marshal(m)
	if err != nil {
		panic(err) // it is a message of the test
	}
	half := len(raw) / 2
	return mem.BufferSlice{mem.SliceBuffer(raw[:half]), mem.SliceBuffer(raw[half:])}
}

// unwired is a response as Envoy reads it.
func unwired(m any) *procv3.ProcessingResponse {
	if p, ok := m.(*procv3.ProcessingResponse); ok {
		return p
	}
	b := m.(rawproto.Writer).WriteProto()
	defer b.Free()
	p := &procv3.ProcessingResponse{}
	if err := proto.Unmarshal(b.Materialize(), p); err != nil {
		panic(err) // what we wrote is no message
	}
	return p
}

func (e *envoy) SendMsg(m any) error { return e.Send(unwired(m)) }

func (e *envoy) Send(m *procv3.ProcessingResponse) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone == nil {
		e.heard = append(e.heard, line(m))
	}
	return e.gone
}

// line shows a response.
func line(m *procv3.ProcessingResponse) string {
	switch r := m.GetResponse().(type) {
	case *procv3.ProcessingResponse_RequestHeaders:
		return strings.Join(append([]string{"go on"}, r.RequestHeaders.GetResponse().GetHeaderMutation().GetRemoveHeaders()...), " without ")
	case *procv3.ProcessingResponse_ResponseHeaders:
		return "headers"
	case *procv3.ProcessingResponse_ResponseBody:
		return bodyLine(m)
	case *procv3.ProcessingResponse_ResponseTrailers:
		return "trailers"
	case *procv3.ProcessingResponse_RequestTrailers:
		return "request's trailers"
	case *procv3.ProcessingResponse_RequestBody:
		b := r.RequestBody.GetResponse().GetBodyMutation().GetStreamedResponse()
		return fmt.Sprintf("up %q %v", b.GetBody(), b.GetEndOfStream())
	case *procv3.ProcessingResponse_ImmediateResponse:
		i := r.ImmediateResponse
		out := fmt.Sprintf("%d %s %s", i.GetStatus().GetCode(), i.GetDetails(), i.GetBody())
		for _, h := range i.GetHeaders().GetSetHeaders() {
			out += fmt.Sprintf(" %s=%s", h.GetHeader().GetKey(), h.GetHeader().GetRawValue())
			if h.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
				out += " (another one besides)"
			}
		}
		return out
	default:
		return fmt.Sprintf("%T", r)
	}
}

// bodyLine shows a piece of a body, whether it is the last, and how the hop
// ended by it.
func bodyLine(m *procv3.ProcessingResponse) string {
	b := m.GetResponseBody().GetResponse().GetBodyMutation().GetStreamedResponse()
	out := fmt.Sprintf("%q", b.GetBody())
	if b.GetEndOfStream() {
		out += " end"
	}
	if end := m.GetDynamicMetadata().GetFields()[wire.EndNamespace].GetStructValue().GetFields()[wire.MetaEnd].GetStringValue(); end != "" {
		out += " " + end
	}
	return out
}

func (e *envoy) took() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard
}

// opening is what Envoy says first.
func opening(hop string) *procv3.ProcessingRequest {
	meta := &structpb.Struct{Fields: map[string]*structpb.Value{wire.MetaHopID: structpb.NewStringValue(hop)}}
	return &procv3.ProcessingRequest{
		Request:         &procv3.ProcessingRequest_RequestHeaders{RequestHeaders: &procv3.HttpHeaders{}},
		MetadataContext: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{wire.AuthzNamespace: meta}},
		ProtocolConfig:  &procv3.ProtocolConfiguration{},
	}
}

func trailers() *procv3.ProcessingRequest {
	return &procv3.ProcessingRequest{Request: &procv3.ProcessingRequest_ResponseTrailers{ResponseTrailers: &procv3.HttpTrailers{}}}
}

// plainWords says codes as they are.
type plainWords struct{}

func (plainWords) Words(h *Hop, code string) Reply {
	r := Reply{Status: 403, Body: []byte(code), Headers: [][2]string{{"content-type", "text/plain"}}}
	if h == nil {
		r.Status = 404
	}
	return r
}

func (plainWords) Last(_ *Hop, code string) Last {
	return Last{Data: []byte(code), Text: "ended for " + code}
}

// Warn has nothing to say ahead.
func (plainWords) Warn(*Hop) Last { return Last{} }

// verdict is a judge that always says the same.
type verdict string

func (v verdict) Again(*Hop) string { return string(v) }

// hold is one hold that is open: what Envoy hears, and how Process ended.
type hold struct {
	*envoy
	ended chan error
}

func (r *rig) hold(t *testing.T, j Judge, first *procv3.ProcessingRequest) *hold {
	t.Helper()
	return r.holdWith(newEnvoy(t), j, first)
}

func (r *rig) holdWith(e *envoy, j Judge, first *procv3.ProcessingRequest) *hold {
	h := &hold{e, make(chan error, 1)}
	if first != nil {
		h.says <- first
	}
	holder := NewHolder(r.Register, j, plainWords{}, slog.New(slog.DiscardHandler))
	go func() { h.ended <- holder.Process(h.envoy) }()
	return h
}

// close ends the side stream as Envoy does, and gives how Process ended.
func (h *hold) close() error {
	close(h.says)
	return <-h.ended
}

// open is true while Process runs.
func (h *hold) open() bool {
	select {
	case err := <-h.ended:
		h.ended <- err
		return false
	default:
		return true
	}
}

func (h *hold) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(lines, h.took()); diff != "" {
		t.Errorf("Envoy heard otherwise (-want +got):\n%s", diff)
	}
}

func TestHoldOpensAndStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, 0)
		h := r.hold(t, verdict(""), opening(hop.ID.String()))
		h.want(t, "go on")
		time.Sleep(24 * time.Hour)
		if !h.open() {
			t.Fatal("the hold ended by itself")
		}
		h.says <- trailers()
		h.want(t, "go on", "trailers")
		if !h.open() {
			t.Error("trailers ended the hold")
		}
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
		r.Logged(hop.ID, Logged{Details: "via_upstream", Status: 200})
		r.wantEnds(t, audit.EndDone)
	})
}

// TestHoldIgnoresWhatItDoesNotAskFor: an answer that Envoy does not wait for
// would kill the hop, and no answer at all lets it be.
func TestHoldIgnoresWhatItDoesNotAskFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, 0)
		h := r.hold(t, verdict(""), opening(hop.ID.String()))
		for _, m := range []*procv3.ProcessingRequest{
			opening(hop.ID.String()),
			{Request: &procv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: &procv3.HttpHeaders{}}},
			{Request: &procv3.ProcessingRequest_RequestBody{RequestBody: &procv3.HttpBody{}}},
			{Request: &procv3.ProcessingRequest_ResponseBody{ResponseBody: &procv3.HttpBody{}}},
			{Request: &procv3.ProcessingRequest_RequestTrailers{RequestTrailers: &procv3.HttpTrailers{}}},
			{},
		} {
			h.says <- m
		}
		h.want(t, "go on")
		if !h.open() {
			t.Error("the hold ended")
		}
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
	})
}

// TestHoldThatIsNotOurs: an id is known, opens once, and comes as was ordered.
func TestHoldThatIsNotOurs(t *testing.T) {
	t.Parallel()
	used := idOf(1).String()
	for _, tt := range []struct {
		name  string
		first func() *procv3.ProcessingRequest
	}{
		{"unknown", func() *procv3.ProcessingRequest { return opening(idOf(9).String()) }},
		{"used", func() *procv3.ProcessingRequest { return opening(used) }},
		{"no id", func() *procv3.ProcessingRequest { return opening("") }},
		{"malformed", func() *procv3.ProcessingRequest { return opening(strings.ToUpper(used)) }},
		{"no metadata", func() *procv3.ProcessingRequest {
			m := opening(used)
			m.MetadataContext = nil
			return m
		}},
		{"another namespace", func() *procv3.ProcessingRequest {
			m := opening(used)
			m.MetadataContext.FilterMetadata = map[string]*structpb.Struct{"other": m.GetMetadataContext().GetFilterMetadata()[wire.AuthzNamespace]}
			return m
		}},
		{"not with headers", trailers},
		{"a relay that was not ordered", func() *procv3.ProcessingRequest {
			m := opening(idOf(2).String())
			m.ProtocolConfig.ResponseBodyMode = procfilterv3.ProcessingMode_FULL_DUPLEX_STREAMED
			return m
		}},
		{"a body in another way", func() *procv3.ProcessingRequest {
			m := opening(idOf(2).String())
			m.ProtocolConfig.ResponseBodyMode = procfilterv3.ProcessingMode_BUFFERED
			return m
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				first, other := r.enter(t, 1, 0), r.enter(t, 2, 0)
				good := r.hold(t, verdict(""), opening(first.ID.String()))
				good.want(t, "go on")
				bad := r.hold(t, verdict(""), tt.first())
				bad.want(t, "404 hop_refused hop_unknown content-type=text/plain")
				if !bad.open() {
					t.Error("the refusal may not be delivered: the stream is closed")
				}
				if err := bad.close(); err != nil {
					t.Errorf("Process = %v", err)
				}
				if !good.open() {
					t.Error("the hold that is ours has ended")
				}
				if _, ok := r.Live(first.ID); !ok {
					t.Error("the hop that is held is not live any more")
				}
				if err := good.close(); err != nil {
					t.Error(err)
				}
				r.Logged(first.ID, Logged{Details: "via_upstream"})
				r.Logged(other.ID, Logged{ClientLeft: true})
				r.wantEnds(t, audit.EndDone, audit.EndClientLeft)
			})
		})
	}
}

func TestHoldCutsAtExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, 3*time.Second)
		time.Sleep(time.Second) // Envoy took its time; the end stays where it is
		h := r.hold(t, verdict(""), opening(hop.ID.String()))
		time.Sleep(1999 * time.Millisecond)
		h.want(t, "go on")
		time.Sleep(time.Millisecond)
		h.want(t, "go on", "403 hop_expired expired content-type=text/plain")
		if !h.open() {
			t.Error("the stream is closed before Envoy has read the cut")
		}
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
		r.Logged(hop.ID, Logged{Details: wire.DetailExpired, Status: 200})
		r.wantEnds(t, audit.EndExpired)
	})
}

// TestHoldThatOpensTooLate: its hop has had its time.
func TestHoldThatOpensTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, time.Second)
		time.Sleep(2 * time.Second)
		h := r.hold(t, verdict(""), opening(hop.ID.String()))
		synctest.Wait()
		if got := h.took(); len(got) == 0 || got[len(got)-1] != "403 hop_expired expired content-type=text/plain" {
			t.Errorf("Envoy heard %q", got)
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

func TestHoldIsCutOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, time.Hour)
		h := r.hold(t, verdict(""), opening(hop.ID.String()))
		synctest.Wait()
		if !r.Cut(hop.ID, Cut{Code: "revoked", Detail: wire.DetailRevoked}) {
			t.Error("there was nothing to cut")
		}
		r.Cut(hop.ID, Cut{Code: "again", Detail: wire.DetailRefused})
		h.says <- trailers()
		time.Sleep(2 * time.Hour)
		h.want(t, "go on", "403 hop_revoked revoked content-type=text/plain")
		if err := h.close(); err != nil {
			t.Error(err)
		}
		r.Logged(hop.ID, Logged{Details: wire.DetailRevoked, Status: 200})
		r.wantEnds(t, audit.EndRevoked)
	})
}

// TestHoldIsJudgedAgain: what the feed brought since Check is not lost, and
// the backend never sees the request.
func TestHoldIsJudgedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, time.Second)
		h := r.hold(t, verdict("rule_denied"), opening(hop.ID.String()))
		h.want(t, "403 hop_refused rule_denied content-type=text/plain")
		if _, ok := r.Live(hop.ID); ok {
			t.Error("a refused hop counts as live")
		}
		time.Sleep(2 * time.Second)
		h.want(t, "403 hop_refused rule_denied content-type=text/plain")
		if err := h.close(); err != nil {
			t.Error(err)
		}
		r.Logged(hop.ID, Logged{Details: wire.DetailRefused, Status: 403})
		r.wantEnds(t, audit.EndRefused)
	})
}

// TestHoldEndsWithEnvoy: however it goes, the hop goes with it, and its timer.
func TestHoldEndsWithEnvoy(t *testing.T) {
	t.Parallel()
	broken := status.Error(codes.Unavailable, "broken")
	for _, tt := range []struct {
		name  string
		fails error
		want  error
	}{
		{"closed", nil, nil},
		{"canceled", status.Error(codes.Canceled, "gone"), nil},
		{"canceled by context", context.Canceled, nil},
		{"broken", broken, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				hop := r.enter(t, 1, time.Hour)
				e := newEnvoy(t)
				e.fails = tt.fails
				h := r.holdWith(e, verdict(""), opening(hop.ID.String()))
				h.want(t, "go on")
				if err := h.close(); !errors.Is(err, tt.want) {
					t.Errorf("Process = %v, want %v", err, tt.want)
				}
				if r.Cut(hop.ID, Cut{Code: "late", Detail: wire.DetailRevoked}) {
					t.Error("a hop without a hold was cut")
				}
				time.Sleep(2 * time.Hour)
				h.want(t, "go on")
				r.wantEnds(t, audit.EndLost)
			})
		})
	}
}

// TestHoldThatEndsBeforeItBegan takes no hop along.
func TestHoldThatEndsBeforeItBegan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, 0)
		if err := r.hold(t, verdict(""), nil).close(); err != nil {
			t.Errorf("Process = %v", err)
		}
		h := r.hold(t, verdict(""), opening(hop.ID.String()))
		h.want(t, "go on")
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

// TestHoldThatCannotBeSaid: an Envoy that takes no answer is gone.
func TestHoldThatCannotBeSaid(t *testing.T) {
	t.Parallel()
	gone := status.Error(codes.Unavailable, "gone")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, 0)
		e := newEnvoy(t)
		e.gone = gone
		h := r.holdWith(e, verdict(""), opening(hop.ID.String()))
		if err := <-h.ended; !errors.Is(err, gone) {
			t.Errorf("Process = %v, want %v", err, gone)
		}
		if _, ok := r.Live(hop.ID); ok {
			t.Error("the hop lives without a hold")
		}
		next := r.enter(t, 2, 0)
		e = newEnvoy(t)
		h = r.holdWith(e, verdict(""), opening(next.ID.String()))
		h.want(t, "go on")
		e.mu.Lock()
		e.gone = gone
		e.mu.Unlock()
		h.says <- trailers()
		if err := <-h.ended; !errors.Is(err, gone) {
			t.Errorf("Process = %v, want %v", err, gone)
		}
	})
}

// TestNothingIsSaidAfterTheEnd: a cut that comes as the hold ends is not sent
// on a stream that is over.
func TestNothingIsSaidAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, 0)
		h := r.hold(t, verdict(""), opening(hop.ID.String()))
		h.want(t, "go on")
		r.Register.of(hop.ID).mu.Lock()
		cut := hop.cut
		r.Register.of(hop.ID).mu.Unlock()
		if err := h.close(); err != nil {
			t.Error(err)
		}
		cut(Cut{Code: "late", Detail: wire.DetailRevoked})
		h.want(t, "go on")
	})
}

// TestManyHoldsAreCutAtOnce: none waits for another.
func TestManyHoldsAreCutAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		holds := make([]*hold, 200)
		for i := range holds {
			hop := r.enter(t, i+1, time.Second)
			holds[i] = r.hold(t, verdict(""), opening(hop.ID.String()))
		}
		time.Sleep(time.Second)
		var want []audit.End
		for i, h := range holds {
			h.want(t, "go on", "403 hop_expired expired content-type=text/plain")
			if err := h.close(); err != nil {
				t.Error(err)
			}
			r.Logged(idOf(i+1), Logged{Details: wire.DetailExpired})
			want = append(want, audit.EndExpired)
		}
		r.wantEnds(t, want...)
	})
}

// TestRefusalsDoNotFillTheLog: one a second is logged, with how many were not.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		log := &bytes.Buffer{}
		holder := NewHolder(r.Register, verdict(""), plainWords{}, slog.New(slog.NewTextHandler(log, nil)))
		refuse := func(n int) {
			for range n {
				e := newEnvoy(t)
				e.says <- opening("no id")
				close(e.says)
				if err := holder.Process(e); err != nil {
					t.Error(err)
				}
			}
		}
		refuse(100)
		time.Sleep(refusalEvery)
		refuse(3)
		if n := strings.Count(log.String(), "hold refused"); n != 2 {
			t.Errorf("%d lines for 103 refusals:\n%s", n, log)
		}
		if !strings.Contains(log.String(), "unsaid=0") || !strings.Contains(log.String(), "unsaid=99") {
			t.Errorf("it is not said how many were not logged:\n%s", log)
		}
	})
}
