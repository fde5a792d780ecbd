package check

import (
	"errors"
	"maps"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// fakeLeaves counts the approvals of names; refuse is what it says of all.
type fakeLeaves struct {
	refuse error
	mu     sync.Mutex
	names  map[string]int // guarded by mu
}

func (f *fakeLeaves) Approve(name string) (func(), error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.add(name, 1)
	return sync.OnceFunc(func() { f.add(name, -1) }), nil
}

func (f *fakeLeaves) add(name string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names == nil {
		f.names = map[string]int{}
	}
	if f.names[name] += n; f.names[name] == 0 {
		delete(f.names, name)
	}
}

func (f *fakeLeaves) approved() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.names)
}

// inspecting is a policy by which tunnels to api.example are inspected, and
// some of what is in them is let through.
func inspecting(tls string) func(*testing.T) func(*feedv1.Snapshot) {
	return func(t *testing.T) func(*feedv1.Snapshot) {
		return func(f *feedv1.Snapshot) {
			f.Policies = []feedv1.Policy{policyOf(t, "p", `
- {name: tunnels, to: {type: Hosts, hosts: [{names: [api.example], ports: [443, 8443]}]}, action: Allow, with: {tls: `+tls+`}}
- {name: web, to: {type: Hosts, hosts: [{names: [web.example], ports: [8443]}]}, action: Allow, with: {tls: `+tls+`}}
- {name: pages, to: {type: HTTP, http: [{hosts: [api.example], methods: [GET], paths: ["/public/**"]}]}, action: Allow}
- {name: other, to: {type: HTTP, http: [{hosts: [api.example], ports: [8443], paths: ["/other"]}]}, action: Allow}`)}
		}
	}
}

func inspectedTarget() wire.Target {
	return wire.Target{Entry: wire.EntryInspected, Surface: "HTTP"}
}

func inspected(parent, target string) asking {
	return asking{target: inspectedTarget(), host: "api.example", path: "/public/a", parent: parent, parentTarget: target}
}

// looked is a house with an inspected tunnel that is live.
func looked(t *testing.T, target string) (*house, *fakeLeaves, *answered) {
	t.Helper()
	l := &fakeLeaves{}
	h := open(t, build{feed: inspecting("Inspect")(t), leaves: l})
	outer := h.ask(tunnel(target))
	if !outer.allowed() {
		t.Fatalf("no tunnel: %s", outer.body())
	}
	if code := h.Again(h.hold(outer)); code != "" {
		t.Fatalf("no hold: %s", code)
	}
	return h, l, outer
}

func TestAnInspectedTunnel(t *testing.T) {
	t.Parallel()
	h, l, outer := looked(t, "API.example:443")
	if diff := cmp.Diff(way{"guard-inspect", "api.example", "443", ""}, wayOf(outer)); diff != "" {
		t.Errorf("way (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"api.example": 1}, l.approved()); diff != "" {
		t.Errorf("approved (-want +got):\n%s", diff)
	}
	h.finish(outer)
	if got := l.approved(); len(got) != 0 {
		t.Errorf("after the tunnel's end there is still %v", got)
	}
	hosts := h.ask(tunnel("web.example:8443"))
	if diff := cmp.Diff(way{"hosts-inspect", "web.example", "8443", "host/web/8443"}, wayOf(hosts)); diff != "" {
		t.Errorf("way (-want +got):\n%s", diff)
	}
}

// TestWhatIsDeniedApprovesNothing: whatever it is denied for.
func TestWhatIsDeniedApprovesNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		a    asking
		b    build
		code string
	}{
		{"by rules", tunnel("other.example:443"), build{}, denial.NoRule},
		{"by the record", tunnel("api.example:443"), build{}, denial.AuditUnavailable},
		{"for there being too much", tunnel("api.example:443"), build{maxPending: 1}, denial.Overloaded},
		{"by the CA", tunnel("api.example:443"), build{leaves: &fakeLeaves{refuse: errors.New("it may not")}}, denial.NotAvailable},
		{"without a CA", tunnel("api.example:443"), build{}, denial.NotAvailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := &fakeLeaves{}
			tc.b.feed = inspecting("Inspect")(t)
			if tc.b.leaves == nil && tc.name != "without a CA" {
				tc.b.leaves = l
			}
			h := open(t, tc.b)
			switch tc.code {
			case denial.AuditUnavailable:
				h.recorder.refuse[audit.KindBegin] = errors.New("full")
			case denial.Overloaded:
				h.ask(tunnel("web.example:8443"))
			}
			if got := h.ask(tc.a); got.code() != tc.code {
				t.Errorf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
			if got := l.approved(); got["api.example"] != 0 {
				t.Errorf("approved %v", got)
			}
		})
	}
}

func TestInspectedHops(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, at string
		change   func(*asking)
		code     string
	}{
		{"a request", "api.example:443", func(*asking) {}, ""},
		{"with its port", "api.example:443", func(a *asking) { a.host = "api.example:443" }, ""},
		{"in another spelling", "api.example:443", func(a *asking) { a.host = "API.example." }, ""},
		{"a path that is not listed", "api.example:443", func(a *asking) { a.path = "/private" }, denial.NoRule},
		{"a method that is not listed", "api.example:443", func(a *asking) { a.method = "POST" }, denial.NoRule},
		{"another host", "api.example:443", func(a *asking) { a.host = "web.example" }, denial.TargetMismatch},
		{"the port of plain HTTP", "api.example:443", func(a *asking) { a.host = "api.example:80" }, denial.TargetMismatch},
		{"another port of its own", "api.example:8443", func(a *asking) { a.host, a.path = "api.example:8443", "/other" }, ""},
		{"by rules for the usual port", "api.example:8443", func(a *asking) { a.host = "api.example:8443" }, denial.NoRule},
		{"without the port that is not usual", "api.example:8443", func(*asking) {}, denial.TargetMismatch},
		{"a tunnel in the tunnel", "api.example:443", func(a *asking) { a.method, a.host, a.path = "CONNECT", "api.example:443", "" }, denial.NoRoute},
		{"another tunnel's target", "api.example:443", func(a *asking) { a.parentTarget = "web.example:443" }, denial.TunnelGone},
		{"no parent", "api.example:443", func(a *asking) { a.parent = "-" }, denial.TunnelGone},
		{"an empty parent", "api.example:443", func(a *asking) { a.parent = "" }, denial.NotReady},
		{"plain HTTP, which has another port by itself", "api.example:443", func(a *asking) { a.target = innerTarget() }, denial.TargetMismatch},
		{"plain HTTP with the port", "api.example:443", func(a *asking) { a.target, a.host = innerTarget(), "api.example:443" }, denial.NoRule},
		{"dots", "api.example:443", func(a *asking) { a.path = "/public/../private" }, denial.BadPath},
		{"a WebSocket", "api.example:443", func(a *asking) { *a = upgrading(*a, "websocket") }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h, _, outer := looked(t, tc.at)
			a := inspected(outer.meta(wire.MetaHopID), tc.at)
			tc.change(&a)
			got := h.ask(a)
			if got.code() != tc.code {
				t.Fatalf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
			if !got.allowed() {
				return
			}
			if w := wayOf(got); w.Mode != "guard" {
				t.Errorf("it goes on by %s", w.Mode)
			}
			if r := h.last(); r.Parent != audit.HopID(outer.id()) || r.Method != "GET" || r.Path == "" || r.Txn != "txn-1" {
				t.Errorf("recorded %+v", r)
			}
		})
	}
}

// TestWhatIsNotInspectedHasNoInspectedHops: a tunnel that passes has none.
func TestWhatIsNotInspectedHasNoInspectedHops(t *testing.T) {
	t.Parallel()
	h := open(t, build{feed: inspecting("Passthrough")(t), leaves: &fakeLeaves{}})
	outer := h.ask(tunnel("api.example:443"))
	if w := wayOf(outer); w.Mode != "guard" {
		t.Fatalf("the tunnel goes by %s", w.Mode)
	}
	h.hold(outer)
	if got := h.ask(inspected(outer.meta(wire.MetaHopID), "api.example:443")); got.code() != denial.TunnelGone {
		t.Errorf("code %q", got.code())
	}
}

// TestTLSIsHandledMoreStrictly: a tunnel that was opened by a looser rule ends,
// one that was opened by a stricter one goes on.
func TestTLSIsHandledMoreStrictly(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ was, is, code string }{
		{"Opaque", "Passthrough", denial.TunnelChanged},
		{"Opaque", "Inspect", denial.TunnelChanged},
		{"Passthrough", "Inspect", denial.TunnelChanged},
		{"Passthrough", "Passthrough", ""},
		{"Passthrough", "Opaque", ""},
		{"Inspect", "Passthrough", ""},
		{"Inspect", "Inspect", ""},
	} {
		h := open(t, build{feed: inspecting(tc.was)(t), leaves: &fakeLeaves{}})
		outer := h.ask(tunnel("api.example:443"))
		hop := h.hold(outer)
		if code := h.Again(hop); code != "" {
			t.Fatalf("no hold: %s", code)
		}
		f := feed(t)
		inspecting(tc.is)(t)(f)
		h.SetWorld(worldOf(t, 2, f, h.names))
		if code := h.Redecide(hop); code != tc.code {
			t.Errorf("%s, then %s: %q, want %q", tc.was, tc.is, code, tc.code)
		}
	}
}
