package check

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// keeping lets paths with encoded slashes pass below /kept, and none below
// /plain, by every way in.
func keeping(t *testing.T, change func(*feedv1.Snapshot)) *house {
	t.Helper()
	return open(t, build{leaves: &fakeLeaves{}, feed: func(f *feedv1.Snapshot) {
		f.Policies = []feedv1.Policy{policyOf(t, "p", `
- {name: tunnels, to: {type: Hosts, hosts: [{names: [api.example], ports: [80]}]}, action: Allow}
- {name: looked-into, to: {type: Hosts, hosts: [{names: [api.example]}]}, action: Allow, with: {tls: Inspect}}
- {name: kept, to: {type: HTTP, http: [{hosts: [web.example, api.example], ports: [80, 443, 8080], methods: [GET], paths: ["/kept/*"], encodedSlashes: Keep}]}, action: Allow}
- {name: plain, to: {type: HTTP, http: [{hosts: [web.example, api.example], ports: [80, 443, 8080], paths: ["/plain/**"]}]}, action: Allow}
- {name: tenant, to: {type: HTTP, http: [{hosts: [web.example, api.example], ports: [80, 443, 8080], methods: [POST], paths: ["/kept/*"], encodedSlashes: Keep, query: [{name: tenant, type: Exact, values: [acme]}]}]}, action: Allow}
- {name: shut, to: {type: HTTP, http: [{paths: ["/kept/secret/**"]}]}, action: Deny}
- {name: any, to: {type: Tools, tools: [{}]}, action: Allow}`)}
		if change != nil {
			change(f)
		}
	}})
}

// waysIn is a request by each way to ask for a path.
func waysIn(h *house) map[string]asking {
	h.t.Helper()
	inside := func(entry wire.Entry, target string) asking {
		outer := h.ask(tunnel(target))
		if !outer.allowed() {
			h.t.Fatalf("no tunnel: %s", outer.body())
		}
		if code := h.Again(h.hold(outer)); code != "" {
			h.t.Fatalf("no hold: %s", code)
		}
		return asking{target: wire.Target{Entry: entry, Surface: "HTTP"}, host: "api.example", parent: outer.meta(wire.MetaHopID), parentTarget: target}
	}
	return map[string]asking{
		"a route":          asking{target: webTarget("agents")}.bearing(goodToken),
		"the proxy":        absolute("api.example"),
		"a tunnel":         inside(wire.EntryInner, "api.example:80"),
		"an inspected one": inside(wire.EntryInspected, "api.example:443"),
		"HTTP/2 on a route": func() asking {
			a := asking{target: webTarget("agents")}.bearing(goodToken)
			a.protocol = "HTTP/2"
			return a
		}(),
		"HTTP/2 by a tunnel": func() asking { a := inside(wire.EntryInspected, "api.example:443"); a.protocol = "HTTP/2"; return a }(),
	}
}

// TestEncodedSlashes: by each way in the same is judged, and what was judged is
// sent on.
func TestEncodedSlashes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		method, path string
		code         string
		judged, sent string // sent is empty where it goes on as it came
	}{
		{"GET", "/kept/a%2Fb", "", "/kept/a%2Fb", ""},
		{"GET", "/kept/a%2Fb?x=%2f..", "", "/kept/a%2Fb", ""},
		{"GET", "/kept/a%2fb", "", "/kept/a%2Fb", "/kept/a%2Fb"},
		{"GET", "/%6bept/%61%2fb%2Fc?x=%2f&token=hunter2", "", "/kept/a%2Fb%2Fc", "/%6bept/%61%2Fb%2Fc?x=%2f&token=hunter2"},
		{"GET", "/kept/a%2fb?", "", "/kept/a%2Fb", "/kept/a%2Fb?"},
		{"GET", "/%6bept/%61", "", "/kept/a", ""},
		{"POST", "/kept/a%2Fb?tenant=acme", "", "/kept/a%2Fb", ""},
		{"POST", "/kept/a%2Fb?tenant=other", denial.NoRule, "/kept/a%2Fb", ""},
		{"DELETE", "/kept/a%2Fb", denial.NoRule, "/kept/a%2Fb", ""},
		{"GET", "/kept/a%2Fb?_method=DELETE", denial.NoRule, "/kept/a%2Fb", ""},
		{"GET", "/kept/a%2Fb/c", denial.NoRule, "/kept/a%2Fb/c", ""},
		{"GET", "/kept%2fa", denial.NoRule, "/kept%2Fa", ""},
		{"GET", "/kept/secret%2fa", denial.RuleDenied, "/kept/secret%2Fa", ""},
		{"GET", "/plain/a%2fb", denial.BadPath, "/plain/a%2Fb", ""},
		{"GET", "/plain%2fa", denial.BadPath, "/plain%2Fa", ""},
		{"GET", "/kept/..%2fplain", denial.BadPath, "", ""},
		{"GET", "/kept/a%2f%2e%2e%2fb", denial.BadPath, "", ""},
		{"GET", "/kept/a%2f%2fb", denial.BadPath, "", ""},
		{"GET", "/kept/a%2f", denial.BadPath, "", ""},
		{"GET", "/kept/a%252fb", denial.BadPath, "", ""},
		{"GET", "/kept/a%2fb%5cc", denial.BadPath, "", ""},
		{"GET", "/kept/a%2fb%00", denial.BadPath, "", ""},
		{"GET", "/kept/a%2fb;c", denial.BadPath, "", ""},
	} {
		t.Run(tc.method+" "+strings.ReplaceAll(tc.path, "/", "|"), func(t *testing.T) {
			t.Parallel()
			h := keeping(t, nil)
			for name, a := range waysIn(h) {
				a.method, a.path = tc.method, tc.path
				got := h.ask(a)
				if got.code() != tc.code {
					t.Errorf("by %s: code %q, want %q: %s", name, got.code(), tc.code, got.body())
					continue
				}
				if sent, _ := got.header(":path"); sent != tc.sent {
					t.Errorf("by %s: %q is sent on, want %q", name, sent, tc.sent)
				}
				if r := h.last(); r.Path != tc.judged && tc.judged != "" {
					t.Errorf("by %s: recorded %q, want %q", name, r.Path, tc.judged)
				}
				if strings.Contains(strings.Join(h.recorder.lines, ""), "hunter2") {
					t.Errorf("by %s: a query is recorded", name)
				}
			}
		})
	}
}

// TestEncodedSlashesAreToldOf: a denial names the field that would open it.
func TestEncodedSlashesAreToldOf(t *testing.T) {
	t.Parallel()
	h := keeping(t, nil)
	a := absolute("api.example")
	a.path = "/plain/a%2fb"
	got := h.ask(a)
	if got.status() != 400 || !strings.Contains(got.body(), "says encodedSlashes: Keep") || !strings.Contains(got.body(), `"reason":"encoded_slash"`) || !strings.Contains(got.body(), `"rule":"plain"`) {
		t.Errorf("%d %s", got.status(), got.body())
	}
	if r := h.last(); r.Kind != audit.KindDeny || r.Rule != "plain" || !strings.Contains(r.Reason, "encodedSlashes: Keep") {
		t.Errorf("recorded %+v", r)
	}
}

// TestACapturedPathKeepsItsSlashes where no token says who asks.
func TestACapturedPathKeepsItsSlashes(t *testing.T) {
	t.Parallel()
	h := catching(t)
	a := asking{target: caught(wire.EntryCaptureHTTP, "http"), host: "web.example", path: "/a%2fb"}
	if got := h.ask(a); got.code() != denial.BadPath {
		t.Errorf("code %q: %s", got.code(), got.body())
	}
	f := feed(t)
	f.Gateways[0].Listeners = append(f.Gateways[0].Listeners, *h.World().State.Target(a.target.String()).Listener)
	f.Policies = []feedv1.Policy{policyOf(t, "captured", strings.ReplaceAll(capturedRules, "methods: [GET]", "methods: [GET], encodedSlashes: Keep"))}
	h.SetWorld(worldOf(t, 2, f, h.names))
	got := h.ask(a)
	if sent, _ := got.header(":path"); got.code() != "" || sent != "/a%2Fb" {
		t.Errorf("code %q, sent %q: %s", got.code(), sent, got.body())
	}
}

// TestToolsHaveNoEncodedSlashes: Envoy keeps them, and chooses routes by them.
func TestToolsHaveNoEncodedSlashes(t *testing.T) {
	t.Parallel()
	for path, code := range map[string]string{
		"/mcp": "", "/mcp?x=%2f": "", "/mcp/%20": "", "/mcp%2fx": denial.BadPath, "/mcp/..%2Fadmin": denial.BadPath, "/mcp%5cx": denial.BadPath,
		"/mcp/%5C": denial.BadPath, "/%2f?x": denial.BadPath,
	} {
		for name, target := range map[string]wire.Target{"a route": toolTarget(), "the proxy": proxyToolTarget()} {
			a := call("search_code", `{"repo":"acme/site"}`)
			if a.target, a.path = target, path; name == "the proxy" {
				a.host = "mcp.example:443"
				a = a.with(credentials(goodToken))
			}
			if got := keeping(t, nil).ask(a); got.code() != code {
				t.Errorf("%s by %s: code %q, want %q: %s", path, name, got.code(), code, got.body())
			}
		}
	}
}

// TestAStreamEndsWithItsSlashes: a rule that keeps encoded slashes no more ends
// what it let pass, and a Deny of either reading too.
func TestAStreamEndsWithItsSlashes(t *testing.T) {
	t.Parallel()
	a := absolute("api.example")
	a.path = "/kept/a%2fb"
	for name, tc := range map[string]struct {
		change func(*feedv1.Snapshot)
		code   string
	}{
		"nothing": {func(*feedv1.Snapshot) {}, ""},
		"refused": {func(f *feedv1.Snapshot) { f.Policies[0].Rules[2].To.HTTP[0].EncodedSlashes = "" }, denial.BadPath},
		"denied": {func(f *feedv1.Snapshot) {
			f.Policies = append(f.Policies, policyOf(t, "q", `[{name: no, to: {type: HTTP, http: [{paths: ["/kept/a/b"]}]}, action: Deny}]`))
		}, denial.RuleDenied},
	} {
		var f *feedv1.Snapshot
		h := keeping(t, func(x *feedv1.Snapshot) { f = x })
		hop := h.live(a)
		tc.change(f)
		h.SetWorld(worldOf(t, 2, f, h.names))
		if code := h.Redecide(hop); code != tc.code {
			t.Errorf("%s: code %q, want %q", name, code, tc.code)
		}
	}
}

// TestAScopeOnARoute: the encoded slash of npm's scopes comes through a route
// too, since Envoy keeps it there, and no other one does.
func TestAScopeOnARoute(t *testing.T) {
	t.Parallel()
	const npm = "XBackend/agents/npm"
	h := open(t, build{feed: func(f *feedv1.Snapshot) {
		f.Registries = []feedv1.Registry{{Ref: npm, Protocol: "npm", Hostname: "npm.example", Port: 443}}
		f.Policies = []feedv1.Policy{policyOf(t, "p", `[{name: acme, to: {type: Packages, packages: [{registry: {kind: XBackend, name: npm}, names: ["@acme/*"]}]}, action: Allow}]`)}
	}})
	for path, code := range map[string]string{
		"/@acme%2ftools": "", "/@acme/tools": "", "/@evil%2ftools": denial.NoRule, "/@acme%2f..%2fevil": denial.BadPath, "/@acme%2ftools%2f1.0.0": denial.BadPath,
	} {
		target := routeTarget("agents", v1alpha1.SurfacePackages, npm)
		target.Provider, target.BodyBytes = "npm", 1
		if got := h.ask(asking{target: target, path: path}.bearing(goodToken)); got.code() != code {
			t.Errorf("%s: code %q, want %q: %s", path, got.code(), code, got.body())
		}
	}
}
