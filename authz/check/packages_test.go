package check

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/release"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const (
	pypi  = "XBackend/agents/pypi"
	files = "XBackend/agents/files"
	own   = "XBackend/agents/own"
)

// fakeReleases says when something was published, by what is asked.
type fakeReleases struct {
	at  time.Time
	err error
	mu  sync.Mutex
	// asked is what was asked; guarded by mu.
	asked []string
	addrs []netip.Addr // guarded by mu
}

func (f *fakeReleases) Published(ctx context.Context, q *release.Question) (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := strings.Join([]string{q.Index.Ref, q.Host, q.Path, q.Name, q.Version, q.File}, " ")
	for _, h := range q.Headers {
		text += " " + h[0]
	}
	f.asked = append(f.asked, strings.Clone(text))
	var err error
	if f.addrs, err = q.Exit.Addresses(ctx, q.Index.Hostname, q.Index.Port); err != nil {
		return time.Time{}, err
	}
	return f.at, f.err
}

// registries has a registry with a host of its files, and one that no tunnel
// can verify.
func registries(t *testing.T) func(*feedv1.Snapshot) {
	return func(f *feedv1.Snapshot) {
		backend := func(ref, host string, port uint16, tls, inspectable bool) feedv1.Backend {
			return feedv1.Backend{
				Ref: ref, Hostname: host, Port: port, Surface: v1alpha1.SurfacePackages, Provider: "pypi",
				TLS: tls, Inspectable: inspectable, Mode: wire.ModeGuard, Cluster: ref,
			}
		}
		e := &f.Gateways[0].Egress
		e.Backends = append(e.Backends,
			backend(pypi, "api.example", 443, true, true), backend(files, "api.example", 8443, false, true), backend(own, "gone.example", 443, true, false))
		f.Registries = []feedv1.Registry{
			{Ref: files, Protocol: "pypi", Hostname: "api.example", Port: 8443},
			{Ref: own, Protocol: "pypi", Hostname: "gone.example", Port: 443},
			{Ref: pypi, Protocol: "pypi", Hostname: "api.example", Port: 443, Path: "/curated", Files: []string{files}},
		}
		p := policyOf(t, "p", `
- {name: tool, to: {type: Packages, packages: [{registry: {kind: XBackend, name: pypi}, names: [tool]}, {registry: {kind: XBackend, name: files}, names: [tool], minimumAge: 72h}]}, action: Allow}
- {name: tunnels, to: {type: Hosts, hosts: [{names: [api.example, gone.example], ports: [443, 8443]}]}, action: Allow, with: {tls: Inspect}}`)
		f.Policies = []feedv1.Policy{p}
	}
}

func packagesTarget(ref string) wire.Target {
	t := proxyTarget()
	t.Surface, t.Provider, t.Backends, t.BodyBytes = "Packages", "pypi", []string{ref}, 1
	return t
}

// fetching is an absolute-form request to the registry, or to its files.
func fetching(path string) asking {
	a := asking{target: packagesTarget(pypi), host: "api.example:443", path: path}
	if strings.HasPrefix(path, "/packages/") {
		a.target, a.host = packagesTarget(files), "api.example:8443"
	}
	return a.with(credentials(goodToken))
}

func TestPackages(t *testing.T) {
	t.Parallel()
	const wheel = "/packages/tool-1.0-py3-none-any.whl"
	change := func(a asking, f func(*asking)) asking { f(&a); return a }
	old, young := start().Add(-96*time.Hour), start().Add(-time.Hour)
	for _, tc := range []struct {
		name     string
		a        asking
		releases *fakeReleases
		code     string
		asked    int
	}{
		{"a page", fetching("/curated/simple/tool/"), &fakeReleases{}, "", 0},
		{"a page that is not below its root", fetching("/simple/tool/"), &fakeReleases{}, denial.RegistryClosed, 0},
		{"another package", fetching("/curated/simple/evil/"), &fakeReleases{}, denial.NoRule, 0},
		{"all names", fetching("/curated/simple/"), &fakeReleases{}, denial.RegistryClosed, 0},
		{"an upload", change(fetching("/curated/legacy/"), func(a *asking) { a.method = "POST" }), &fakeReleases{}, denial.RegistryClosed, 0},
		{"a body", change(fetching("/curated/simple/tool/").with([2]string{"content-length", "1"}), func(a *asking) { a.body = "x" }), &fakeReleases{}, denial.BodyUnreadable, 0},
		{"a body that is announced", fetching("/curated/simple/tool/").with([2]string{"content-length", "9"}), &fakeReleases{}, denial.BodyUnreadable, 0},
		{"a body of a length that cannot be read", fetching("/curated/simple/tool/").with([2]string{"content-length", "0000000000000000009"}), &fakeReleases{}, denial.BodyUnreadable, 0},
		{"no body, and said so", fetching("/curated/simple/tool/").with([2]string{"content-length", "0"}), &fakeReleases{}, "", 0},
		{"another method, by a header", fetching("/curated/simple/tool/").with([2]string{"x-http-method-override", "POST"}), &fakeReleases{}, denial.BodyUnreadable, 0},
		{"an upgrade", upgrading(fetching("/curated/simple/tool/"), "websocket"), &fakeReleases{}, denial.BodyUnreadable, 0},
		{"dots", fetching("/curated/simple/../legacy/"), &fakeReleases{}, denial.BadPath, 0},
		{"an encoded slash", fetching("/curated/simple%2ftool/"), &fakeReleases{}, denial.BadPath, 0},
		{"an old release", fetching(wheel), &fakeReleases{at: old}, "", 1},
		{"a new release", fetching(wheel), &fakeReleases{at: young}, denial.ReleaseTooNew, 1},
		{"a release of tomorrow", fetching(wheel), &fakeReleases{at: start().Add(time.Hour)}, denial.ReleaseTooNew, 1},
		{"a release of which nobody says", fetching(wheel), &fakeReleases{err: release.ErrUnknown}, denial.ReleaseAgeUnknown, 1},
		{"a registry that does not answer", fetching(wheel), &fakeReleases{err: release.ErrLate}, denial.ReleaseSource, 1},
		{"another package's release is not looked up", fetching("/packages/evil-1.0-py3-none-any.whl"), &fakeReleases{at: old}, denial.NoRule, 0},
		{"who has no token is not looked up for", change(fetching(wheel), func(a *asking) { a.headers = nil }), &fakeReleases{at: old}, denial.TokenMissing, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{feed: registries(t), leaves: &fakeLeaves{}, releases: tc.releases})
			got := h.ask(tc.a)
			if !strings.Contains(got.body(), `"code":"`+tc.code+`"`) && tc.code != "" || got.allowed() != (tc.code == "") {
				t.Fatalf("want %q: %s", tc.code, got.body())
			}
			if len(tc.releases.asked) != tc.asked {
				t.Errorf("asked %v", tc.releases.asked)
			}
			if r := h.last(); r.Surface != "Packages" {
				t.Errorf("recorded %+v", r)
			}
		})
	}
}

// TestAged: the index is asked of what is asked for, and the record says how old
// it was.
func TestAged(t *testing.T) {
	t.Parallel()
	f := &fakeReleases{at: start().Add(-96 * time.Hour)}
	h := open(t, build{feed: registries(t), leaves: &fakeLeaves{}, releases: f})
	if got := h.ask(fetching("/packages/tool-1.0-py3-none-any.whl")); !got.allowed() {
		t.Fatalf("%s", got.body())
	}
	want := []string{pypi + " api.example /packages/tool-1.0-py3-none-any.whl tool 1.0 tool-1.0-py3-none-any.whl"}
	if diff := cmp.Diff(want, f.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if len(f.addrs) == 0 {
		t.Error("the index has no address")
	}
	found := false
	for _, s := range h.last().Seen {
		found = found || s.Name == audit.FieldReleaseAge && string(s.Value) == `"96h0m0s"`
	}
	if !found {
		t.Errorf("recorded %+v", h.last().Seen)
	}
	nobody := open(t, build{feed: registries(t), leaves: &fakeLeaves{}})
	if got := nobody.ask(fetching("/packages/tool-1.0-py3-none-any.whl")); !strings.Contains(got.body(), denial.ReleaseAgeUnknown) {
		t.Errorf("without anybody who looks: %s", got.body())
	}
}

// TestPackagesInTunnels: a tunnel to a registry is only one that is inspected,
// and what is in it is read as the registry's.
func TestPackagesInTunnels(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: registries(t), leaves: &fakeLeaves{}, releases: &fakeReleases{err: errors.New("not asked")}})
	outer := h.ask(tunnel("api.example:443"))
	if !outer.allowed() || wayOf(outer).Mode != "guard-inspect" || wayOf(outer).Cluster != "" {
		t.Fatalf("no tunnel: %+v %s", wayOf(outer), outer.body())
	}
	hop := h.hold(outer)
	if code := h.Again(hop); code != "" {
		t.Fatalf("no hold: %s", code)
	}
	for _, tc := range []struct{ name, method, path, code string }{
		{"a page", "GET", "/curated/simple/tool/", ""},
		{"another package", "GET", "/curated/simple/evil/", denial.NoRule},
		{"an upload", "POST", "/curated/legacy/", denial.RegistryClosed},
		{"anything else", "GET", "/", denial.RegistryClosed},
	} {
		a := inspected(outer.meta(wire.MetaHopID), "api.example:443")
		a.method, a.path = tc.method, tc.path
		got := h.ask(a)
		if got.allowed() != (tc.code == "") || tc.code != "" && !strings.Contains(got.body(), tc.code) {
			t.Errorf("%s: %s", tc.name, got.body())
		}
	}
	if r := h.last(); r.Surface != "Packages" || r.Parent != audit.HopID(outer.id()) {
		t.Errorf("recorded %+v", r)
	}
	plain := inspected(outer.meta(wire.MetaHopID), "api.example:443")
	plain.target, plain.host, plain.path = innerTarget(), "api.example:443", "/curated/simple/tool/"
	if got := h.ask(plain); !strings.Contains(got.body(), denial.SurfaceRequired) {
		t.Errorf("plain HTTP to a registry of TLS: %s", got.body())
	}
	if got := h.ask(tunnel("gone.example:443")); !strings.Contains(got.body(), denial.SurfaceRequired) {
		t.Errorf("a tunnel to what none can verify: %s", got.body())
	}
	passing := feed(t)
	registries(t)(passing)
	passing.Policies[0].Rules[1].With.TLS = v1alpha1.TLSPassthrough
	h.SetWorld(worldOf(t, 2, passing, h.names))
	if got := h.ask(tunnel("api.example:443")); !strings.Contains(got.body(), denial.SurfaceRequired) {
		t.Errorf("a tunnel that passes: %s", got.body())
	}
	if code := h.Redecide(hop); code != "" {
		t.Errorf("the tunnel that is inspected ends by %s", code)
	}
}

// TestATunnelThatPassesEndsForARegistry: what was anybody's and is a registry's
// now is not passed on unread.
func TestATunnelThatPassesEndsForARegistry(t *testing.T) {
	t.Parallel()
	before := func(f *feedv1.Snapshot) {
		registries(t)(f)
		f.Gateways[0].Egress.Backends, f.Registries = nil, nil
		f.Policies[0].Rules[1].With.TLS = v1alpha1.TLSPassthrough
	}
	h := open(t, build{feed: before, leaves: &fakeLeaves{}})
	outer := h.ask(tunnel("api.example:443"))
	if !outer.allowed() {
		t.Fatalf("%s", outer.body())
	}
	hop := h.hold(outer)
	if code := h.Again(hop); code != "" {
		t.Fatal(code)
	}
	after := feed(t)
	registries(t)(after)
	h.SetWorld(worldOf(t, 2, after, h.names))
	if code := h.Redecide(hop); code != denial.SurfaceRequired {
		t.Errorf("it ends by %q", code)
	}
}

// TestPackagesOnARoute: a Service is a registry at the top of its host.
func TestPackagesOnARoute(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: func(f *feedv1.Snapshot) {
		f.Policies = []feedv1.Policy{policyOf(t, "p", `[{name: r, to: {type: Packages, packages: [{registry: {kind: Service, name: goproxy}, names: ["example.org/**"]}]}, action: Allow}]`)}
	}})
	target := webTarget("agents")
	target.Surface, target.Provider, target.Backends, target.BodyBytes = "Packages", "go", []string{"Service/agents/goproxy"}, 1
	for path, code := range map[string]string{
		"/example.org/a/@v/v1.0.0.zip": "", "/example.org/%21a/@v/list": "", "/evil.org/a/@v/list": denial.NoRule, "/example.org/a": denial.RegistryClosed,
	} {
		got := h.ask(asking{target: target, path: path}.bearing(goodToken))
		if got.allowed() != (code == "") || code != "" && !strings.Contains(got.body(), code) {
			t.Errorf("%s: %s", path, got.body())
		}
		if got.allowed() && got.meta(wire.MetaMode) != "" {
			t.Errorf("%s: a mode was chosen: %s", path, got.meta(wire.MetaMode))
		}
	}
}
