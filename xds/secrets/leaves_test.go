package secrets

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func leaves(t testing.TB, change func(*Config), permit ...string) *Leaves {
	t.Helper()
	_, _, ca := made(t, permit...)
	cfg := Config{CA: ca, Now: now, Rand: rand.Reader}
	if change != nil {
		change(&cfg)
	}
	l, err := NewLeaves(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func approve(t testing.TB, l *Leaves, name string) (release func()) {
	t.Helper()
	release, err := l.Approve(name)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func TestApprove(t *testing.T) {
	t.Parallel()
	l := leaves(t, nil, "corp.example")
	w := newWatch()
	if _, ok := l.leaf("a.corp.example", w); ok {
		t.Error("a name has a leaf that nobody approved")
	}
	first, second := approve(t, l, "A.corp.example"), approve(t, l, "a.corp.example")
	one, ok := l.leaf("a.CORP.example", w)
	if !ok || l.Names() != 1 {
		t.Fatalf("no leaf for an approved name, %d names", l.Names())
	}
	verify(t, l.cfg.CA, one, "a.corp.example")
	first()
	first()
	if _, ok := l.leaf("a.corp.example", newWatch()); !ok {
		t.Error("one of two took its approval back twice")
	}
	second()
	if _, ok := l.leaf("a.corp.example", newWatch()); ok {
		t.Error("a leaf for a name that is not approved any more")
	}
	if again, ok := l.leaf("a.corp.example", w); !ok || again != one {
		t.Error("who had the leaf has lost it at once")
	}
	if _, err := l.Approve("a.example"); !errors.Is(err, ErrName) {
		t.Errorf("a name that the CA may not sign for: %v", err)
	}
	if _, err := l.Approve("10.0.0.1"); !errors.Is(err, ErrName) {
		t.Errorf("an address: %v", err)
	}
}

// TestBounds: of names, and of streams for one of them.
func TestBounds(t *testing.T) {
	t.Parallel()
	l := leaves(t, func(c *Config) { c.MaxNames = 3 })
	for i := range 3 {
		defer approve(t, l, fmt.Sprintf("a%d.example", i))()
	}
	if _, err := l.Approve("b.example"); !errors.Is(err, ErrMany) {
		t.Errorf("a fourth of three: %v", err)
	}
	defer approve(t, l, "a1.example")()
	var ws []*watch
	for range maxWatches {
		w := newWatch()
		if _, ok := l.leaf("a0.example", w); !ok {
			t.Fatal("no leaf")
		}
		ws = append(ws, w)
	}
	if _, ok := l.leaf("a0.example", newWatch()); ok {
		t.Error("streams of one name are not bounded")
	}
	l.unwatch("a0.example", ws[0])
	if _, ok := l.leaf("a0.example", newWatch()); !ok {
		t.Error("a stream that ended is still counted")
	}
}

// TestLingering: what nobody uses makes room at once, where room is needed.
func TestLingering(t *testing.T) {
	t.Parallel()
	l := leaves(t, func(c *Config) { c.MaxNames = 1 })
	approve(t, l, "a.example")()
	defer approve(t, l, "b.example")()
	if l.Names() != 1 {
		t.Errorf("%d names of one", l.Names())
	}
}

// TestRun: leaves are minted again before they end, and forgotten when nobody
// has used them for some time.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := leaves(t, func(c *Config) {
			begun := time.Now()
			c.Now = func() time.Time { return now().Add(time.Since(begun)) }
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		w := newWatch()
		release := approve(t, l, "a.example")
		first, _ := l.leaf("a.example", w)
		time.Sleep(7 * time.Hour) // of the test's clock
		if again, _ := l.leaf("a.example", w); again != first {
			t.Error("it was minted again while it was good")
		}
		time.Sleep(2 * time.Hour) // of the test's clock
		again, ok := l.leaf("a.example", w)
		if !ok || again.Version == first.Version || len(w.wake) != 1 {
			t.Error("it was not minted again, or nobody was told")
		}
		<-w.wake
		release()
		time.Sleep(30 * time.Second) // of the test's clock
		if l.Names() != 1 {
			t.Error("it did not linger")
		}
		time.Sleep(time.Minute) // of the test's clock
		if _, ok := l.leaf("a.example", w); ok || l.Names() != 0 || len(w.wake) != 1 {
			t.Error("it was not forgotten, or nobody was told")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestApproveMintsAgain: whoever comes when a leaf is about to end gets another.
func TestApproveMintsAgain(t *testing.T) {
	t.Parallel()
	at := now()
	l := leaves(t, func(c *Config) { c.Now = func() time.Time { return at } })
	defer approve(t, l, "a.example")()
	w := newWatch()
	first, _ := l.leaf("a.example", w)
	at = at.Add(11 * time.Hour)
	defer approve(t, l, "a.example")()
	if again, ok := l.leaf("a.example", w); !ok || again == first || l.Names() != 1 {
		t.Error("it is the old one")
	}
}

// serve serves leaves to a client.
func serve(t testing.TB, l *Leaves) secretv3.SecretDiscoveryServiceClient {
	t.Helper()
	in := bufconn.Listen(1 << 16)
	s := grpc.NewServer()
	secretv3.RegisterSecretDiscoveryServiceServer(s, NewServer(l))
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(in) }) // it ends when it is stopped
	c, err := grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return in.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Stop(); wg.Wait() })
	return secretv3.NewSecretDiscoveryServiceClient(c)
}

func open(t testing.TB, c secretv3.SecretDiscoveryServiceClient) secretv3.SecretDiscoveryService_DeltaSecretsClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	s, err := c.DeltaSecrets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(t testing.TB, s secretv3.SecretDiscoveryService_DeltaSecretsClient, names ...string) *discoveryv3.DeltaDiscoveryResponse {
	t.Helper()
	if err := s.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: secretType, ResourceNamesSubscribe: names}); err != nil {
		t.Fatal(err)
	}
	r, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestServer(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	l := leaves(t, func(c *Config) { c.Now = func() time.Time { return now().Add(time.Duration(passed.Load())) } })
	c := serve(t, l)
	release := approve(t, l, "a.example")
	s := open(t, c)
	r := ask(t, s, "A.example", "b.example")
	if len(r.GetResources()) != 1 || r.GetResources()[0].GetName() != "A.example" || len(r.GetRemovedResources()) != 1 || r.GetRemovedResources()[0] != "b.example" {
		t.Errorf("%v, without %v", len(r.GetResources()), r.GetRemovedResources())
	}
	// It is told of the end by itself.
	release()
	passed.Store(int64(time.Hour))
	l.tidy()
	r, err := s.Recv()
	if err != nil || len(r.GetRemovedResources()) != 1 || r.GetRemovedResources()[0] != "A.example" {
		t.Errorf("%v, %v", r.GetRemovedResources(), err)
	}
	if l.Names() != 0 {
		t.Error("something is kept")
	}
}

func TestServerRefuses(t *testing.T) {
	t.Parallel()
	l := leaves(t, nil)
	c := serve(t, l)
	other := open(t, c)
	if err := other.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster"}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("another type: %v", err)
	}
	defer approve(t, l, "a.example")()
	many := open(t, c)
	var names []string
	for i := range maxPerStream + 1 {
		names = append(names, strings.Repeat("a", i+1)+".example")
	}
	if err := many.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: secretType, ResourceNamesSubscribe: names}); err != nil {
		t.Fatal(err)
	}
	if _, err := many.Recv(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("many names: %v", err)
	}
}

// TestStorm: names that nobody approved are refused, each once, and nothing of
// them is kept.
func TestStorm(t *testing.T) {
	t.Parallel()
	l := leaves(t, nil)
	c := serve(t, l)
	defer approve(t, l, "a.example")()
	good := open(t, c)
	ask(t, good, "a.example")
	for i := range 3000 {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := c.DeltaSecrets(ctx)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("x%d.example", i)
		if r := ask(t, s, name); len(r.GetResources()) != 0 || len(r.GetRemovedResources()) != 1 {
			t.Fatalf("%s: %v", name, r)
		}
		cancel()
	}
	if l.Names() != 1 {
		t.Errorf("%d names are kept", l.Names())
	}
	if r := ask(t, open(t, c), "a.example"); len(r.GetResources()) != 1 {
		t.Error("after a storm the approved name is not served")
	}
}

// FuzzPlain: what is minted for is what the standard library takes for a host.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "a.example", "10.0.0.1", "a..b", "*.a", "xn--a.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !plain(s) {
			return
		}
		if net.ParseIP(s) != nil || strings.ContainsAny(s, "*/:[]@%,; ") || strings.ToLower(s) != s {
			t.Errorf("%q is taken for a host", s)
		}
	})
}
