package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/authz/guard"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Roles that answer Check.
const (
	// roleGuard is the guard as it is.
	roleGuard = "guard"
	// roleBlind answers OK and does not look at the question: what any
	// ext_authz on this server costs at least.
	roleBlind = "blind"
	// roleDecoding answers OK and decodes the question, as most servers do.
	roleDecoding = "decoding"
	// roleReader is no Check: it reads first flights, all of one hop.
	roleReader = "reader"
)

// Files in a checker's folder.
const (
	feedFile   = "feed.json"
	socketFile = "guard.sock"
)

// checker answers Check on the guard's own socket and server. What is not a
// guard differs in nothing but the service.
type checker struct {
	caller *guard.Caller
	guard  *guard.Guard
	cancel context.CancelFunc
	ended  chan error
}

func newChecker(s spec) (*checker, error) {
	key, err := token.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	g, err := guard.New(guard.Config{
		AuditPath: filepath.Join(s.Dir, "audit.jsonl"), AuditKey: key.Private(), Version: "bench", Log: log,
	})
	if err != nil {
		return nil, err
	}
	c := &checker{caller: guard.NewCaller(), guard: g, ended: make(chan error, 2)}
	c.caller.Set(os.Getppid())
	server, err := c.server(s)
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	l, err := guard.Listen(filepath.Join(s.Dir, socketFile), c.caller, log)
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go func() { c.ended <- serve(server, l) }()
	go func() { c.ended <- g.Run(ctx, server.Stop) }()
	return c, nil
}

// serve returns nil for a server that was stopped, however early.
func serve(s *grpc.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

func (c *checker) server(s spec) (*grpc.Server, error) {
	opts := c.guard.ServerOptions()
	switch s.Role {
	case roleBlind:
		return newBlind(opts)
	case roleDecoding:
		server := grpc.NewServer(append(opts, grpc.ForceServerCodecV2(encoding.GetCodecV2("proto")))...)
		authv3.RegisterAuthorizationServer(server, decoding{})
		return server, nil
	case roleReader:
		return newReader(opts)
	}
	raw, err := os.ReadFile(filepath.Join(s.Dir, feedFile))
	if err != nil {
		return nil, fmt.Errorf("read the feed: %w", err)
	}
	var f feedv1.Snapshot
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("read the feed: %w", err)
	}
	if err := c.guard.ApplyFeed(&f); err != nil {
		return nil, err
	}
	server := grpc.NewServer(opts...)
	c.guard.Register(server)
	return server, nil
}

// ok is the least that Envoy takes for OK.
func ok() *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status:       &status.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}},
	}
}

// blind answers every question by the same bytes.
type blind struct{ answer *encoded }

func newBlind(opts []grpc.ServerOption) (*grpc.Server, error) {
	raw, err := proto.Marshal(ok())
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(append(opts, grpc.ForceServerCodecV2(newCodec()))...)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: authv3.Authorization_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Check", Handler: blind{}.check}},
	}, &blind{&encoded{raw}})
	return server, nil
}

//nolint:revive // grpc has the context second
func (blind) check(srv any, _ context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	if err := dec(&unread{}); err != nil {
		return nil, err
	}
	return srv.(*blind).answer, nil
}

// decoding is an ext_authz as the library makes one.
type decoding struct {
	authv3.UnimplementedAuthorizationServer
}

// Check says OK.
func (decoding) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return ok(), nil
}

func (c *checker) admit(pid int) { c.caller.Set(pid) }

// writtenWithin is how long the record may take to reach its file.
const writtenWithin = 5 * time.Second

// report waits until what was asked so far is in the record: its cost is a
// part of a decision's.
func (c *checker) report() report {
	for end := time.Now().Add(writtenWithin); c.guard.Record().Stats().QueuedBytes > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	r := own()
	r.Live = c.guard.Live()
	return r
}

func (c *checker) stop() error {
	c.cancel()
	return errors.Join(<-c.ended, <-c.ended)
}
