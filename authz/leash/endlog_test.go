package leash

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	logdatav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	logv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// logStream says what Envoy logs, and then how the stream ends.
type logStream struct {
	grpc.ServerStream
	messages []*logv3.StreamAccessLogsMessage
	end      error
}

func (s *logStream) Context() context.Context { return context.Background() }

func (s *logStream) RecvMsg(m any) error {
	if len(s.messages) == 0 {
		return s.end
	}
	next := s.messages[0]
	s.messages = s.messages[1:]
	return m.(*logged).ReadProto(wired(next))
}

// entry is what Envoy logs of a hop.
func entry(hop, details string, change ...func(*logdatav3.HTTPAccessLogEntry)) *logdatav3.HTTPAccessLogEntry {
	meta := &structpb.Struct{Fields: map[string]*structpb.Value{wire.MetaHopID: structpb.NewStringValue(hop)}}
	e := &logdatav3.HTTPAccessLogEntry{
		CommonProperties: &logdatav3.AccessLogCommon{
			Metadata: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{wire.AuthzNamespace: meta}},
			Duration: durationpb.New(1500 * time.Millisecond), ResponseFlags: &logdatav3.ResponseFlags{}, AccessLogType: logdatav3.AccessLogType_DownstreamEnd,
		},
		Request: &logdatav3.HTTPRequestProperties{RequestBodyBytes: 10},
		Response: &logdatav3.HTTPResponseProperties{
			ResponseCode: wrapperspb.UInt32(200), ResponseBodyBytes: 20, ResponseCodeDetails: details,
		},
	}
	for _, f := range change {
		f(e)
	}
	return e
}

func message(es ...*logdatav3.HTTPAccessLogEntry) *logv3.StreamAccessLogsMessage {
	return &logv3.StreamAccessLogsMessage{LogEntries: &logv3.StreamAccessLogsMessage_HttpLogs{
		HttpLogs: &logv3.StreamAccessLogsMessage_HTTPAccessLogEntries{LogEntry: es},
	}}
}

func TestEndLog(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		entry func(hop string) *logdatav3.HTTPAccessLogEntry
		want  audit.End
		log   Logged
	}{
		{
			"done", func(hop string) *logdatav3.HTTPAccessLogEntry { return entry(hop, "via_upstream") },
			audit.EndDone,
			Logged{In: 10, Out: 20, Duration: 1500 * time.Millisecond, Status: 200, Details: "via_upstream"},
		},
		{
			"the client closed its connection", func(hop string) *logdatav3.HTTPAccessLogEntry {
				return entry(hop, "via_upstream", func(e *logdatav3.HTTPAccessLogEntry) {
					e.CommonProperties.ResponseFlags.DownstreamConnectionTermination = true
				})
			},
			audit.EndClientLeft,
			Logged{In: 10, Out: 20, Duration: 1500 * time.Millisecond, Status: 200, Details: "via_upstream", ClientLeft: true},
		},
		{
			"the client reset its stream", func(hop string) *logdatav3.HTTPAccessLogEntry {
				return entry(hop, "http2.remote_reset", func(e *logdatav3.HTTPAccessLogEntry) {
					e.CommonProperties.ResponseFlags.DownstreamRemoteReset = true
				})
			},
			audit.EndClientLeft,
			Logged{In: 10, Out: 20, Duration: 1500 * time.Millisecond, Status: 200, Details: "http2.remote_reset", ClientLeft: true},
		},
		{
			"nothing but an id, and that it is the end", func(hop string) *logdatav3.HTTPAccessLogEntry {
				return &logdatav3.HTTPAccessLogEntry{CommonProperties: &logdatav3.AccessLogCommon{
					Metadata: entry(hop, "").GetCommonProperties().GetMetadata(), AccessLogType: logdatav3.AccessLogType_DownstreamEnd,
				}}
			},
			audit.EndDone,
			Logged{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				hop := r.enter(t, 1, 0)
				r.Open(hop.ID, false, never(t))
				r.Closed(hop.ID)
				s := &logStream{messages: []*logv3.StreamAccessLogsMessage{message(tt.entry(hop.ID.String()))}, end: io.EOF}
				if err := NewEndLog(r.Register).StreamAccessLogs(s); err != nil {
					t.Errorf("StreamAccessLogs = %v", err)
				}
				r.wantEnds(t, tt.want)
				r.mu.Lock()
				defer r.mu.Unlock()
				if diff := cmp.Diff(&tt.log, r.logs[0]); diff != "" {
					t.Errorf("the log differs (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestEndLogPassesOver what has no hop: it ends nobody's.
func TestEndLogPassesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enter(t, 1, 0)
		r.Open(hop.ID, false, never(t))
		r.Closed(hop.ID)
		s := &logStream{messages: []*logv3.StreamAccessLogsMessage{
			{},
			message(),
			message(entry("", "via_upstream"), entry("x", "via_upstream"), entry(idOf(9).String(), "via_upstream"), &logdatav3.HTTPAccessLogEntry{}),
			{LogEntries: &logv3.StreamAccessLogsMessage_TcpLogs{TcpLogs: &logv3.StreamAccessLogsMessage_TCPAccessLogEntries{}}},
		}, end: io.EOF}
		if err := NewEndLog(r.Register).StreamAccessLogs(s); err != nil {
			t.Errorf("StreamAccessLogs = %v", err)
		}
		if n := r.Len(); n != 1 {
			t.Errorf("%d hops are left, want the one that nobody spoke of", n)
		}
		s = &logStream{messages: []*logv3.StreamAccessLogsMessage{
			message(entry(hop.ID.String(), "via_upstream"), entry(hop.ID.String(), "downstream_remote_disconnect")),
		}, end: io.EOF}
		if err := NewEndLog(r.Register).StreamAccessLogs(s); err != nil {
			t.Errorf("StreamAccessLogs = %v", err)
		}
		r.wantEnds(t, audit.EndDone)
	})
}

func TestEndLogEndsWithEnvoy(t *testing.T) {
	t.Parallel()
	broken := status.Error(codes.Unavailable, "broken")
	for end, want := range map[error]error{io.EOF: nil, context.Canceled: nil, status.FromContextError(context.Canceled).Err(): nil, broken: broken} {
		r := NewRegister(Config{Now: time.Now, Ended: func(*Hop, Ending) {}})
		if err := NewEndLog(r).StreamAccessLogs(&logStream{end: end}); !errors.Is(err, want) {
			t.Errorf("the stream ends with %v, and StreamAccessLogs with %v", end, err)
		}
	}
}

// TestOnlyTheEndEnds a hop: what Envoy says before it of a hop that goes on, or
// of anything else, does not.
func TestOnlyTheEndEnds(t *testing.T) {
	t.Parallel()
	for number, name := range logdatav3.AccessLogType_name {
		kind := logdatav3.AccessLogType(number)
		if kind == logdatav3.AccessLogType_DownstreamEnd {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, held := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, Config{})
					hop := &Hop{ID: idOf(1), Held: held}
					if err := r.Enter(hop); err != nil {
						t.Fatal(err)
					}
					if held {
						r.Open(hop.ID, false, func(Cut) {})
					}
					begun := time.Now()
					said := func(kind logdatav3.AccessLogType, in, out uint64) {
						e := entry(hop.ID.String(), "via_upstream", func(e *logdatav3.HTTPAccessLogEntry) {
							e.CommonProperties.AccessLogType, e.Request.RequestBodyBytes, e.Response.ResponseBodyBytes = kind, in, out
						})
						s := &logStream{messages: []*logv3.StreamAccessLogsMessage{message(e)}, end: io.EOF}
						if err := NewEndLog(r.Register).StreamAccessLogs(s); err != nil {
							t.Errorf("StreamAccessLogs = %v", err)
						}
					}
					time.Sleep(10 * time.Second)
					said(kind, 3, 4)
					time.Sleep(10 * time.Second)
					said(kind, 5, 6)
					time.Sleep(time.Minute)
					if _, lives := r.Live(hop.ID); !lives || r.Len() != 1 {
						t.Fatal("the hop has ended")
					}
					want := Stream{Hop: hop.ID.String(), Since: begun}
					if kind == logdatav3.AccessLogType_DownstreamPeriodic {
						want.BytesIn, want.BytesOut, want.Seen = 5, 6, begun.Add(20*time.Second)
					}
					if diff := cmp.Diff([]Stream{want}, r.Streams()); diff != "" {
						t.Errorf("it is told as (-want +got):\n%s", diff)
					}
					if held {
						if !r.Cut(hop.ID, Cut{Code: "x", Detail: wire.DetailRevoked}) {
							t.Error("it can be cut no more")
						}
						r.Closed(hop.ID)
						if r.Len() != 1 {
							t.Error("it is over before Envoy has said how it ended")
						}
					}
					said(logdatav3.AccessLogType_DownstreamEnd, 7, 8)
					said(kind, 9, 10) // late: it is over
					r.mu.Lock()
					defer r.mu.Unlock()
					if len(r.logs) != 1 || r.logs[0].In != 7 || r.logs[0].Out != 8 {
						t.Errorf("it ended with %+v", r.logs)
					}
				})
			}
		})
	}
}
