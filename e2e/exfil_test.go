package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// sump is a destination that counts what it is sent, and says nothing.
type sump struct {
	port  string
	bytes atomic.Int64
}

func newSump(t testing.TB) *sump {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d := &sump{port: fmt.Sprint(l.Addr().(*net.TCPAddr).Port)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 64<<10)
				for {
					n, err := c.Read(buf)
					d.bytes.Add(int64(n))
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return d
}

// leaky is a gateway whose agents may send little.
type leaky struct {
	*testgateway.Gateway
	drain *sump
	site  *upstream
}

// give is what each rule gives an agent.
const give = 200_000

func newLeaky(t testing.TB) *leaky {
	t.Helper()
	l := &leaky{drain: newSump(t), site: newUpstream(t, nil)}
	names := []string{"site.example:" + l.site.port(), "drain.example:" + l.drain.port}
	for _, n := range []string{"a", "b", "c"} {
		names = append(names, n+".many.example:"+l.site.port())
	}
	to := func(host string) string {
		return fmt.Sprintf(`{type: HTTP, http: [{hosts: [%q], ports: [%s], paths: ["/up/**"]}]}`, host, l.site.port())
	}
	limits := fmt.Sprintf("with: {limits: {uploadBytes: %d, window: 1h}}", give)
	l.Gateway = testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(egress("", names...)),
		"policy.yaml": policy("leaky",
			fmt.Sprintf(`{name: drain, to: {type: Hosts, hosts: [{names: [drain.example], ports: [%s]}]}, action: Allow, with: {tls: Opaque, limits: {uploadBytes: %d}}}`, l.drain.port, give),
			`{name: up, to: `+to("site.example")+`, action: Allow, `+limits+`}`,
			`{name: many, to: `+to("*.many.example")+`, action: Allow, with: {limits: {distinctNames: 2}}}`,
			fmt.Sprintf(`{name: tenant, to: {type: HTTP, http: [{hosts: [site.example], ports: [%s], methods: [GET, PUT], paths: ["/t/**"], headers: [{name: x-tenant, type: Exact, values: [acme]}], query: [{name: project, type: Glob, values: ["acme-*"]}]}]}, action: Allow, with: {limits: {headBytes: 4000}}}`, l.site.port())),
	})
	return l
}

// put sends a body through the proxy; length -1: in pieces.
func (l *leaky) put(t testing.TB, url, token string, body io.Reader, length int64, header ...string) answer {
	t.Helper()
	a, _ := l.sent(t, http.MethodPut, url, token, body, length, header...)
	return a
}

func (l *leaky) sent(t testing.TB, method, url, token string, body io.Reader, length int64, header ...string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = length
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := proxied(t, l.Gateway, token).Do(req)
	if err != nil {
		return answer{}, err
	}
	return read(t, res), nil
}

// TestUploadBudgets: what agents send is counted while they send it, in tunnels
// and in streams alike, and not one byte passes that there is no room for.
func TestUploadBudgets(t *testing.T) {
	t.Parallel()
	l := newLeaky(t)
	site := "http://site.example:" + l.site.port()
	t.Run("a tunnel", func(t *testing.T) {
		t.Parallel()
		w, a := tunnel(t, l.Gateway, "drain.example:"+l.drain.port, l.Token(agent("digger")))
		a.want(t, 200, "")
		w.say(t, "hello")
		testenv.Wait(t, "a word to come through", func() bool { return l.drain.bytes.Load() == 5 })
		if _, err := io.Copy(w.Conn, &zeros{n: 50 << 20}); err == nil {
			t.Error("50 MiB were taken")
		}
		end := l.Recorded(t, "the end of the tunnel", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.End == audit.EndLimit })
		if end.Code != "budget_exhausted" {
			t.Errorf("it ended by %+v", end)
		}
		if n := l.drain.bytes.Load(); n > give {
			t.Errorf("%d bytes came through, of %d", n, give)
		}
		_, a = tunnel(t, l.Gateway, "drain.example:"+l.drain.port, l.Token(agent("digger")))
		a.want(t, 403, "budget_exhausted")
		if after := a.header.Get("Retry-After"); len(after) != 4 {
			t.Errorf("Retry-After: %q, want about an hour", after)
		}
		_, a = tunnel(t, l.Gateway, "drain.example:"+l.drain.port, l.Token(agent("another")))
		a.want(t, 200, "")
	})
	t.Run("a body that says its length", func(t *testing.T) {
		t.Parallel()
		token := l.Token(agent("sayer"))
		l.put(t, site+"/up/one", token, bytes.NewReader(make([]byte, give/2)), give/2).want(t, 200, "")
		l.put(t, site+"/up/all", token, bytes.NewReader(make([]byte, give+1)), give+1).want(t, 403, "limit_exceeded")
		l.put(t, site+"/up/two", token, bytes.NewReader(make([]byte, give/2)), give/2).want(t, 403, "budget_exhausted")
		l.put(t, site+"/up/three", token, bytes.NewReader(make([]byte, give/4)), give/4).want(t, 200, "")
	})
	t.Run("a body in pieces", func(t *testing.T) {
		t.Parallel()
		token := l.Token(agent("piecer"))
		l.put(t, site+"/up/some", token, &zeros{n: give / 2}, -1).want(t, 200, "")
		if a, err := l.sent(t, http.MethodPut, site+"/up/more", token, &zeros{n: 10 << 20}, -1); err == nil && a.code() != "budget_exhausted" {
			t.Errorf("10 MiB in pieces: %d %s", a.status, a.body)
		}
		l.put(t, site+"/up/again", token, bytes.NewReader(make([]byte, give/2)), give/2).want(t, 403, "budget_exhausted")
	})
	t.Run("a cookie", func(t *testing.T) {
		t.Parallel()
		token, cookie := l.Token(agent("baker")), "a="+strings.Repeat("x", give/5)
		for range 4 {
			l.put(t, site+"/up/crumb", token, nil, 0, "Cookie", cookie).want(t, 200, "")
		}
		l.put(t, site+"/up/crumb", token, nil, 0, "Cookie", cookie).want(t, 403, "budget_exhausted")
	})
	t.Run("names", func(t *testing.T) {
		t.Parallel()
		token := l.Token(agent("namer"))
		for _, tc := range []struct{ host, code string }{{"a", ""}, {"b", ""}, {"a", ""}, {"c", "budget_exhausted"}, {"b", ""}} {
			status := 200
			if tc.code != "" {
				status = 403
			}
			l.put(t, "http://"+tc.host+".many.example:"+l.site.port()+"/up/x", token, nil, 0).want(t, status, tc.code)
		}
	})
}

// TestTenants: a header and a parameter of the query name whose they are, and
// what could be read otherwise opens nothing.
func TestTenants(t *testing.T) {
	t.Parallel()
	l := newLeaky(t)
	site := "http://site.example:" + l.site.port()
	for _, tc := range []struct {
		name, method, path string
		header             []string
		status             int
		code               string
	}{
		{"ours", "GET", "/t/x?project=acme-1", []string{"X-Tenant", "acme"}, 200, ""},
		{"another's header", "GET", "/t/x?project=acme-1", []string{"X-Tenant", "evil"}, 403, "no_rule"},
		{"two headers", "GET", "/t/x?project=acme-1", []string{"X-Tenant", "acme", "X-Tenant", "evil"}, 403, "no_rule"},
		{"an underscore", "GET", "/t/x?project=acme-1", []string{"X-Tenant", "acme", "X_Tenant", "evil"}, 403, "no_rule"},
		{"no header", "GET", "/t/x?project=acme-1", nil, 403, "no_rule"},
		{"another's project", "GET", "/t/x?project=evil", []string{"X-Tenant", "acme"}, 403, "no_rule"},
		{"two projects", "GET", "/t/x?project=acme-1&project=evil", []string{"X-Tenant", "acme"}, 403, "no_rule"},
		{"a project in another case", "GET", "/t/x?project=acme-1&PROJECT=evil", []string{"X-Tenant", "acme"}, 403, "no_rule"},
		{"an encoded project", "GET", "/t/x?project=acme-1&%70roject=evil", []string{"X-Tenant", "acme"}, 403, "no_rule"},
		{"another method", "GET", "/t/x?project=acme-1", []string{"X-Tenant", "acme", "X-HTTP-Method-Override", "DELETE"}, 403, "no_rule"},
		{"another method that is allowed", "GET", "/t/x?project=acme-1", []string{"X-Tenant", "acme", "X-HTTP-Method-Override", "PUT"}, 200, ""},
		{"another path", "GET", "/t/x?project=acme-1", []string{"X-Tenant", "acme", "X-Original-Url", "/admin"}, 400, "bad_path"},
		{"TRACE", "TRACE", "/t/x?project=acme-1", []string{"X-Tenant", "acme"}, 400, "body_unreadable"},
		{"a head that is too long", "GET", "/t/x?project=acme-1&data=" + strings.Repeat("x", 4000), []string{"X-Tenant", "acme"}, 403, "limit_exceeded"},
	} {
		a, err := l.sent(t, tc.method, site+tc.path, l.Token(), nil, 0, tc.header...)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if a.status != tc.status || tc.code != "" && a.code() != tc.code {
			t.Errorf("%s: %d %s, want %d %s", tc.name, a.status, a.body, tc.status, tc.code)
		}
	}
}

// zeros are n bytes of nothing.
type zeros struct{ n int64 }

func (z *zeros) Read(b []byte) (int, error) {
	if z.n <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), z.n, 16<<10)
	clear(b[:n])
	z.n -= n
	return int(n), nil
}

// TestBudgetsThatChange end what began without them.
func TestBudgetsThatChange(t *testing.T) {
	t.Parallel()
	l := newLeaky(t)
	w, a := tunnel(t, l.Gateway, "drain.example:"+l.drain.port, l.Token(agent("early")))
	a.want(t, 200, "")
	w.say(t, "hello")
	testenv.Wait(t, "a word to come through", func() bool { return l.drain.bytes.Load() == 5 })
	l.Write("policy.yaml", policy("leaky",
		fmt.Sprintf(`{name: drain, to: {type: Hosts, hosts: [{names: [drain.example], ports: [%s]}]}, action: Allow, with: {tls: Opaque, limits: {uploadBytes: 100, window: 5m}}}`, l.drain.port)))
	end := l.Recorded(t, "the end of the tunnel", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Code == "budget_changed" })
	if end.Duration > time.Minute {
		t.Errorf("it lived on for %s", end.Duration)
	}
}

// TestUploadBudgetsInspected: what is inside of a tunnel is counted by the rule
// that allows it, by each version of HTTP, and a WebSocket is too.
func TestUploadBudgetsInspected(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	limits := fmt.Sprintf("with: {limits: {uploadBytes: %d}}", give)
	port := l.site.port()
	l.Write("policy.yaml", policy("all",
		`{name: tunnels, to: {type: Hosts, hosts: [{names: [site.example], ports: [`+port+`]}]}, action: Allow, with: {tls: Inspect}}`,
		`{name: up, to: {type: HTTP, http: [{hosts: [site.example], ports: [`+port+`], paths: ["/up/**", "/ticks/**"]}]}, action: Allow, `+limits+`}`,
		`{name: free, to: {type: HTTP, http: [{hosts: [site.example], ports: [`+port+`], paths: ["/free/**"]}]}, action: Allow}`))
	testenv.Wait(t, "the policy to hold", func() bool {
		return l.ask(t, l.client(t, true, l.Token(agent("first"))), "GET", "site", l.site, "/up/x").status == 200
	})
	for _, http2 := range []bool{false, true} {
		name := fmt.Sprint("inspected, HTTP/2 ", http2)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://site.example:"+port+"/ticks/x", &zeros{n: 20 << 20})
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = -1
		if res, err := l.client(t, http2, l.Token(agent(name))).Do(req); err == nil {
			_, _ = io.Copy(io.Discard, res.Body) // it answers for as long as it is let
			res.Body.Close()
		}
		l.limited(t, name)
	}
	c, err := l.inTunnel(t, "site", l.site, l.Token(agent("socket")), "site.example")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "GET /ticks/ws HTTP/1.1\r\nHost: site.example:%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", port); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, c) }()
	_, _ = io.Copy(c, &zeros{n: 20 << 20}) // it ends in the middle, at some byte
	l.limited(t, "socket")
	l.trailers(t)
}

// trailers do not get through by HTTP/2, whether the body before them said its
// length, was counted as it came, or is counted by nobody.
func (l *looking) trailers(t *testing.T) {
	t.Helper()
	c := l.client(t, true, l.Token(agent("trailing")))
	for _, path := range []string{"/up/x", "/free/x"} {
		for _, length := range []int64{5, -1} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://site.example:"+l.site.port()+path, io.NopCloser(strings.NewReader("hello")))
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength, req.Trailer = length, http.Header{"X-Behind": {strings.Repeat("x", 20_000)}}
			want := "site HTTP/2.0 PUT " + path + ": 5 bytes, and trailers with 0"
			if a := send(t, c, req); a.status != 200 || a.body != want {
				t.Errorf("length %d: %d %q, want %q", length, a.status, a.body, want)
			}
		}
	}
}

// limited waits for the end of a hop of an agent, by its budget.
func (l *looking) limited(t *testing.T, agent string) {
	t.Helper()
	begun := l.Recorded(t, "what "+agent+" does", func(r audit.Record) bool {
		return r.Kind == audit.KindBegin && r.Agent == agent && r.Method != http.MethodConnect
	})
	end := l.Recorded(t, "the end of what "+agent+" does", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Hop == begun.Hop })
	if end.End != audit.EndLimit || end.Code != "budget_exhausted" {
		t.Errorf("%s: it ended by %+v", agent, end)
	}
}

// TestTheAgentsOwnSecret does not get to where the gateway's is put on, in the
// header that has it and in Authorization; in a query it goes on as it came,
// and a rule can close it there.
func TestTheAgentsOwnSecret(t *testing.T) {
	t.Parallel()
	page := newUpstream(t, nil)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("page", page.port(), plain, "/page") + `
apiVersion: hopgate.dev/v1alpha1
kind: Credential
metadata: {name: page}
spec: {targetRef: {kind: Service, name: page}, header: x-api-key, secret: {type: Environment, environment: PAGE_KEY}}
---
`,
		"policy.yaml": policy("page", allow("read", `{type: HTTP, http: [{methods: [GET], paths: ["/page/**"]}]}`),
			`{name: no-projects, to: {type: HTTP, http: [{paths: ["/page/closed/**"], query: [{name: project, type: Glob, values: ["*"]}]}]}, action: Deny}`),
	}, func(c *laptop.Config) {
		c.Getenv = func(k string) string { return map[string]string{"PAGE_KEY": "the-gateways"}[k] }
	})
	own := map[string]string{"X-Api-Key": "mine", "Authorization": "Bearer mine"}
	call{method: "GET", path: "/page/x?project=mine", token: g.Token(), header: own}.do(t, g).want(t, 200, "")
	call{method: "GET", path: "/page/closed/x?project=mine", token: g.Token(), header: own}.do(t, g).want(t, 403, "rule_denied")
	for _, r := range page.requests() {
		if r.Header.Get("X-Api-Key") != "the-gateways" || r.Header.Get("Authorization") != "" || r.URL.RawQuery != "project=mine" {
			t.Errorf("the backend was sent %v, query %q", r.Header, r.URL.RawQuery)
		}
	}
	if n := len(page.requests()); n != 1 {
		t.Errorf("the backend saw %d requests", n)
	}
}
