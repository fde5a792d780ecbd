package e2e

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	procv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
	"github.com/hopgate/hopgate/xds/desired"
	"github.com/hopgate/hopgate/xds/envoy"
	"github.com/hopgate/hopgate/xds/serve"
)

// resources are what Envoy is told of a gateway's objects, one of them after a
// change.
func resources(t *testing.T, g *testgateway.Gateway, name string, c change) []*serve.Resource {
	t.Helper()
	r, err := laptop.Look([]string{g.Files}, g.State, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	settings := envoy.Settings{Socket: g.Socket(), DNSPort: g.Guard().DNS().Port(), CanaryDir: filepath.Dir(g.Socket())}
	out := desired.New(settings).Resources(r.Graph)
	for i, r := range out {
		if r.Name == name {
			out[i] = changed(t, r, c)
		}
	}
	return out
}

// healthPage is what a page of the health port says, and with which status.
func healthPage(t testing.TB, at netip.AddrPort, path string) (int, string) {
	t.Helper()
	res, err := newClient(t).Get("http://" + at.String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// TestClosedUntilProven: an Envoy on which a cut would not cut is not ready and
// is let nothing through, and people are told why; when it is mended it serves.
func TestClosedUntilProven(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, said("page"))
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	}, testgateway.HealthOn(netip.MustParseAddrPort("127.0.0.1:0")))
	get(t, g, "/page/x", g.Token()).want(t, 200, "")
	told(t, g, "canaries: passed")
	t.Log(g.Told)

	unheld := mode(func(p *procv3.ProcessingMode) { p.ResponseTrailerMode = procv3.ProcessingMode_SKIP })
	if _, err := g.XDS().Set(resources(t, g, "hold.headers", unheld)); err != nil {
		t.Fatal(err)
	}
	restart(t, g)
	told(t, g, "canaries: cut:", "routes: a stream ")
	testenv.Wait(t, "the port to be open", func() bool { return serves(g.HTTP) })
	get(t, g, "/page/x", g.Token(txn("early"))).want(t, 503, "not_ready")
	if g.Ready() {
		t.Error("it is ready and not proven")
	}
	if status, _ := healthPage(t, g.HealthAddress(), "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz says %d", status)
	}
	if _, metrics := healthPage(t, g.HealthAddress(), "/metrics"); !strings.Contains(metrics, "\nhopgate_canary_passed 0\n") {
		t.Errorf("metrics do not say that it is not proven:\n%s", metrics)
	}
	if !strings.Contains(g.Log.String(), `level=ERROR msg="Envoy is not proven, and nothing is let through" canary=cut`) {
		t.Error("the log does not say what is not proven")
	}
	g.Recorded(t, "the denial", func(r audit.Record) bool { return r.Txn == "" && r.Kind == audit.KindDeny && r.Code == "not_ready" })

	if _, err := g.XDS().Set(resources(t, g, "", nil)); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "it to be ready", g.Ready)
	becomes(t, g, "/page/x", 200)
	if _, metrics := healthPage(t, g.HealthAddress(), "/metrics"); !strings.Contains(metrics, "\nhopgate_canary_passed 1\n") || strings.Contains(metrics, "\nhopgate_canary_seconds 0\n") {
		t.Errorf("metrics do not say that it is proven:\n%s", metrics)
	}
}

// TestEachCanaryCloses: whatever is not as it should be of what is metered, of
// first flights and of what is captured, nothing is let through for that.
func TestEachCanaryCloses(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, said("page"))
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	for _, tt := range []struct {
		resource string
		change   change
		canary   string
	}{
		{"meter", mistaken(wire.MeterYes, "oui"), canary.Meter},
		{"hopgate/tunnel/guard", without("envoy.filters.network.ext_proc"), canary.Flight},
		{"authz.capture-tls", unasked, canary.Refused},
	} {
		if _, err := g.XDS().Set(resources(t, g, tt.resource, tt.change)); err != nil {
			t.Fatal(err)
		}
		restart(t, g)
		told(t, g, tt.canary+": ")
		testenv.Wait(t, "the port to be open", func() bool { return serves(g.HTTP) })
		get(t, g, "/page/x", g.Token(txn("early"))).want(t, 503, "not_ready")
		if g.Ready() {
			t.Errorf("it is ready, and %s is not proven", tt.canary)
		}
		if _, err := g.XDS().Set(resources(t, g, "", nil)); err != nil {
			t.Fatal(err)
		}
		testenv.Wait(t, "it to be ready", g.Ready)
		becomes(t, g, "/page/x", 200)
	}
}

// restart kills Envoy, and waits for another.
func restart(t *testing.T, g *testgateway.Gateway) {
	t.Helper()
	first := g.Envoy().PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "another Envoy", func() bool { n := g.Envoy().PID(); return n != first && n != 0 })
}

// TestProvenAgain: another Envoy is proven before it serves, as often as one
// comes.
func TestProvenAgain(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, said("page"))
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	for n := range 2 {
		restart(t, g)
		testenv.Wait(t, "it to be proven", func() bool { return g.Told.Times("canaries: passed", n+2) })
		testenv.Wait(t, "it to be ready", g.Ready)
		becomes(t, g, "/page/x", 200)
	}
}

// TestCanariesLeaveNoTrace: nothing of them is in the record, among the
// streams, or in the numbers of decisions, and nobody enters where they do.
func TestCanariesLeaveNoTrace(t *testing.T) {
	t.Parallel()
	g := testgateway.Run(t, map[string]string{"gateway.yaml": testgateway.Listeners + config()},
		testgateway.HealthOn(netip.MustParseAddrPort("127.0.0.1:0")))
	told(t, g, "canaries: passed")
	for _, r := range g.Records(t) {
		if r.Kind == audit.KindBegin || r.Kind == audit.KindDeny || r.Kind == audit.KindEnd {
			t.Errorf("recorded: %+v", r)
		}
	}
	if n, live := len(g.Guard().Streams()), g.Guard().Live(); n != 0 || live != 0 {
		t.Errorf("%d streams, %d hops live", n, live)
	}
	if _, metrics := healthPage(t, g.HealthAddress(), "/metrics"); strings.Contains(metrics, "hopgate_decisions_total{") {
		t.Errorf("decisions are counted:\n%s", metrics)
	}
	dir := filepath.Dir(g.Socket())
	for _, n := range wire.CanaryListeners() {
		st, err := os.Stat(wire.CanarySocket(dir, n))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("the socket of %s: %v, %v", n, st, err)
		}
		if n != wire.CanaryTLS {
			stranger(t, wire.CanarySocket(dir, n), g.Token())
		}
	}
	strangersTLS(t, wire.CanarySocket(dir, wire.CanaryTLS))
}

// strangersTLS enters where canaries of captured TLS do, with a name that has
// another secret.
func strangersTLS(t *testing.T, socket string) {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	name := wire.CanaryServerName("0123456789", "name", wire.CanaryHost(wire.CanarySecure, wire.ModeHosts))
	if _, err := io.WriteString(c, "PROXY TCP4 192.0.2.1 192.0.2.1 1 80\r\n"+clientHello(name)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); len(got) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("answered % x, %v", got, err)
	}
}

// stranger enters by a socket of canaries with a token that is believed.
func stranger(t *testing.T, socket, token string) {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	c := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	for _, path := range []string{"/name", "/cut"} {
		req := request(t, "GET", "http://"+wire.CanaryHost(wire.CanaryOne, wire.ModeHosts)+path, token, "")
		send(t, c, req).want(t, 503, "not_ready")
	}
}
