package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// becomes waits until a page answers with a status.
func becomes(t testing.TB, g *testgateway.Gateway, path string, status int) {
	t.Helper()
	c, token := newClient(t), g.Token()
	testenv.Wait(t, fmt.Sprintf("%s to answer %d", path, status), func() bool {
		res, err := c.Do(request(t, "GET", g.URL(path), token, ""))
		if err != nil {
			return false // nobody may be there yet
		}
		return read(t, res).status == status
	})
}

// serves reports whether somebody listens on a port.
func serves(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
	return err == nil && c.Close() == nil
}

// told waits until people are told something that holds all of these.
func told(t testing.TB, g *testgateway.Gateway, parts ...string) {
	t.Helper()
	testenv.Wait(t, fmt.Sprintf("people to be told %q", parts), func() bool { return g.Told.Says(parts...) })
}

// TestReload: an edit takes effect, a broken one leaves the last good state
// serving and says where it is broken.
func TestReload(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	one, other := allow("one", "{type: HTTP, http: [{paths: ['/page/one']}]}"), allow("two", "{type: HTTP, http: [{paths: ['/page/two', '/more/**']}]}")
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("pages", one),
	})
	becomes(t, g, "/page/one", 200)
	becomes(t, g, "/page/two", 403)
	g.Write("policy.yaml", policy("pages", other))
	becomes(t, g, "/page/two", 200)
	becomes(t, g, "/page/one", 403)
	g.Write("more.yaml", route("more", "page", "/more"))
	becomes(t, g, "/more/x", 200)

	g.Write("policy.yaml", policy("pages", one, "{name: three, to: {type: HTTP, htpp: []}, action: Allow}"))
	told(t, g, "policy.yaml:9:", "htpp", "last good kept")
	becomes(t, g, "/page/two", 200)
	becomes(t, g, "/page/one", 403)
	g.Write("policy.yaml", policy("pages", one))
	becomes(t, g, "/page/one", 200)

	if err := os.Remove(filepath.Join(g.Files, "more.yaml")); err != nil {
		t.Fatal(err)
	}
	becomes(t, g, "/more/x", 404)
}

// TestLastGoodOverARestart: what was broken while the gateway was away serves
// in the last form that was good.
func TestLastGoodOverARestart(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("pages", allow("one", "{type: HTTP, http: [{paths: ['/page/one']}]}")),
	})
	becomes(t, g, "/page/one", 200)
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	g.Write("policy.yaml", "apiVersion: hopgate.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: pages}\nspec: {rules: [{name: one, action: Perhaps}]}\n")
	g.Launch()
	testenv.Wait(t, "the gateway to be ready again", g.Ready)
	told(t, g, "policy.yaml:4:", "last good kept")
	becomes(t, g, "/page/one", 200)
	becomes(t, g, "/page/two", 403)
}

// TestRefusedByEnvoy: what Envoy refuses is told at the object it is of, and
// all else is served, whether one is refused among many or two at once.
func TestRefusedByEnvoy(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	many := backend("page", u.port(), plain)
	for i := range 1000 {
		many += route(fmt.Sprint("r", i), "page", fmt.Sprint("/page/r", i, "/"))
	}
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + many,
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	becomes(t, g, "/page/r500/", 200)
	bad := func(i int) string {
		// It has few instructions for characters, and many for bytes.
		return strings.Replace(route(fmt.Sprint("r", i), "page", fmt.Sprint(`/page/r`, i, `/\pL{300}`)), "PathPrefix", "RegularExpression", 1)
	}
	good := func(i int) string { return route(fmt.Sprint("r", i), "page", fmt.Sprint("/page/r", i, "/")) }
	with := func(edit func(i int) string, at ...int) string {
		text := many
		for _, i := range at {
			text = strings.Replace(text, good(i), edit(i), 1)
		}
		return testgateway.Listeners + config() + text
	}
	for _, at := range [][]int{{617}, {3, 940}} {
		g.Write("gateway.yaml", with(bad, at...))
		for _, i := range at {
			told(t, g, fmt.Sprintf("HTTPRoute/default/r%d:", i), "regex")
		}
		for _, i := range []int{0, 2, 4, 616, 618, 939, 941, 999} {
			becomes(t, g, fmt.Sprintf("/page/r%d/", i), 200)
		}
	}
	g.Write("gateway.yaml", with(good))
	becomes(t, g, "/page/r3/", 200)
	if g.Told.Says("HTTPRoute/default/r616:", "regex") {
		t.Error("a good route is said to be bad")
	}
}

// TestNoEndpoints: a backend without endpoints is answered for in words, and
// the others serve.
func TestNoEndpoints(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page") + backend("empty", "", plain) + route("empty", "empty", "/empty"),
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{paths: ['/**']}]}")),
	})
	becomes(t, g, "/page/x", 200)
	get(t, g, "/empty/x", g.Token()).want(t, 503, "backend_unavailable")
	g.Recorded(t, "how it ended", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.End == audit.EndUpstreamFailed })
	g.Write("slice.yaml", strings.TrimPrefix(backend("empty", u.port(), plain), backend("empty", "", plain)))
	becomes(t, g, "/empty/x", 200)
}

// TestPortInUse: a port that somebody has is told at its listener, the other
// listener serves, and it is taken as soon as it is free.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.New(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", "site.example:"+u.port())) + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{ports: ["+u.port()+", ${HTTP}]}]}")),
	})
	l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", g.HTTP))
	if err != nil {
		t.Fatal(err)
	}
	g.Launch()
	told(t, g, "Gateway/default/egress: listener agents: Programmed: Invalid", "in use")
	testenv.Wait(t, "the other listener to be served", func() bool { return g.Ready() && serves(g.Proxy) })
	if g.Told.Says("listener proxy", "Envoy refused") {
		t.Error("the other listener is said to be refused")
	}
	_, a := tunnelBy(t, g, "GET http://site.example:"+u.port()+"/x HTTP/1.1\r\nHost: x\r\n"+proxyAuth(g.Token())+"\r\n")
	a.want(t, 200, "")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "the listener to be served", func() bool { return serves(g.HTTP) })
	becomes(t, g, "/page/x", 200)
}

// TestTwoGatewaysOnOnePort: the port is the first one's, and the other one
// hears it.
func TestTwoGatewaysOnOnePort(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page") +
			"\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: other}\nspec:\n  gatewayClassName: hopgate\n  listeners:\n  - {name: mine, port: ${HTTP}, protocol: HTTP}\n",
		"policy.yaml": policy("all", allow("all", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	told(t, g, "Gateway/default/other: listener mine:", fmt.Sprint("port ", g.HTTP, " is taken by Gateway/default/egress"))
	becomes(t, g, "/page/x", 200)
}

// TestEnvoyKilled: another Envoy takes its place and serves the same, and what
// was open has an end.
func TestEnvoyKilled(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, ticks)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", u.port(), plain, "/page"),
		"policy.yaml":  policy("all", allow("all", "{type: HTTP, http: [{paths: ['/page/**']}]}")),
	})
	end := begin(body(t, newClient(t), request(t, "GET", g.URL("/page/x"), g.Token(txn("open")), "")))
	open := g.Recorded(t, "the beginning", func(r audit.Record) bool { return r.Kind == audit.KindBegin && r.Txn == "open" })
	first := g.Envoy().PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-end
	testenv.Wait(t, "another Envoy", func() bool { return g.Envoy().PID() != first && g.Envoy().PID() != 0 && g.Ready() })
	testenv.Wait(t, "it to serve", func() bool { return serves(g.HTTP) })
	get(t, g, "/other", g.Token()).want(t, 404, "no_route")
	g.Recorded(t, "an end of what was open", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Hop == open.Hop })
	second := g.Envoy().PID()
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	if alive(first) || alive(second) {
		t.Error("an Envoy outlives the gateway")
	}
}
