package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// leeway is that of the trust domain whose streams end soon.
const leeway = time.Second

// streams is a gateway whose tokens end soon, and what streams behind it.
type streams struct {
	*testgateway.Gateway
	site, web *upstream
	ends      time.Time // of the token
	token     string
}

func newStreams(t testing.TB, fields ...string) *streams {
	t.Helper()
	s := &streams{site: newUpstream(t, ticks), web: newTLSUpstream(t, "web.example", ticks)}
	fields = append(fields, "trustDomainRefs: [{name: short}]", egress("", "site.example:"+s.site.port(), "web.example:"+s.web.port()))
	s.Gateway = testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(fields...) + trust("short", "short.example", "leeway: 1s") +
			service("page", s.site.port(), plain, "/page") + service("tools", s.site.port(), mcp, "/mcp") +
			service("models", s.site.port(), openAI, "/v1") + service("grpc", grpcPort(t), h2c, "/grpc.health.v1.Health"),
		"policy.yaml": policy("all", allow("http", "{type: HTTP, http: [{ports: [80, "+s.site.port()+", ${HTTP}]}]}"),
			`{name: bound, to: {type: HTTP, http: [{paths: ["/page/bound"]}]}, action: Allow, with: {stream: {max: 1s}}}`,
			allow("tools", "{type: Tools, tools: [{servers: [{name: tools}]}]}"),
			allow("models", "{type: Models, models: [{providers: [{name: models}]}]}"),
			allow("hosts", "{type: Hosts, hosts: [{names: ['*.example'], ports: ["+s.site.port()+", "+s.web.port()+"]}]}")),
	})
	s.token = s.Token(audience("short.example"), lifetime(4*time.Second), func(p *token.Params) {
		s.ends = p.IssuedAt.Truncate(time.Second).Add(4 * time.Second).Add(leeway)
	})
	return s
}

// grpcPort is that of a server whose Watch never ends by itself.
func grpcPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, health.NewServer())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-ended })
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	return port
}

// open is a stream that has begun: its bytes, or an error when it ended.
type open func(t *testing.T, s *streams) io.Reader

// TestStreamsEnd: whatever streams ends when its token does, not before, and
// the record says so.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	s := newStreams(t, "streams: {minRemaining: 0s}")
	for _, tc := range []struct {
		name string
		path string // by which its record is found
		open open
	}{
		{"events", "/page/events", func(t *testing.T, s *streams) io.Reader {
			return body(t, newClient(t), request(t, "GET", s.URL("/page/events"), s.token, ""))
		}},
		{"events over HTTP/2", "/page/events2", func(t *testing.T, s *streams) io.Reader {
			return body(t, &http.Client{Transport: newHTTP2(t)}, request(t, "GET", s.URL("/page/events2"), s.token, ""))
		}},
		{"a client that asks for longer", "/page/longer", func(t *testing.T, s *streams) io.Reader {
			r := request(t, "GET", s.URL("/page/longer"), s.token, "")
			r.Header.Set(wire.HeaderDeadline, "600000")
			r.Header.Set("X-Envoy-Upstream-Rq-Timeout-Ms", "600000")
			return body(t, newClient(t), r)
		}},
		{"a tool that streams", "search_code", func(t *testing.T, s *streams) io.Reader {
			return body(t, newClient(t), request(t, "POST", s.URL("/mcp"), s.token, searchCall))
		}},
		{"a WebSocket", "/page/ws", webSocket},
		{"a tunnel", "web.example", func(t *testing.T, s *streams) io.Reader {
			w, a := tunnel(t, s.Gateway, "web.example:"+s.web.port(), s.token)
			a.want(t, 200, "")
			return secureStream(t, s, w)
		}},
		{"a tunnel over HTTP/2", "web.example", func(t *testing.T, s *streams) io.Reader {
			c, a := tunnel2(t, s.Gateway, "web.example:"+s.web.port(), s.token)
			a.want(t, 200, "")
			return secureStream(t, s, c)
		}},
		{"plain inside a tunnel", "/inside", func(t *testing.T, s *streams) io.Reader {
			w, a := tunnel(t, s.Gateway, "site.example:"+s.site.port(), s.token)
			a.want(t, 200, "")
			w.say(t, "GET /inside HTTP/1.1\r\nHost: site.example:"+s.site.port()+"\r\n\r\n")
			return w.hear(t, "GET").Body
		}},
		{"absolute form", "/absolute", func(t *testing.T, s *streams) io.Reader {
			w := dial(t, s.Proxy)
			w.say(t, "GET http://site.example:"+s.site.port()+"/absolute HTTP/1.1\r\nHost: x\r\n"+proxyAuth(s.token)+"\r\n")
			return w.hear(t, "GET").Body
		}},
		{"gRPC", "/grpc.health.v1.Health/Watch", grpcStream},
	} {
		end := begin(tc.open(t, s))
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := <-end
			late := e.at.Sub(s.ends)
			if e.bytes == 0 || late < -300*time.Millisecond || late > 2*time.Second {
				t.Errorf("after %d bytes it ended %s after the token: %v", e.bytes, late, e.err)
			}
			s.endedAs(t, audit.EndExpired, func(r audit.Record) bool { return r.Path == tc.path || r.Name == tc.path || r.Host == tc.path })
		})
	}
}

// ending is how a client saw a stream end.
type ending struct {
	bytes int64
	at    time.Time
	err   error
}

// begin reads a stream to its end.
func begin(r io.Reader) <-chan ending {
	out := make(chan ending, 1)
	go func() {
		n, err := io.Copy(io.Discard, r)
		out <- ending{n, time.Now(), err}
	}()
	return out
}

// endedAs waits for the end of a hop, by its beginning.
func (s *streams) endedAs(t *testing.T, want audit.End, fits func(audit.Record) bool) audit.Record {
	t.Helper()
	first := s.Recorded(t, "the beginning of a stream", func(r audit.Record) bool { return r.Kind == audit.KindBegin && fits(r) })
	end := s.Recorded(t, "its end", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Hop == first.Hop })
	if end.End != want || end.Txn != first.Txn {
		t.Errorf("the record of %s %s ends as %q (%s), want %q", first.Method, first.Path, end.End, end.Detail, want)
	}
	return end
}

func request(t testing.TB, method, url, token, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Txn-Token", token)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// body begins a request whose answer streams.
func body(t testing.TB, c *http.Client, r *http.Request) io.Reader {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("answer %+v", read(t, res))
	}
	return res.Body
}

func webSocket(t *testing.T, s *streams) io.Reader {
	w := dial(t, s.HTTP)
	w.say(t, "GET /page/ws HTTP/1.1\r\nHost: x\r\nTxn-Token: "+s.token+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if res := w.hear(t, "GET"); res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", res.StatusCode)
	}
	return w
}

func secureStream(t *testing.T, s *streams, c net.Conn) io.Reader {
	sc := tls.Client(c, s.web.clientTLS("web.example"))
	if _, err := fmt.Fprint(sc, "GET /x HTTP/1.1\r\nHost: web.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(sc), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res.Body
}

func grpcStream(t *testing.T, s *streams) io.Reader {
	c, err := grpc.NewClient(fmt.Sprint("127.0.0.1:", s.HTTP), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx := metadata.AppendToOutgoingContext(t.Context(), "txn-token", s.token)
	w, err := healthv1.NewHealthClient(c).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return watched{w}
}

// watched reads one byte for each message.
type watched struct {
	stream grpc.ServerStreamingClient[healthv1.HealthCheckResponse]
}

func (w watched) Read(p []byte) (int, error) {
	if _, err := w.stream.Recv(); err != nil {
		return 0, err
	}
	p[0] = 'x'
	return 1, nil
}
