package check

import (
	"slices"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// holdWords fails unless the headers that a view gives are those of the message,
// in their order.
func holdWords(t testing.TB, m *authv3.CheckRequest, r *Request) {
	t.Helper()
	var want, got [][2]string
	for _, v := range m.GetAttributes().GetRequest().GetHttp().GetHeaderMap().GetHeaders() {
		want = append(want, [2]string{v.GetKey(), valueOf(v)})
	}
	r.each(func(key, value string) { got = append(got, [2]string{key, value}) })
	if !slices.Equal(want, got) {
		t.Fatalf("headers %q, want %q", got, want)
	}
}

// wordRules let pages be read of one tenant, and have one project closed.
const wordRules = `
- name: tenant
  to: {type: HTTP, http: [{ports: [80], paths: ["/t/**"], methods: [GET, PUT], headers: [{name: x-tenant, type: Exact, values: [acme]}]}]}
  action: Allow
- name: project
  to: {type: HTTP, http: [{ports: [80], paths: ["/q/**"], query: [{name: project, type: Glob, values: ["acme-*"]}]}]}
  action: Allow
- name: folder
  to: {type: HTTP, http: [{ports: [80], paths: ["/f/**"], query: [{name: file, type: Glob, values: ["docs/**"]}]}]}
  action: Allow
- name: open
  to: {type: HTTP, http: [{ports: [80], paths: ["/open/**"]}]}
  action: Allow
- name: not-evil
  to: {type: HTTP, http: [{paths: ["/open/**"], query: [{name: project, type: Exact, values: [evil]}]}]}
  action: Deny
`

func words0(t testing.TB) func(*feedv1.Snapshot) {
	return func(f *feedv1.Snapshot) { f.Policies = []feedv1.Policy{policyOf(t, "words", wordRules)} }
}

// TestWordsOfRequests: what headers and queries say counts as it came, and what
// could be read in two ways opens nothing and closes.
func TestWordsOfRequests(t *testing.T) {
	t.Parallel()
	tenant := func(values ...string) (out [][2]string) {
		for _, v := range values {
			out = append(out, [2]string{"x-tenant", v})
		}
		return out
	}
	for _, tc := range []struct {
		name, path string
		headers    [][2]string
		code       string
	}{
		{"the tenant", "/t/x", tenant("acme"), ""},
		{"another tenant", "/t/x", tenant("evil"), denial.NoRule},
		{"no tenant", "/t/x", nil, denial.NoRule},
		{"two tenants", "/t/x", tenant("acme", "evil"), denial.NoRule},
		{"the tenant twice", "/t/x", tenant("acme", "acme"), denial.NoRule},
		{"a list of tenants", "/t/x", tenant("acme, evil"), denial.NoRule},
		{"the tenant in another case", "/t/x", tenant("ACME"), denial.NoRule},
		{"the tenant, and its name with an underscore", "/t/x", append(tenant("acme"), [2]string{"x_tenant", "evil"}), denial.NoRule},
		{"the project", "/q/x?project=acme-1", nil, ""},
		{"the project among others", "/q/x?a=b%20c&project=acme-1&d", nil, ""},
		{"another project", "/q/x?project=evil", nil, denial.NoRule},
		{"two projects", "/q/x?project=acme-1&project=evil", nil, denial.NoRule},
		{"a project in another case", "/q/x?project=acme-1&Project=evil", nil, denial.NoRule},
		{"a project as a list", "/q/x?project=acme-1&project[]=evil", nil, denial.NoRule},
		{"a project behind a semicolon", "/q/x?project=acme-1;project=evil", nil, denial.NoRule},
		{"a project that is encoded without need", "/q/x?project=acme%2D1", nil, denial.NoRule},
		{"a file", "/f/x?file=docs/a/b..c", nil, ""},
		{"a file that is elsewhere", "/f/x?file=docs/../secret", nil, denial.NoRule},
		{"a file that is elsewhere, encoded", "/f/x?file=docs%2F..%2Fsecret", nil, denial.NoRule},
		{"a file that is elsewhere, for some", "/f/x?file=docs/a%5C..%5C..%5Csecret", nil, denial.NoRule},
		{"a file that is elsewhere, at the end", "/f/x?file=docs/..", nil, denial.NoRule},
		{"no query", "/q/x", nil, denial.NoRule},
		{"not the evil one", "/open/x?project=acme-1", nil, ""},
		{"the evil one", "/open/x?project=evil", nil, denial.RuleDenied},
		{"the evil one in another case", "/open/x?project=EVIL", nil, denial.RuleDenied},
		{"nothing said", "/open/x", nil, denial.RuleError},
		{"the evil one among others", "/open/x?project=acme-1&project=evil", nil, denial.RuleError},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{feed: words0(t)})
			a := asking{target: proxyTarget(), host: "198.200.0.9", path: tc.path}.bearing(goodToken).with(tc.headers...)
			if got := h.ask(a); got.code() != tc.code {
				t.Errorf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
		})
	}
}

// TestWordsStayWithAStream: what rules read of a request is there when its hop
// is decided again, and nothing else is.
func TestWordsStayWithAStream(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: words0(t)})
	got, scribble := h.askAndScribble(asking{target: proxyTarget(), host: "198.200.0.9", path: "/q/x?project=acme-1"}.bearing(goodToken))
	hop := h.hold(got)
	if code := h.Again(hop); code != "" {
		t.Fatal(code)
	}
	scribble()
	if code := h.Redecide(hop); code != "" {
		t.Errorf("decided again: %s", code)
	}
	a := &hop.Subject.(*Held).hop.Action
	if w := a.Words.Parameter("project"); w.Text != "acme-1" || w.Doubt != "" {
		t.Errorf("project %+v", w)
	}
	if w := a.Words.Header("txn-token"); w.Doubt == "" {
		t.Error("a header is kept that no rule reads")
	}
}

// TestOverrides: a method that is asked for beside the request's own must be
// allowed too, and another path never is.
func TestOverrides(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, method, path string
		header             [2]string
		code               string
	}{
		{"none", "GET", "/t/x", [2]string{}, ""},
		{"the same", "GET", "/t/x", [2]string{"x-http-method-override", "GET"}, ""},
		{"one that is allowed", "GET", "/t/x", [2]string{"x-http-method-override", "PUT"}, ""},
		{"one that is not", "GET", "/t/x", [2]string{"x-http-method-override", "DELETE"}, denial.NoRule},
		{"one that is not, by another name", "GET", "/t/x", [2]string{"x-method-override", "DELETE"}, denial.NoRule},
		{"one that is not, with underscores", "GET", "/t/x", [2]string{"x_http_method_override", "DELETE"}, denial.NoRule},
		{"one that is not, in the query", "GET", "/t/x?_method=DELETE", [2]string{}, denial.NoRule},
		{"one in the query, encoded", "GET", "/t/x?%5fMethod=DELETE", [2]string{}, denial.NoRule},
		{"two", "GET", "/t/x?_method=PUT", [2]string{"x-http-method", "PUT"}, denial.BodyUnreadable},
		{"in lower case", "GET", "/t/x", [2]string{"x-http-method-override", "delete"}, denial.BodyUnreadable},
		{"TRACE", "GET", "/t/x", [2]string{"x-http-method-override", "TRACE"}, denial.BodyUnreadable},
		{"TRACE itself", "TRACE", "/open/x?project=a", [2]string{}, denial.BodyUnreadable},
		{"another path", "GET", "/t/x", [2]string{"x-original-url", "/admin"}, denial.BadPath},
		{"another path, by another name", "GET", "/t/x", [2]string{"x-rewrite-url", "/t/x"}, denial.BadPath},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{feed: words0(t)})
			a := asking{target: proxyTarget(), method: tc.method, host: "198.200.0.9", path: tc.path}.bearing(goodToken).with([2]string{"x-tenant", "acme"})
			if tc.header[0] != "" {
				a = a.with(tc.header)
			}
			if got := h.ask(a); got.code() != tc.code {
				t.Errorf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
		})
	}
}
