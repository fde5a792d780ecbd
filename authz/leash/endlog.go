package leash

import (
	"errors"
	"io"

	logdatav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	logv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// EndLog serves the access log by which Envoy tells how hops ended, and what it
// has counted of those that go on.
type EndLog struct {
	register *Register
}

// NewEndLog makes the service.
func NewEndLog(r *Register) *EndLog { return &EndLog{register: r} }

// Register adds the service to a server whose codec knows rawproto's messages.
func (e *EndLog) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: logv3.AccessLogService_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: "StreamAccessLogs", ClientStreams: true,
			Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*EndLog).StreamAccessLogs(stream) },
		}},
		Metadata: logv3.AccessLogService_ServiceDesc.Metadata,
	}, e)
}

// StreamAccessLogs reads entries until Envoy closes.
func (e *EndLog) StreamAccessLogs(stream grpc.ServerStream) error {
	var m logged
	defer m.free()
	for {
		err := stream.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errClosed(err)
		}
		if err := m.entries(e.entry); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		m.free()
	}
}

func (e *EndLog) entry(m *loggedEntry) {
	id, err := ParseID(string(m.hop))
	if err != nil {
		return
	}
	switch m.about {
	case logdatav3.AccessLogType_DownstreamPeriodic:
		e.register.Saw(id, m.in, m.out)
	case logdatav3.AccessLogType_DownstreamEnd:
		e.register.Logged(id, m.logged())
	default: // it says nothing of the end: the hop goes on
	}
}
