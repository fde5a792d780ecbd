package e2e

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// foreign is a token by a key that nobody here knows.
func foreign(t testing.TB, audience string) string {
	t.Helper()
	k, err := token.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Mint(token.Params{Audience: audience, Subject: "user:mallory", Agent: testgateway.Agent, IssuedAt: time.Now(), Lifetime: time.Minute}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(s)
}

// pages is a gateway with a plain page, a tool server and a model behind it,
// open to every verified caller.
func pages(t testing.TB, u *upstream, fields ...string) *testgateway.Gateway {
	t.Helper()
	return testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config(fields...) +
			service("page", u.port(), plain, "/page") + service("tools", u.port(), mcp, "/mcp") + service("models", u.port(), openAI, "/v1"),
		"policy.yaml": policy("all", allow("page", "{type: HTTP, http: [{paths: ['/page/**']}]}"),
			allow("tools", "{type: Tools, tools: [{servers: [{name: tools}]}]}"), allow("models", "{type: Models, models: [{providers: [{name: models}]}]}")),
	})
}

// TestTokens: what is no token that holds is told so, in the words of each
// protocol, and nothing comes through.
func TestTokens(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := pages(t, u, "streams: {minRemaining: 3m}")
	good := g.Token()
	parts := strings.Split(good, ".")
	other := strings.Split(g.Token(agent("admin")), ".")
	for _, tc := range []struct{ name, token, code string }{
		{"none", "", "token_missing"},
		{"expired", g.Token(issued(longAgo)), "token_expired"},
		{"about to expire", g.Token(lifetime(2 * time.Minute)), "token_expiring"},
		{"not yet", g.Token(issued(-time.Hour)), "token_not_yet"},
		{"too long a life", g.Token(lifetime(48 * time.Hour)), "token_too_long"},
		{"another trust domain", g.Token(audience("elsewhere.example")), "token_wrong_domain"},
		{"another key", foreign(t, testgateway.Audience), "token_unknown_key"},
		{"another key and trust domain", foreign(t, "elsewhere.example"), "token_wrong_domain"},
		{"claims of another token", parts[0] + "." + other[1] + "." + parts[2], "token_bad_signature"},
		{"no signature", parts[0] + "." + parts[1] + ".", ""},
		{"no algorithm", "eyJhbGciOiJub25lIiwidHlwIjoidHhudG9rZW4rand0In0." + parts[1] + ".", ""},
		{"two tokens in one", good + "," + good, "token_malformed"},
		{"a word", "Bearer " + good, "token_malformed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range []call{
				{method: "GET", path: "/page/x"},
				{method: "POST", path: "/mcp", contentType: "application/json", body: searchCall},
				{method: "POST", path: "/v1/chat/completions", contentType: "application/json", body: `{"model":"m","messages":[]}`},
			} {
				c.token = tc.token
				a := c.do(t, g)
				if status := map[bool]int{true: 403, false: 401}[c.path == "/mcp"]; a.status != status || !strings.HasPrefix(a.code(), "token_") || tc.code != "" && a.code() != tc.code {
					t.Errorf("%s: %d %q, want %d %q: %s", c.path, a.status, a.code(), status, tc.code, a.body)
				}
			}
		})
	}
	t.Run("good", func(t *testing.T) { get(t, g, "/page/x", good).want(t, 200, "") })
	t.Cleanup(func() {
		if n := len(u.requests()); n != 1 {
			t.Errorf("%d requests came through, want the good one", n)
		}
		if strings.Contains(g.Log.String(), parts[2]) {
			t.Error("a token is in the log")
		}
	})
}

// TestReservedHeaders: what only the gateway may say changes nothing when a
// client says it, and reaches nobody.
func TestReservedHeaders(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := pages(t, u)
	reserved := map[string]string{
		wire.HeaderDeadline:              "1",
		"X-Envoy-Expected-Rq-Timeout-Ms": "1",
		"X-Envoy-Upstream-Rq-Timeout-Ms": "1",
		"X-Envoy-Max-Retries":            "9",
		"X-Envoy-Retry-On":               "5xx",
		"X-Envoy-Original-Path":          "/page/other",
		"X-Envoy-Internal":               "true",
		"X-Envoy-External-Address":       "127.0.0.1",
		"X-Envoy-Force-Trace":            "true",
		"X-Envoy-Decorator-Operation":    "x",
		"X-Envoy-Auth-Partial-Body":      "true",
		"X-Hop-Id":                       "00000000000000000000000000000000",
		"X-Hop-Mode":                     "guard",
		"X-Hopgate-Agent":                "admin",
		wire.CallTarget:                  "evil.example:443",
		wire.CallParent:                  "00000000000000000000000000000000",
		"X-Forwarded-For":                "10.0.0.1",
		"X-Forwarded-Client-Cert":        "URI=spiffe://local/admin",
	}
	for _, tc := range []struct {
		name   string
		c      call
		status int
		code   string
	}{
		{"a page", call{method: "GET", path: "/page/x", token: g.Token()}, 200, ""},
		{"a tool", call{method: "POST", path: "/mcp", token: g.Token(), contentType: "application/json", body: searchCall}, 200, ""},
		{"a page without a token", call{method: "GET", path: "/page/x"}, 401, "token_missing"},
		{"another page", call{method: "GET", path: "/other", token: g.Token()}, 404, "no_route"},
	} {
		tc.c.header = reserved
		tc.c.do(t, g).want(t, tc.status, tc.code)
	}
	for _, r := range u.requests() {
		if r.Header.Get("X-Forwarded-Client-Cert") != "" {
			t.Errorf("the upstream was told of a certificate: %v", r.Header)
		}
	}
	for _, r := range g.Records(t) {
		if r.Kind == audit.KindBegin && (r.Agent != testgateway.Agent || r.Parent != (audit.HopID{}) || r.Peer != "") {
			t.Errorf("the client chose who it is: %+v", r)
		}
	}
}

// TestUnderscores: a header that a backend could take for one that is removed
// is no way in.
func TestUnderscores(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	g := pages(t, u)
	w := dial(t, g.HTTP)
	w.say(t, "GET /page/x HTTP/1.1\r\nHost: x\r\nTxn-Token: "+g.Token()+"\r\ntxn_token: "+g.Token(agent("admin"))+"\r\n\r\n")
	if res := w.hear(t, http.MethodGet); res.StatusCode != 400 {
		t.Errorf("status %d", res.StatusCode)
	}
	if n := len(u.requests()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

// TestForwardToken: a backend is handed the token only where a rule says so,
// and then in its own header alone.
func TestForwardToken(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	u := newUpstream(t, nil)
	bare := httpServer(t, func(_ http.ResponseWriter, r *http.Request) { seen <- strings.Join(r.Header.Values("Txn-Token"), " ") })
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("vetted", bare, plain, "/vetted") + service("page", u.port(), plain, "/page"),
		"policy.yaml": policy("all", allow("page", "{type: HTTP, http: [{paths: ['/page/**']}]}"),
			"{name: vetted, to: {type: HTTP, http: [{paths: ['/vetted/**']}]}, action: Allow, with: {forwardToken: Forward}}"),
	})
	good := g.Token()
	get(t, g, "/page/x", good).want(t, 200, "")
	get(t, g, "/vetted/x", good).want(t, 200, "")
	if <-seen != good {
		t.Error("the vetted backend was not handed the token")
	}
}

// TestListenerWithoutTokens: where no trust domain is believed a token counts
// for nothing, and is taken off all the same.
func TestListenerWithoutTokens(t *testing.T) {
	t.Parallel()
	u := newUpstream(t, nil)
	open := strings.Replace(config("listeners: [{name: agents, trustDomainRefs: []}]"), "unmatched: Deny", "unmatched: Allow", 1)
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + open + service("page", u.port(), plain, "/page") + service("guarded", u.port(), plain, "/guarded"),
		"policy.yaml": strings.Replace(policy("guarded", allow("all", "{type: HTTP, http: [{paths: ['/**']}]}")),
			"kind: Gateway, name: egress", "kind: HTTPRoute, name: guarded", 1),
	})
	get(t, g, "/page/x", g.Token()).want(t, 200, "")
	get(t, g, "/page/x", "no token at all").want(t, 200, "")
	get(t, g, "/guarded/x", g.Token()).want(t, 403, "no_rule")
	for _, r := range g.Records(t) {
		if r.Subject != "" || r.Txn != "" {
			t.Errorf("a token was believed: %+v", r)
		}
	}
}

// TestDenialOfACall: a gRPC call is denied by a status whose message begins
// with the code.
func TestDenialOfACall(t *testing.T) {
	t.Parallel()
	g := testgateway.Run(t, map[string]string{
		"gateway.yaml": testgateway.Listeners + config() + service("grpc", grpcPort(t), h2c, "/grpc.health.v1.Health"),
		"policy.yaml":  policy("all", "{name: check, from: {agents: [{name: researcher}]}, to: {type: HTTP, http: [{paths: ['/grpc.health.v1.Health/Check']}]}, action: Allow}"),
	})
	c, err := grpc.NewClient(fmt.Sprint("127.0.0.1:", g.HTTP), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, tc := range []struct {
		name, token string
		code        codes.Code
		says        string
	}{
		{"allowed", g.Token(), codes.OK, ""},
		{"another agent", g.Token(agent("intern")), codes.PermissionDenied, "no_rule: "},
		{"expired", g.Token(issued(longAgo)), codes.Unauthenticated, "token_expired: "},
		{"none", "", codes.Unauthenticated, "token_missing: "},
	} {
		ctx := t.Context()
		if tc.token != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "txn-token", tc.token)
		}
		_, err := healthv1.NewHealthClient(c).Check(ctx, &healthv1.HealthCheckRequest{})
		if s := status.Convert(err); s.Code() != tc.code || !strings.HasPrefix(s.Message(), tc.says) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
