package desired

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/serve"
)

// served is a real Envoy with our bootstrap, on a server with our resources.
// What it is asked is noted, and never decided.
type served struct {
	t       *testing.T
	s       *serve.Server
	asked   *undecided
	builder *Builder
}

// undecided fails at every question.
type undecided struct {
	authv3.UnimplementedAuthorizationServer
	mu    sync.Mutex
	about []string // guarded by mu; method and target of each question
}

func (u *undecided) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := r.GetAttributes()
	u.about = append(u.about, a.GetRequest().GetHttp().GetMethod()+" "+a.GetContextExtensions()[wire.ContextTarget])
	return nil, errors.New("nobody decides")
}

// take gives the questions since the last call.
func (u *undecided) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := u.about
	u.about = nil
	return out
}

func startEnvoy(t *testing.T) *served {
	t.Helper()
	path, dir := testenv.Envoy(t), testenv.ShortDir(t)
	set := envoy.Settings{Socket: filepath.Join(dir, "guard.sock"), DNSPort: uint16(testenv.Port(t)), TrustedCA: filepath.Join(dir, "roots.pem")}
	chain, _ := certificate(t)
	if err := os.WriteFile(set.TrustedCA, chain, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := serve.New(serve.Config{Check: envoy.Check, MaxBytes: envoy.MaxMessage - 1<<20, Linger: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	asked := &undecided{}
	listen(t, set.Socket, s, asked)
	boot, err := protojson.Marshal(envoy.Bootstrap{NodeID: "test", AdminSocket: filepath.Join(dir, "admin.sock")}.Message(set))
	if err != nil {
		t.Fatal(err)
	}
	run(t, path, dir, boot)
	return &served{t: t, s: s, asked: asked, builder: New(set)}
}

// listen serves ADS and Check on the guard's socket.
func listen(t *testing.T, socket string, s *serve.Server, a *undecided) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, s)
	authv3.RegisterAuthorizationServer(g, a)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 2)
	go func() { ran <- s.Run(ctx) }()
	go func() { ran <- g.Serve(l) }()
	t.Cleanup(func() {
		cancel()
		g.Stop()
		for range 2 {
			if err := <-ran; err != nil {
				t.Error(err)
			}
		}
	})
}

func run(t *testing.T, path, dir string, boot []byte) {
	t.Helper()
	file := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(file, boot, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", file, "--use-dynamic-base-id", "--reject-unknown-dynamic-fields", "--concurrency", "1", "-l", "warning")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("envoy said:\n%s", log.String())
		}
	})
}

// take has Envoy take g, all of it.
func (e *served) take(g *graph.Graph) {
	e.t.Helper()
	rev, err := e.s.Set(e.builder.Resources(g))
	if err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(e.t.Context(), 60*time.Second)
	defer cancel()
	if err := e.s.Wait(ctx, rev); err != nil {
		e.t.Fatal(err)
	}
	st := e.s.Snapshot()
	if len(st.Parked) != 0 || st.Streams[0].Refused != 0 || st.Streams[0].Overdue != 0 {
		e.t.Fatalf("refused: %+v, counts %+v", st.Parked, st.Streams[0].Counts)
	}
}

// withPorts is the fixture on ports that are free, with a certificate.
func withPorts(t *testing.T) *graph.Graph {
	t.Helper()
	g := fixture()
	for _, l := range g.Listeners {
		l.Port = uint16(testenv.Port(t))
	}
	chain, key := certificate(t)
	tls := g.Listeners[2].TLS
	tls.Certificates[0].Chain, tls.Certificates[0].Key, tls.ClientCA = chain, key, chain
	return g
}

func certificate(t *testing.T) (chain, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// ask gives the status of a request, or the error.
func ask(t *testing.T, method string, port uint16, host, path string) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n", method, path, host)
	buf := make([]byte, len("HTTP/1.1 200"))
	if _, err := conn.Read(buf); err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(string(buf), "HTTP/1.1 ")
}

// TestEnvoyTakesEverything brings one of everything to a real Envoy, which
// refuses fields that it does not know. Every request is a question, and with
// nobody to decide every way in is shut.
func TestEnvoyTakesEverything(t *testing.T) {
	t.Parallel()
	e := startEnvoy(t)
	g := withPorts(t)
	e.take(g)
	tool := "e=route;g=agents/egress;l=agents;r=agents/tools;n=#0;s=Tools;b=Service/agents/tools/80;m=1048576"
	proxy := "e=proxy;g=agents/egress;l=proxy"
	for _, q := range []struct{ name, method, host, path, want string }{
		{"a tool", http.MethodGet, "a.example", "/mcp", tool},
		{"no route", http.MethodGet, "a.example", "/nothing", "e=route;g=agents/egress"},
		{"a tunnel", http.MethodConnect, "a.example:443", "a.example:443", proxy},
		{"a tunnel to a surface", http.MethodConnect, "llm.example:443", "llm.example:443", proxy},
		{"an absolute form", http.MethodGet, "a.example", "http://a.example/", proxy},
		{"a surface", http.MethodGet, "llm.example:443", "http://llm.example:443/v1", proxy + ";s=Models;b=XBackend/agents/llm;m=16777216"},
	} {
		port := g.Listeners[0].Port
		if strings.HasPrefix(q.want, "e=route") {
			port = g.Listeners[1].Port
		}
		if got := ask(t, q.method, port, q.host, q.path); got != "503" {
			t.Errorf("%s: %s, want 503", q.name, got)
		}
		if diff := cmp.Diff([]string{q.method + " " + q.want}, e.asked.take()); diff != "" {
			t.Errorf("%s: questions differ (-want +got):\n%s", q.name, diff)
		}
	}
	// An edit of one route, and its way back.
	next := *g
	table := *g.Tables[1]
	table.Fragments = table.Fragments[:1]
	next.Tables = replaced(g.Tables, 1, &table)
	e.take(&next)
	e.take(g)
	e.take(&graph.Graph{})
	testenv.Wait(t, "closed ports", func() bool {
		return strings.Contains(ask(t, http.MethodGet, g.Listeners[1].Port, "a.example", "/mcp"), "refused")
	})
}

// TestEnvoyTakesALargeTable: one that is larger than what gRPC takes unless it
// is told otherwise.
func TestEnvoyTakesALargeTable(t *testing.T) {
	t.Parallel()
	e := startEnvoy(t)
	g := withPorts(t)
	for i := range 12_000 {
		g.Tables[1].Fragments = append(g.Tables[1].Fragments, route(fmt.Sprintf("route-%05d-%s", i, strings.Repeat("x", 100)), fmt.Sprintf("/p%d", i), "Tools", "Service/agents/tools/80"))
	}
	rs := e.builder.Resources(g)
	for _, r := range rs {
		if label(r) == "RouteConfiguration agents/egress/8080" {
			if n := len(bytesOf(t, r)); n < 5<<20 {
				t.Fatalf("the table has %d bytes: it proves nothing", n)
			}
		}
	}
	e.take(g)
	testenv.Wait(t, "an open port", func() bool { return ask(t, http.MethodGet, g.Listeners[1].Port, "a.example", "/p11999") == "503" })
}
