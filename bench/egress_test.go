package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/bench/network"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/xds/envoy"
)

// quickBench is a run that measures next to nothing, by a real Envoy.
func quickBench(t *testing.T) *bench {
	t.Helper()
	return &bench{
		options: options{quick: true, seconds: 1}, progress: progress{out: io.Discard, begun: time.Now()},
		dir: testenv.ShortDir(t), binary: testenv.Envoy(t),
	}
}

// The objects are good, whoever answers the names.
func TestEgressLayout(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]egressLayout{
		"hosts":    {port: 18080, secure: 18443, plain: 18081},
		"resolver": {port: 18080, secure: 443, plain: 80, resolver: "127.0.0.1:5353"},
	} {
		dir := t.TempDir()
		for _, d := range []string{objectsDir, stateDir} {
			if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.write(filepath.Join(dir, objectsDir)); err != nil {
			t.Fatal(err)
		}
		r, err := laptop.Look([]string{filepath.Join(dir, objectsDir)}, filepath.Join(dir, stateDir), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if !r.Good() || len(r.Feed.Policies[0].Rules) != 4 {
			t.Errorf("%s: problems: %v", name, r.Worst())
		}
	}
}

// What Envoy alone is configured by is what its own rules allow.
func TestAlone(t *testing.T) {
	t.Parallel()
	a, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddr("127.0.0.1")
	v := alone{
		port: 18080, secure: netip.AddrPortFrom(at, 18443), plain: netip.AddrPortFrom(at, 18081),
		roots: filepath.Join(t.TempDir(), rootsFile),
	}
	if err := v.fill(a); err != nil {
		t.Fatal(err)
	}
	boot, err := v.bootstrap("/run/bench")
	if err != nil {
		t.Fatal(err)
	}
	if err := envoy.Check(boot); err != nil {
		t.Error(err)
	}
	if res := boot.GetStaticResources(); boot.GetDynamicResources() != nil || len(res.GetClusters()) != 4 || len(res.GetListeners()) != 2 {
		t.Errorf("dynamic %v, %d clusters, %d listeners", boot.GetDynamicResources(), len(res.GetClusters()), len(res.GetListeners()))
	}
}

// Every road leads to the site, and is what it says: whose certificate a client
// sees tells where its TLS ends.
func TestRoads(t *testing.T) {
	t.Parallel()
	b := quickBench(t)
	l, err := b.newCountry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { // a cleanup would be late: the context has ended then
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}()
	gateway := laptop.CAIn(filepath.Join(b.dir, "egress-hopgate", stateDir)).Cert
	for _, r := range l.roads {
		for _, host := range []string{hostPassed, hostInspected} {
			c, err := r.open(t.Context(), host)
			if err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
			if err := c.must(r.page(host, pathPage)); err != nil {
				t.Errorf("%s, %s: %v", r.name, host, err)
			}
			shown := c.conn.(*tls.Conn).ConnectionState().VerifiedChains[0]
			minted := holdsCertificate(t, gateway, certificatePEM(shown[len(shown)-1].Raw))
			if want := r.guard != nil && host == hostInspected; minted != want {
				t.Errorf("%s, %s: minted by the gateway: %v, want %v", r.name, host, minted, want)
			}
			c.close()
		}
		c, err := r.openClear(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		if err := c.must(r.clear(hostPlain)); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		c.close()
	}
	for _, k := range []cargo{{"down", pathDown, 2}, {"up", pathUp, 2}} {
		for _, r := range l.roads {
			if c, err := k.by(t.Context(), l.site, r, 50*time.Millisecond); err != nil || c.bytes == 0 {
				t.Errorf("%s by %s: %d bytes, %v", k.name, r.name, c.bytes, err)
			}
		}
	}
}

// Of the roads that differ in who reads what a tunnel begins with, all lead to
// the site, and what follows is read on the one that says so.
func TestStraits(t *testing.T) {
	t.Parallel()
	l, err := quickBench(t).newStraits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, r := range l.roads {
		if _, err := shaking(r).press(t.Context(), nil, time.Millisecond); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		if r.groups == nil { // who is followed may not send that fast
			c, err := (cargo{"up", pathUp, 1}).by(t.Context(), l.site, r, 50*time.Millisecond)
			if err != nil || c.bytes == 0 {
				t.Fatalf("%s: %d bytes, %v", r.name, c.bytes, err)
			}
		}
		w := way{guard: r.guard}
		before, err := w.guardUsed()
		if err != nil {
			t.Fatal(err)
		}
		v, page := alreadyThere(r)
		if _, err := v.press(t.Context(), page, time.Millisecond); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		after, err := w.guardUsed()
		if err != nil {
			t.Fatal(err)
		}
		if read := after.Mallocs > before.Mallocs; read != (r.guard != nil) {
			t.Errorf("%s: the guard had to do: %v", r.name, read)
		}
		if err := v.close(); err != nil {
			t.Error(err)
		}
	}
}

func holdsCertificate(t *testing.T, path string, pem []byte) bool {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw)) == strings.TrimSpace(string(pem))
}

// Abroad every name is found, what is inspected is known for it, and a name
// that is made up gets nothing.
func TestAbroad(t *testing.T) {
	t.Parallel()
	n, err := network.New()
	if err != nil {
		t.Skipf("NOT TESTED, for want of root: %v", err)
	}
	defer n.Close()
	l, err := quickBench(t).newAbroad(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}()
	before, err := l.weigh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one." + hostPassed, "two." + hostPassed, "one." + hostInspected} {
		if err := l.visit(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var s tempest
	s.gust(t.Context(), l.road)
	if s.tried.Load() != 1 || s.let.Load() != 0 || s.closed.Load() != 0 {
		t.Errorf("%d tried, %d let in, %d tunnels did not open", s.tried.Load(), s.let.Load(), s.closed.Load())
	}
	w, err := l.weigh(t.Context())
	if err != nil || w.names-before.names != 2 || w.hosts == 0 || w.guard == 0 || w.envoy == 0 {
		t.Errorf("%+v, before %+v, %v", w, before, err)
	}
}

// What is down is sent, and what is up is counted.
func TestSite(t *testing.T) {
	t.Parallel()
	a, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.sign(hostPassed)
	if err != nil {
		t.Fatal(err)
	}
	var ls [2]net.Listener
	for i := range ls {
		if ls[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(ls[0], ls[1], cert)
	r := &road{secure: portOf(s.secure), plain: portOf(s.plain), dial: dialLocal}
	if r.trust, err = trusted(certificatePEM(a.cert.Raw)); err != nil {
		t.Fatal(err)
	}
	down, err := r.open(t.Context(), hostPassed)
	if err != nil {
		t.Fatal(err)
	}
	if err := down.begin(r.page(hostPassed, pathDown)); err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, down.in, 3*blockSize); err != nil {
		t.Errorf("down: %d bytes, %v", n, err)
	}
	up, err := r.open(t.Context(), hostPassed)
	if err != nil {
		t.Fatal(err)
	}
	if err := up.begin(r.page(hostPassed, pathUp)); err != nil {
		t.Fatal(err)
	}
	if _, err := up.conn.Write(make([]byte, 3*blockSize)); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "all that was sent to come", func() bool { return s.taken.Load() == 3*blockSize })
	if err := (crowd{down, up}).abandon(); err != nil {
		t.Error(err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// Who is not answered is counted; where nobody is, there is nothing to measure.
func TestVisitors(t *testing.T) {
	t.Parallel()
	up, err := newUpstream()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := up.close(); err != nil {
			t.Error(err)
		}
	})
	closed := errors.New("closed")
	n := 0
	v := newVisitors(1, func(ctx context.Context) (*caller, error) {
		if n++; n%2 == 0 {
			return nil, closed
		}
		return dial(ctx, portOf(up))
	})
	took, err := v.press(t.Context(), requestFor(pathPage, "t"), 50*time.Millisecond)
	if err != nil || len(took) == 0 || len(took)+v.failed != n || !errors.Is(v.first, closed) && n > 1 {
		t.Errorf("%d of %d, %d failed, %v, %v", len(took), n, v.failed, v.first, err)
	}
	v.stay, v.failed, n = true, 0, 0
	took, err = v.press(t.Context(), requestFor(pathPage, "t"), 50*time.Millisecond)
	if err != nil || len(took) == 0 || n != 1 || v.failed != 0 || v.here[0] == nil {
		t.Errorf("who stays came %d times: %d answers, %d failed, %v", n, len(took), v.failed, err)
	}
	if err := v.close(); err != nil {
		t.Error(err)
	}
	never := newVisitors(2, func(context.Context) (*caller, error) { return nil, closed })
	if _, err := never.press(t.Context(), nil, time.Millisecond); !errors.Is(err, closed) {
		t.Errorf("%v, want %v", err, closed)
	}
}

// Every list allows its last host by its last rule, however many there are.
func TestLists(t *testing.T) {
	t.Parallel()
	c, err := policy.New(policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lists() {
		for _, n := range []int{1, 10, 300} {
			if _, err := l.work(c, n); err != nil {
				t.Error(err)
			}
		}
	}
}

// What is forgotten is nothing, and what is let in is too much.
func TestEgressBudgets(t *testing.T) {
	t.Parallel()
	c := &census{n: 10, took: make([]time.Duration, 10), again: make([]time.Duration, 1), before: weight{guard: 1}, after: weight{guard: 10*kibibyte + 1, hosts: 10}}
	s := &tempest{begun: time.Unix(1_800_000_000, 0), ended: time.Unix(1_800_000_001, 0)}
	s.tried.Store(5)
	s.let.Store(1)
	met := map[string]bool{}
	for _, f := range append(append(c.figures(), c.forgotten(weight{guard: 1, names: 1})...), s.figures(&witness{}, weight{names: 2}, weight{names: 1})...) {
		if f.Met != nil {
			met[f.Name] = *f.Met
		}
		if f.Name == "egress/names/10/guard-memory" && f.Value != 1 {
			t.Errorf("%s is %v", f.Name, f.Value)
		}
	}
	want := map[string]bool{
		"egress/names/10/failed": true, "egress/names/10/forgotten-hosts": false,
		"egress/storm/let-in": false, "egress/storm/minted": true, "egress/storm/kept-failed": true,
	}
	if diff := cmp.Diff(want, met); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
