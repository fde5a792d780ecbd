// Package testgateway runs the whole product inside a test, with a real Envoy.
package testgateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
)

// Gateway is the whole product in this process, on free ports, with a real
// Envoy.
type Gateway struct {
	*laptop.Laptop
	// Files is the folder with the objects, State the state folder.
	Files, State string
	// Proxy and HTTP are the ports of the two listeners that Listeners has.
	Proxy, HTTP int
	Log         *Buffer
	// Told is what people were told.
	Told *Reports

	t    testing.TB
	stop func() error

	mu      sync.Mutex
	read    int64          // guarded by mu; how far the record was read
	records []audit.Record // guarded by mu
}

// Option changes how a Gateway is run.
type Option func(*laptop.Config)

// Listeners is a Gateway object named egress with a proxy and an HTTP
// listener. PROXY and HTTP stand for ports, JWKS for the local key, in any
// object.
const Listeners = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  gatewayClassName: hopgate
  infrastructure: {parametersRef: {group: hopgate.dev, kind: GatewayConfig, name: egress}}
  listeners:
  - {name: proxy, port: ${PROXY}, protocol: hopgate.dev/Proxy}
  - {name: agents, port: ${HTTP}, protocol: HTTP}
---
`

// Run starts a Gateway with these objects, by file name, and waits until it is
// ready. It ends with the test.
func Run(t testing.TB, objects map[string]string, opts ...Option) *Gateway {
	t.Helper()
	g := Start(t, objects, opts...)
	testenv.Wait(t, "the gateway to be ready", g.Ready)
	return g
}

// Start is Run without waiting.
func Start(t testing.TB, objects map[string]string, opts ...Option) *Gateway {
	t.Helper()
	g := New(t, objects)
	g.Launch(opts...)
	return g
}

// New is Start without starting anything.
func New(t testing.TB, objects map[string]string) *Gateway {
	t.Helper()
	g := &Gateway{t: t, Files: t.TempDir(), State: t.TempDir(), Proxy: testenv.Port(t), HTTP: testenv.Port(t), Log: &Buffer{}, Told: &Reports{}}
	for name, text := range objects {
		g.Write(name, text)
	}
	return g
}

// Launch starts the product, or starts it again on the same folders after Stop.
func (g *Gateway) Launch(opts ...Option) {
	g.t.Helper()
	cfg := laptop.Config{
		Paths: []string{g.Files}, State: g.State, Envoy: testenv.Envoy(g.t), Concurrency: 2, Grace: 5 * time.Second, Version: "test",
		Getenv: os.Getenv, Report: g.Told,
		Log: slog.New(slog.NewTextHandler(g.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, o := range opts {
		o(&cfg)
	}
	l, err := laptop.New(g.t.Context(), cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	g.Laptop = l
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	g.stop = sync.OnceValue(func() error { cancel(); return <-done })
	g.t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			g.t.Errorf("the gateway ended badly: %v", err)
		}
		if g.t.Failed() {
			g.t.Logf("told:\n%s\nlog:\n%s", g.Told, g.Log)
		}
	})
}

// Stop drains and ends the product.
func (g *Gateway) Stop() error { return g.stop() }

// Write writes a file of objects, as an editor would: by a rename.
func (g *Gateway) Write(name, text string) {
	g.t.Helper()
	text = strings.NewReplacer("${PROXY}", fmt.Sprint(g.Proxy), "${HTTP}", fmt.Sprint(g.HTTP), "${JWKS}", string(g.Key().JWKS())).Replace(text)
	path := filepath.Join(g.Files, name)
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		g.t.Fatal(err)
	}
}

// URL is a page of the HTTP listener.
func (g *Gateway) URL(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", g.HTTP, path) }

// ProxyURL is that of the proxy, with a token as the password; empty: none.
func (g *Gateway) ProxyURL(token string) string {
	if token == "" {
		return fmt.Sprintf("http://127.0.0.1:%d", g.Proxy)
	}
	return fmt.Sprintf("http://agent:%s@127.0.0.1:%d", token, g.Proxy)
}

// Records are all lines of the audit record by now. Nobody may change them.
func (g *Gateway) Records(t testing.TB) []audit.Record {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	f, err := os.Open(laptop.AuditFile(g.State))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.NewSectionReader(f, g.read, math.MaxInt64-g.read))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		r, err := audit.Decode(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		g.records, g.read = append(g.records, r), g.read+int64(len(line))
	}
	return slices.Clip(g.records)
}

// Recorded waits for a record that fits.
func (g *Gateway) Recorded(t testing.TB, what string, fits func(audit.Record) bool) audit.Record {
	t.Helper()
	var found audit.Record
	testenv.Wait(t, "a record: "+what, func() bool {
		for _, r := range g.Records(t) {
			if fits(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// HealthOn has readiness and metrics served at an address.
func HealthOn(a netip.AddrPort) Option { return func(c *laptop.Config) { c.Health = a } }

// Buffer is a log. It is safe for concurrent use.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

// Write adds to the log.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
