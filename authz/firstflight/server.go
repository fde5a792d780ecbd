package firstflight

import (
	"context"
	"errors"
	"log/slog"
	"time"

	netprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/network_ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/surface/clienthello"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// Judge says what the TLS of a tunnel is worth that begins so.
type Judge interface {
	// Hello returns the code of a denial, or nothing. err is why the ClientHello
	// could not be read.
	Hello(h *leash.Hop, c clienthello.Hello, err error) (code string)
}

// Server serves the side streams by which Envoy shows first flights.
type Server struct {
	register *leash.Register
	judge    Judge
	log      *slog.Logger
}

// New makes the service.
func New(r *leash.Register, j Judge, log *slog.Logger) *Server {
	return &Server{register: r, judge: j, log: log}
}

// Register adds the service to a server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: netprocv3.NetworkExternalProcessor_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName: "Process", ServerStreams: true, ClientStreams: true,
			Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*Server).Process(stream) },
		}},
		Metadata: netprocv3.NetworkExternalProcessor_ServiceDesc.Metadata,
	}, s)
}

// letGo is how long a tunnel may take to end by the alert that it was sent;
// then it is broken off.
const letGo = 250 * time.Millisecond

// Process is one first flight. An error closes the tunnel; an orderly end would
// have Envoy go on with whatever comes next, and is only ever Envoy's own.
func (s *Server) Process(stream grpc.ServerStream) error {
	id, hop, err := s.hop(stream.Context())
	if err != nil {
		return err
	}
	flight, hello, err := first(stream)
	if errors.Is(err, errGone) {
		return gone()
	}
	if code := s.judge.Hello(hop, hello, err); code != "" {
		return s.refuse(stream, id, code, alertOf(hello, err))
	}
	if err := stream.SendMsg(onward(flight, !hello.Early)); err != nil {
		return gone()
	}
	return passOn(stream)
}

// hop is the one that Envoy names, in the call's own metadata, which no client
// reaches.
func (s *Server) hop(ctx context.Context) (leash.ID, *leash.Hop, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	named := md.Get(wire.CallParent)
	if len(named) != 1 {
		return leash.ID{}, nil, status.Error(codes.InvalidArgument, "a first flight names one hop")
	}
	id, err := leash.ParseID(named[0])
	if err != nil {
		return leash.ID{}, nil, status.Error(codes.InvalidArgument, err.Error())
	}
	h, ok := s.register.Live(id)
	if !ok {
		return leash.ID{}, nil, status.Error(codes.PermissionDenied, "the hop does not live")
	}
	return id, h, nil
}

// errGone means that Envoy ended the side stream.
var errGone = errors.New("the first flight was broken off")

func gone() error { return status.Error(codes.Canceled, errGone.Error()) }

// first gathers the first flight. Nothing is answered until it is whole, so
// that nothing goes on before.
func first(stream grpc.ServerStream) (*netprocv3.Data, clienthello.Hello, error) {
	flight := &netprocv3.Data{}
	for {
		var m netprocv3.ProcessingRequest
		if err := stream.RecvMsg(&m); err != nil {
			return nil, clienthello.Hello{}, errGone
		}
		flight.Data = append(flight.Data, m.GetReadData().GetData()...)
		flight.EndOfStream = m.GetReadData().GetEndOfStream()
		h, err := clienthello.Read(flight.GetData())
		if !errors.Is(err, clienthello.ErrShort) || flight.GetEndOfStream() {
			return flight, h, err
		}
	}
}

// onward hands data on. over: what comes next need not be shown.
func onward(d *netprocv3.Data, over bool) *netprocv3.ProcessingResponse {
	return &netprocv3.ProcessingResponse{
		ReadData: d, DataProcessingStatus: netprocv3.ProcessingResponse_UNMODIFIED, CloseStreamToExtProcServer: over,
	}
}

// passOn hands on what comes next, for as long as Envoy shows it. A client
// that sends early data may have sent more already, which would be lost with
// the side stream, so that its tunnel keeps it.
func passOn(stream grpc.ServerStream) error {
	for {
		var m netprocv3.ProcessingRequest
		if err := stream.RecvMsg(&m); err != nil {
			return gone()
		}
		if err := stream.SendMsg(onward(m.GetReadData(), false)); err != nil {
			return gone()
		}
	}
}

// refuse ends the tunnel, by an alert that its client can read.
func (s *Server) refuse(stream grpc.ServerStream, id leash.ID, code string, alert byte) error {
	tell := s.register.Condemn(id, leash.Cut{Code: code, Detail: wire.DetailRefused})
	if tell == nil {
		s.register.Refuse(id, code)
	} else {
		time.AfterFunc(letGo, tell)
	}
	s.log.Debug("the TLS of a tunnel is refused", "hop", id.String(), "code", code)
	for _, m := range []*netprocv3.ProcessingResponse{
		{WriteData: &netprocv3.Data{Data: fatal(alert)}, DataProcessingStatus: netprocv3.ProcessingResponse_MODIFIED},
		{ConnectionStatus: netprocv3.ProcessingResponse_CLOSE},
	} {
		if err := stream.SendMsg(m); err != nil {
			return gone()
		}
	}
	// Envoy ends the call as it closes the tunnel.
	var m netprocv3.ProcessingRequest
	for stream.RecvMsg(&m) == nil {
		continue
	}
	return gone()
}
