package soak

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Headers by which a client tells the upstream how long its stream lives, in
// milliseconds, and what then; without them it does not end.
const (
	headerFor  = "soak-for"
	headerThen = "soak-then"
)

// thenReset has a stream broken off; anything else ends it.
const thenReset = "reset"

// tickEvery is how often a stream has something.
const tickEvery = 50 * time.Millisecond

// upstream is what streams behind the gateway.
type upstream struct{ *httptest.Server }

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{httptest.NewServer(http.HandlerFunc(answer))}
	t.Cleanup(func() { u.CloseClientConnections(); u.Close() })
	return u
}

func (u *upstream) port() string { return u.URL[strings.LastIndex(u.URL, ":")+1:] }

// bounded is ctx until the time that a client asked for.
func bounded(ctx context.Context, most string) (context.Context, context.CancelFunc) {
	ms, err := strconv.Atoi(most)
	if err != nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
}

// answer is a stream of events, or a WebSocket.
func answer(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bounded(r.Context(), r.Header.Get(headerFor))
	defer cancel()
	then := r.Header.Get(headerThen)
	if r.Header.Get("Upgrade") == "websocket" {
		ctx, cancel := bounded(context.Background(), r.Header.Get(headerFor)) // a connection that is taken over ends no context
		defer cancel()
		socket(ctx, w, then)
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	tick(ctx, func() error {
		if _, err := io.WriteString(w, "data: tick\n\n"); err != nil {
			return err
		}
		return http.NewResponseController(w).Flush()
	})
	if then == thenReset {
		panic(http.ErrAbortHandler)
	}
}

// socket is answer on a WebSocket.
func socket(ctx context.Context, w http.ResponseWriter, then string) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"); err != nil {
		return
	}
	tick(ctx, func() error {
		_, err := io.WriteString(c, "\x81\x04tick")
		return err
	})
	if tcp, ok := c.(*net.TCPConn); ok && then == thenReset {
		_ = tcp.SetLinger(0) // what has gone is reset already
	}
}

// tick does something again and again until it cannot, or ctx ends.
func tick(ctx context.Context, do func() error) {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for do() == nil {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// grpcPort is that of a server of gRPC that streams whatever is called.
func grpcPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(watch))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func watch(_ any, ss grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(ss.Context()) // without any, nothing is asked for
	first := func(name string) string { return strings.Join(md.Get(name), "") }
	ctx, cancel := bounded(ss.Context(), first(headerFor))
	defer cancel()
	tick(ctx, func() error { return ss.SendMsg(&emptypb.Empty{}) })
	if first(headerThen) == thenReset {
		return status.Error(codes.Aborted, "broken off")
	}
	return nil
}
