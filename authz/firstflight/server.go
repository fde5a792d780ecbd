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

	"github.com/hopgate/hopgate/authz/denial"
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
	pace     *pace
	log      *slog.Logger
}

// New makes the service, for a server whose codec knows rawproto's messages. now
// gives the time, with its monotonic part.
func New(r *leash.Register, j Judge, now func() time.Time, log *slog.Logger) *Server {
	return &Server{register: r, judge: j, pace: newPace(now), log: log}
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

// lingers is how long a tunnel may take to end by the alert that it was sent;
// then it is broken off.
const lingers = 250 * time.Millisecond

// Process is one first flight. An error closes the tunnel; an orderly end would
// have Envoy go on with whatever comes next, and is only ever Envoy's own.
func (s *Server) Process(stream grpc.ServerStream) error {
	id, hop, err := s.hop(stream.Context())
	if err != nil {
		return err
	}
	t := &tunnel{flight: flight{stream: stream}, server: s, id: id, hop: hop, minor: minorFirst}
	defer t.free()
	_ = t.run() // whatever ends it, it is no orderly end
	return status.Error(codes.Canceled, errGone.Error())
}

// tunnel is one whose first flight is read.
type tunnel struct {
	flight
	server *Server
	id     leash.ID
	hop    *leash.Hop
	// minor is that of the records that its client takes now.
	minor byte
}

// run reads what its client sends, until Envoy ends the call.
func (t *tunnel) run() error {
	first, err := t.hello()
	if errors.Is(err, errGone) {
		return err
	}
	if code := t.server.judge.Hello(t.hop, first, err); code != "" {
		return t.refuse(code, alertOf(first, err))
	}
	if t.hop.Mute {
		return mute(t.stream.Context())
	}
	if first.Open || first.Early {
		return t.follow(first)
	}
	// Its client waits for an answer, so that nothing is on its way.
	return t.letGo()
}

// letGo has Envoy go on by itself.
func (t *tunnel) letGo() error {
	if err := t.pass(len(t.data), true); err != nil {
		return err
	}
	return t.ended()
}

// ended waits until Envoy ends the call. What it shows meanwhile goes nowhere.
func (t *tunnel) ended() error {
	for t.stream.RecvMsg(&t.last) == nil {
		continue
	}
	return errGone
}

// follow looks for a second ClientHello behind the first. A client may have sent
// more by the time that there can be none, which would be lost with the side
// stream, so that its tunnel keeps that; behind a second ClientHello it waits.
func (t *tunnel) follow(first clienthello.Hello) error {
	w, read := clienthello.NewWatch(first), len(t.data)-len(clienthello.After(t.data))
	for {
		n, found, second, err := w.Read(t.data[read:])
		if found {
			return t.again(second, err)
		}
		if err != nil && (t.end || !errors.Is(err, clienthello.ErrShort)) {
			return t.refuse(t.server.judge.Hello(t.hop, clienthello.Hello{}, err), alertOf(clienthello.Hello{}, err))
		}
		if !t.server.pace.take(read+n, t.sent) {
			return t.tooFast()
		}
		if err := t.pass(read+n, false); err != nil {
			return err
		}
		if err := t.next(); err != nil {
			return err
		}
		read, t.minor = 0, minorLater
	}
}

// again judges a second ClientHello. What it names says more of why it is
// refused than that it has changed.
func (t *tunnel) again(second clienthello.Hello, changed error) error {
	code := t.server.judge.Hello(t.hop, second, nil)
	if code == "" && changed != nil {
		code = t.server.judge.Hello(t.hop, second, changed)
	}
	if code != "" {
		return t.refuse(code, alertOf(second, changed))
	}
	return t.letGo()
}

// tooFast ends a tunnel that sends faster than what it sends can be passed on.
func (t *tunnel) tooFast() error {
	t.server.log.Debug("a tunnel that is followed sends too fast", "hop", t.id.String(), "sent", t.sent)
	t.server.register.Cut(t.id, leash.Cut{Code: denial.Overloaded, Detail: wire.DetailLimit})
	return errGone
}

// hop is the one that Envoy names, in the call's own metadata, which no client
// reaches.
func (s *Server) hop(ctx context.Context) (leash.ID, *leash.Hop, error) {
	named := metadata.ValueFromIncomingContext(ctx, wire.CallParent)
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

// refuse ends the tunnel, by an alert that its client can read.
func (t *tunnel) refuse(code string, alert byte) error {
	tell := t.server.register.Condemn(t.id, leash.Cut{Code: code, Detail: wire.DetailRefused})
	if tell == nil {
		t.server.register.Refuse(t.id, code)
	} else {
		time.AfterFunc(lingers, tell)
	}
	t.server.log.Debug("the TLS of a tunnel is refused", "hop", t.id.String(), "code", code)
	for _, m := range []*reply{back(fatal(t.minor, alert)), closing()} {
		if err := t.stream.SendMsg(m); err != nil {
			return errGone
		}
	}
	return t.ended() // as Envoy closes the tunnel
}
