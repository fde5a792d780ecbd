package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	logdatav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	logv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// connections are as many as Envoy opens: one a worker.
const connections = 2

// asker asks a checker, as Envoy would.
type asker struct {
	conns    []*grpc.ClientConn
	question encoded
}

func newAsker(dir string, question []byte) (*asker, error) {
	a := &asker{question: encoded{question}}
	for range connections {
		c, err := grpc.NewClient("unix:"+filepath.Join(dir, socketFile),
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(newCodec())))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reach a checker: %w", err), a.close())
		}
		a.conns = append(a.conns, c)
	}
	return a, nil
}

func (a *asker) close() error {
	var errs []error
	for _, c := range a.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// volley is many answers.
type volley struct {
	took    []time.Duration
	answers []encoded
}

// ask asks n times, so many at once. Each answer is an OK.
func (a *asker) ask(ctx context.Context, n, atOnce int) (*volley, error) {
	v := &volley{took: make([]time.Duration, n), answers: make([]encoded, n)}
	errs := make([]error, atOnce)
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range atOnce {
		wg.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				errs[w] = a.one(ctx, a.conns[w%len(a.conns)], v, i)
			}
		})
	}
	wg.Wait()
	return v, errors.Join(errs...)
}

func (a *asker) one(ctx context.Context, c *grpc.ClientConn, v *volley, i int) error {
	begun := time.Now()
	err := c.Invoke(ctx, authv3.Authorization_Check_FullMethodName, &a.question, &v.answers[i])
	v.took[i] = time.Since(begun)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	return allowed(v.answers[i].data)
}

// entriesInMessage is about how many ends Envoy tells at once.
const entriesInMessage = 50

// end tells how the hops of a volley ended, as Envoy's log does.
func (a *asker) end(ctx context.Context, v *volley) error {
	stream, err := logv3.NewAccessLogServiceClient(a.conns[0]).StreamAccessLogs(ctx)
	if err != nil {
		return fmt.Errorf("end hops: %w", err)
	}
	var entries []*logdatav3.HTTPAccessLogEntry
	for i := range v.answers {
		id, err := hopOf(v.answers[i].data)
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		entries = append(entries, endOf(id))
		if len(entries) == entriesInMessage || i == len(v.answers)-1 {
			if err := stream.Send(entriesOf(entries)); err != nil {
				return fmt.Errorf("end hops: %w", err)
			}
			entries = nil
		}
	}
	if err := stream.CloseSend(); err != nil {
		return fmt.Errorf("end hops: %w", err)
	}
	return nil
}

func entriesOf(es []*logdatav3.HTTPAccessLogEntry) *logv3.StreamAccessLogsMessage {
	return &logv3.StreamAccessLogsMessage{LogEntries: &logv3.StreamAccessLogsMessage_HttpLogs{
		HttpLogs: &logv3.StreamAccessLogsMessage_HTTPAccessLogEntries{LogEntry: es},
	}}
}

func endOf(id string) *logdatav3.HTTPAccessLogEntry {
	return &logdatav3.HTTPAccessLogEntry{
		CommonProperties: &logdatav3.AccessLogCommon{AccessLogType: logdatav3.AccessLogType_DownstreamEnd, Metadata: &corev3.Metadata{
			FilterMetadata: map[string]*structpb.Struct{wire.AuthzNamespace: {Fields: map[string]*structpb.Value{
				wire.MetaHopID: structpb.NewStringValue(id), wire.MetaHold: structpb.NewStringValue(wire.HoldNone),
			}}},
		}},
		Response: &logdatav3.HTTPResponseProperties{
			ResponseCode: wrapperspb.UInt32(200), ResponseBodyBytes: 512, ResponseCodeDetails: "via_upstream",
		},
	}
}
