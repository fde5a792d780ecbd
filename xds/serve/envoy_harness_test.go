package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"github.com/hopgate/hopgate/internal/testenv"
)

// bench is a Server on a socket, and a real Envoy on it.
type bench struct {
	t      testing.TB
	s      *Server
	dir    string
	seen   *seen
	grpc   *grpc.Server
	cancel context.CancelFunc
	ran    chan error
	client *http.Client
	// mute loses responses with endpoints.
	mute atomic.Bool
}

// seen keeps the last outcomes for tests with goroutines.
type seen struct {
	mu sync.Mutex
	told
}

func (s *seen) Observe(outs []Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told.Observe(outs)
}

func (s *seen) states() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told.states()
}

// newBench starts a server with its resources, and an Envoy.
func newBench(t testing.TB, cfg Config) *bench {
	t.Helper()
	path := testenv.Envoy(t)
	b := &bench{t: t, dir: testenv.ShortDir(t), client: &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second,
	}}
	b.startServer(cfg)
	t.Cleanup(func() { b.stopServer() })
	b.startEnvoy(path)
	return b
}

func (b *bench) startServer(cfg Config) {
	b.t.Helper()
	b.seen = &seen{}
	cfg.Observer = b.seen
	s, err := New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	socket := filepath.Join(b.dir, "xds.sock")
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.t.Fatal(err)
	}
	b.s, b.grpc = s, grpc.NewServer(grpc.StreamInterceptor(b.lose))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(b.grpc, s)
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.ran = cancel, make(chan error, 2)
	go func() { b.ran <- s.Run(ctx) }()
	go func(g *grpc.Server) { b.ran <- g.Serve(l) }(b.grpc)
}

// lose is between the server and the wire.
func (b *bench) lose(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	return h(srv, &lossy{ss, &b.mute})
}

type lossy struct {
	grpc.ServerStream
	mute *atomic.Bool
}

func (l *lossy) SendMsg(m any) error {
	if r, ok := m.(*discoveryv3.DeltaDiscoveryResponse); ok && l.mute.Load() && r.GetTypeUrl() == TypeEndpoint {
		return nil
	}
	return l.ServerStream.SendMsg(m)
}

func (b *bench) stopServer() {
	b.cancel()
	b.grpc.Stop()
	for range 2 {
		if err := <-b.ran; err != nil {
			b.t.Error(err)
		}
	}
}

func (b *bench) startEnvoy(path string) {
	b.t.Helper()
	boot := filepath.Join(b.dir, "boot.json")
	if err := os.WriteFile(boot, []byte(b.bootstrap()), 0o600); err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", boot, "--use-dynamic-base-id", "--reject-unknown-dynamic-fields", "--concurrency", "2", "-l", envoyLogLevel())
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if b.t.Failed() {
			b.t.Logf("envoy said:\n%s", log.String())
		}
	})
}

// envoyLogLevel is warning, unless ENVOY_LOG says otherwise.
func envoyLogLevel() string {
	if l := os.Getenv("ENVOY_LOG"); l != "" {
		return l
	}
	return "warning"
}

func (b *bench) bootstrap() string {
	j, err := json.Marshal(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.ReplaceAll(`{
"node": {"id": "test", "cluster": "test"},
"admin": {"address": {"pipe": {"path": DIR/admin.sock"}}},
"dynamic_resources": {
  "ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}]},
  "cds_config": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
  "lds_config": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}},
"static_resources": {"clusters": [{"name": "xds", "connect_timeout": "1s",
  "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    "explicit_http_config": {"http2_protocol_options": {}}}},
  "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": DIR/xds.sock"}}}}]}]}}]}
}`, "DIR", strings.TrimSuffix(string(j), `"`))
}

// admin reads a page of Envoy's admin interface; "": it does not answer.
func (b *bench) admin(path string) string {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(b.dir, "admin.sock"))
	}}}
	resp, err := c.Get("http://admin" + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(raw)
}

// stat is one counter or gauge.
func (b *bench) stat(name string) string {
	for line := range strings.Lines(b.admin("/stats?filter=^" + name + "$")) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && k == name {
			return v
		}
	}
	return ""
}

func (b *bench) set(rs ...*Resource) Revision {
	b.t.Helper()
	rev, err := b.s.Set(rs)
	if err != nil {
		b.t.Fatal(err)
	}
	return rev
}

// wait waits until a revision is live.
func (b *bench) wait(rev Revision) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	if err := b.s.Wait(ctx, rev); err != nil {
		b.t.Fatalf("%v: %+v", err, b.s.Snapshot())
	}
}

// get asks a listener for a host, and gives the status or the error, and the body.
func (b *bench) get(port int, host string) string {
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Host = host
	resp, err := b.client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(resp.StatusCode, " ", string(raw))
}

// until waits until a request has this answer.
func (b *bench) until(port int, host, want string) {
	b.t.Helper()
	testenv.Wait(b.t, host+" answers "+want, func() bool { return b.get(port, host) == want })
}

// freePort is a port below those that the system gives to connections that go
// out: the requests of other tests would take it.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		p := 15000 + rand.IntN(15000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p)); err == nil {
			l.Close()
			return p
		}
	}
	t.Fatal("no free port")
	return 0
}

// upstream answers with its name.
func upstream(t testing.TB, name string) netip.AddrPort {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
	t.Cleanup(srv.Close)
	return netip.MustParseAddrPort(srv.Listener.Addr().String())
}
