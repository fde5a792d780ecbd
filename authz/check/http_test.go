package check

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// page is a request for a page that is allowed.
func page() asking {
	return asking{target: webTarget("agents"), path: "/public/a?token=hunter2"}.bearing(goodToken)
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	at := func(method, host, path string) asking {
		a := page()
		a.method, a.host, a.path = method, host, path
		return a
	}
	for _, tc := range []struct {
		name string
		a    asking
		code string
	}{
		{"a page", page(), ""},
		{"a page, by its port", at("GET", "web.example:8080", "/public/a"), ""},
		{"a page, by any port: the route has chosen", at("GET", "web.example:1", "/public/a"), ""},
		{"a page in another case", at("GET", "WEB.example.", "/public/a"), ""},
		{"another method", at("DELETE", "web.example", "/public/a"), denial.NoRule},
		{"a method in lower case", at("get", "web.example", "/public/a"), denial.BodyUnreadable},
		{"a method of two words", at("GET /x", "web.example", "/public/a"), denial.BodyUnreadable},
		{"another host", at("GET", "other.example", "/public/a"), denial.NoRule},
		{"another path", at("GET", "web.example", "/private"), denial.NoRule},
		{"an encoded path", at("GET", "web.example", "/%70ublic/a"), ""},
		{"dots", at("GET", "web.example", "/public/../private"), denial.BadPath},
		{"encoded dots", at("GET", "web.example", "/public/%2e%2e/private"), denial.BadPath},
		{"an encoded slash", at("GET", "web.example", "/public%2fa"), denial.BadPath},
		{"a semicolon", at("GET", "web.example", "/public;x/a"), denial.BadPath},
		{"the asterisk", at("OPTIONS", "web.example", "*"), denial.BadPath},
		{"a whole URL", at("GET", "web.example", "http://web.example/public/a"), denial.BadPath},
		{"bytes that are mended", at("GET", "web.example", "/public/ü"), denial.BadPath},
		{"user information", at("GET", "user:hunter2@web.example", "/public/a"), denial.BadAuthority},
		{"CONNECT", at("CONNECT", "web.example:8443", ""), denial.NoRoute},
		{"a CONNECT that no route has", func() asking {
			a := at("CONNECT", "web.example:8443", "")
			a.target = wire.Target{Entry: wire.EntryRoute, Gateway: gateway}
			return a
		}(), denial.NoRoute},
		{"a WebSocket", upgrading(page(), "websocket"), ""},
		{"another upgrade", upgrading(page(), "CONNECT"), denial.BodyUnreadable},
		{"no token", page().without(wire.HeaderTxnToken), denial.TokenMissing},
		{"an expired token", page().without(wire.HeaderTxnToken).bearing(denial.TokenExpired), denial.TokenExpired},
		{"a token of another domain", page().without(wire.HeaderTxnToken).bearing(denial.TokenWrongDomain), denial.TokenWrongDomain},
		{"keys that are not to be had", page().without(wire.HeaderTxnToken).bearing(denial.KeySource), denial.KeySource},
		{"a token about to expire", page().without(wire.HeaderTxnToken).bearing(dyingToken), denial.TokenExpiring},
		{"two tokens", page().bearing(goodToken), denial.TokenMalformed},
		{"an empty token", page().without(wire.HeaderTxnToken).bearing(""), denial.TokenMalformed},
		{"a verifier that says nothing", page().without(wire.HeaderTxnToken).bearing(nothingToken), denial.Internal},
		{"a token for a proxy", page().without(wire.HeaderTxnToken).with([2]string{"proxy-authorization", "Bearer " + goodToken}), denial.TokenMissing},
		{"a rule that cannot be judged", at("GET", "web.example", "/broken"), denial.NoRule},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{})
			got := h.ask(tc.a)
			if got.code() != tc.code {
				t.Fatalf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
			for _, secret := range []string{"hunter2", goodToken, dyingToken} {
				if strings.Contains(strings.Join(h.recorder.lines, "")+h.log.String()+got.body(), secret) {
					t.Errorf("%s is written:\n%s\n%s\n%s", secret, h.recorder.lines, h.log, got.body())
				}
			}
		})
	}
}

// TestBrokenRulesAreRecordedAndCounted.
func TestBrokenRulesAreRecorded(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	a := page()
	a.path = "/broken"
	h.ask(a)
	if r := h.last(); len(r.RuleErrors) != 1 || r.RuleErrors[0].Rule != "broken" || r.RuleErrors[0].Policy != "agents/p" {
		t.Errorf("recorded %+v", r)
	}
}

// TestWhereNoTokenIsBelieved: it says nothing, whatever it is, and goes on to
// nobody.
func TestWhereNoTokenIsBelieved(t *testing.T) {
	t.Parallel()
	f := func(f *feedv1.Snapshot) { f.Gateways[0].Unmatched, f.Policies = v1alpha1.UnmatchedAllow, nil }
	for _, tok := range []string{goodToken, denial.TokenExpired, ""} {
		h := open(t, build{feed: f})
		got := h.ask(asking{target: webTarget("open")}.bearing(tok))
		if !got.allowed() || len(h.tokens.peers) != 0 || h.last().Txn != "" {
			t.Errorf("%q: %q, %d tokens were verified, txn %q", tok, got.code(), len(h.tokens.peers), h.last().Txn)
		}
		if !has(got.GetOkResponse().GetHeadersToRemove(), wire.HeaderTxnToken) {
			t.Errorf("%q goes on", tok)
		}
	}
}

func has(list []string, s string) bool {
	return slices.Contains(list, s)
}

// TestPeers: who opened the connection counts where connections say so, and
// only by a SPIFFE ID.
func TestPeers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, listener, principal string
		want                      string // the peer; "-": denied
	}{
		{"a peer", "mtls", spiffe, spiffe},
		{"another", "mtls", "spiffe://corp/ns/agents/sa/other", "spiffe://corp/ns/agents/sa/other"},
		{"of another namespace", "mtls", "spiffe://corp/ns/x/sa/researcher", "-"},
		{"none", "mtls", "", "-"},
		{"a DNS name", "mtls", "researcher", "-"},
		{"a subject", "mtls", "CN=" + spiffe, "-"},
		{"another scheme", "mtls", "https://corp/ns/agents/sa/researcher", "-"},
		{"where connections say nothing", "agents", spiffe, "-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{})
			got := h.ask(asking{target: webTarget(tc.listener), path: "/peers", principal: tc.principal})
			if got.allowed() != (tc.want != "-") {
				t.Fatalf("code %q: %s", got.code(), got.body())
			}
			if got.allowed() && h.last().Peer != tc.want {
				t.Errorf("recorded peer %q", h.last().Peer)
			}
		})
	}
}

// TestTheVerifierIsToldThePeer, and no name that is not a workload's.
func TestTheVerifierIsToldThePeer(t *testing.T) {
	t.Parallel()
	for principal, want := range map[string]token.Peer{
		spiffe:       {SPIFFE: spiffe, Certificate: "pem"},
		"researcher": {Certificate: "pem"},
		"":           {Certificate: "pem"},
	} {
		h := open(t, build{})
		h.ask(asking{target: webTarget("mtls"), path: "/peers", principal: principal, certificate: "pem"}.bearing(goodToken))
		if len(h.tokens.peers) != 1 || h.tokens.peers[0] != want {
			t.Errorf("%q: the verifier was told %+v", principal, h.tokens.peers)
		}
	}
}

// TestLimitsOnWhatARequestSays of its length.
func TestLimitsOnWhatARequestSays(t *testing.T) {
	t.Parallel()
	head := func(k, v string) [2]string { return [2]string{k, v} }
	for _, tc := range []struct {
		name, protocol string
		headers        [][2]string
		code           string
	}{
		{"HTTP/1.1 and nothing said", "HTTP/1.1", nil, ""},
		{"HTTP/1.0 and nothing said", "HTTP/1.0", nil, denial.LimitMissing},
		{"HTTP/2 and nothing said", "HTTP/2", nil, denial.LimitMissing},
		{"as long as may be", "HTTP/2", [][2]string{head("content-length", "100")}, ""},
		{"too long", "HTTP/2", [][2]string{head("content-length", "101")}, denial.LimitExceeded},
		{"a length twice", "HTTP/1.1", [][2]string{head("content-length", "1"), head("content-length", "1")}, denial.LimitMissing},
		{"no number", "HTTP/1.1", [][2]string{head("content-length", "1x")}, denial.LimitMissing},
		{"a sign", "HTTP/1.1", [][2]string{head("content-length", "+1")}, denial.LimitMissing},
		{"nothing", "HTTP/1.1", [][2]string{head("content-length", "")}, denial.LimitMissing},
		{"more than a number holds", "HTTP/1.1", [][2]string{head("content-length", "9999999999999999999")}, denial.LimitMissing},
		{"chunked", "HTTP/1.1", [][2]string{head(wire.HeaderFraming, "chunked")}, denial.LimitMissing},
		{"chunked and a length", "HTTP/1.1", [][2]string{head(wire.HeaderFraming, "chunked"), head("content-length", "1")}, denial.LimitMissing},
		{"an upgrade", "HTTP/1.1", [][2]string{head("upgrade", "websocket")}, denial.LimitMissing},
		{"an upgrade and a length", "HTTP/1.1", [][2]string{head("upgrade", "websocket"), head("content-length", "1")}, denial.LimitMissing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := asking{target: webTarget("agents"), method: "POST", path: "/bounded", protocol: tc.protocol, headers: tc.headers}.bearing(goodToken)
			if got := open(t, build{}).ask(a); got.code() != tc.code {
				t.Errorf("code %q, want %q", got.code(), tc.code)
			}
		})
	}
}

// TestAProblemTellsAVerifiedCallerTheRule, and nobody else.
func TestAProblemTellsTheRule(t *testing.T) {
	t.Parallel()
	deny := func(f *feedv1.Snapshot) {
		f.Policies = []feedv1.Policy{policyOf(t, "p", `
- {name: shut, to: {type: HTTP, http: [{ports: [8080, 8081, 8444]}]}, action: Deny}
- {name: opened, to: {type: Tools, tools: [{}]}, action: Allow}`)}
	}
	short := func(f *feedv1.Snapshot) { deny(f); f.Gateways[0].Detail = v1alpha1.DetailCode }
	for _, tc := range []struct {
		name string
		feed func(*feedv1.Snapshot)
		a    asking
		rule string
	}{
		{"a token", deny, page(), "shut"},
		{"a peer", deny, asking{target: webTarget("mtls"), principal: spiffe}, "shut"},
		{"nobody", deny, asking{target: webTarget("open")}, ""},
		{"a token, and the operator tells codes only", short, page(), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{feed: tc.feed})
			got := h.ask(tc.a)
			var m struct {
				Type, Title, Detail, Code, Retry, Policy, Rule string
				Status                                         int
				RequestID                                      string `json:"request_id"`
			}
			if err := json.Unmarshal([]byte(got.body()), &m); err != nil {
				t.Fatal(err)
			}
			if m.Code != denial.RuleDenied || m.Rule != tc.rule || (m.Policy == "agents/p") != (tc.rule != "") || m.Status != 403 || got.status() != 403 {
				t.Errorf("problem %s", got.body())
			}
			if r := h.last(); r.Rule != "shut" || r.Policy != "agents/p" || m.RequestID != r.Hop.String() || r.RequestID != m.RequestID {
				t.Errorf("recorded %+v, told %s", r, got.body())
			}
			if typ, _ := got.header("content-type"); typ != "application/problem+json" {
				t.Errorf("content type %q", typ)
			}
		})
	}
}

// TestGRPC: Envoy makes the status from ours, and the message from the body.
func TestGRPC(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{denial.TokenExpired: 401, denial.TokenMalformed: 401, denial.KeySource: 503} {
		a := page().without(wire.HeaderTxnToken).bearing(code).with([2]string{"content-type", "application/grpc+proto"})
		got := open(t, build{}).ask(a)
		if got.status() != want || !strings.HasPrefix(got.body(), code+": ") {
			t.Errorf("%s: %d %s", code, got.status(), got.body())
		}
		if typ, _ := got.header("content-type"); !strings.HasPrefix(typ, "text/plain") {
			t.Errorf("content type %q", typ)
		}
	}
}

// TestAPathIsRecordedWithoutItsQuery, also where it was denied unread.
func TestAPathIsRecordedWithoutItsQuery(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]asking{"allowed": page(), "unread": page().without(wire.HeaderTxnToken).bearing(denial.TokenExpired)} {
		h := open(t, build{})
		h.ask(a)
		if r := h.last(); r.Path != "/public/a" || r.Method != http.MethodGet || r.Host != "web.example" {
			t.Errorf("%s: recorded %+v", name, r)
		}
	}
	h := open(t, build{})
	a := page().without(wire.HeaderTxnToken).bearing(denial.TokenExpired)
	a.host = "agent:hunter2@web.example"
	h.ask(a)
	if r := h.last(); r.Host != "web.example" {
		t.Errorf("a password is recorded: %+v", r)
	}
}

// TestARecordTellsWho.
func TestARecordTellsWho(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	got := h.ask(page())
	r := h.last()
	want := audit.Record{
		Txn: "txn-1", Domain: "agents/corp", Subject: "bob", Agent: "researcher", Gateway: gateway, Listener: "agents", Route: "agents/route",
		RouteRule: "#0", Verdict: audit.VerdictAllow, Level: "Gateway/agents/egress", Policy: "agents/p", Rule: "pages", Revision: "r1", Kind: audit.KindBegin,
	}
	if r.Txn != want.Txn || r.Domain != want.Domain || r.Subject != want.Subject || r.Agent != want.Agent || r.Gateway != want.Gateway ||
		r.Listener != want.Listener || r.Route != want.Route || r.RouteRule != want.RouteRule || r.Verdict != want.Verdict ||
		!strings.HasPrefix(r.Level, want.Level) || r.Policy != want.Policy || r.Rule != want.Rule || r.Revision != want.Revision || r.Kind != want.Kind {
		t.Errorf("recorded %+v", r)
	}
	if r.Hop != audit.HopID(got.id()) || r.Source.String() != "192.0.2.7:40000" || r.Token.String() != "abcd000000000000" ||
		!r.Expires.Equal(start().Add(600e9)) || len(r.Backends) != 1 || r.Backends[0] != web || len(r.Actors) != 1 || !r.Time.Equal(start()) {
		t.Errorf("recorded %+v", r)
	}
	if r.Parent != audit.HopID(leash.ID{}) {
		t.Errorf("a parent is recorded: %s", r.Parent)
	}
}
