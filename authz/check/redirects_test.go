package check

import (
	"fmt"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const wheelFile = "/packages/tool-1.0-py3-none-any.whl"

// fetched is a house in which a file was asked for, and its hop, which is held.
func fetched(t *testing.T) (*house, *leash.Hop) {
	t.Helper()
	h := open(t, build{feed: registries(t), leaves: &fakeLeaves{}, releases: &fakeReleases{at: start().Add(-96 * time.Hour)}})
	got := h.ask(fetching(wheelFile))
	if !got.allowed() {
		t.Fatalf("%s", got.body())
	}
	hop := h.hold(got)
	if code := h.Again(hop); code != "" {
		t.Fatal(code)
	}
	if hop.Heard == nil {
		t.Fatal("nobody hears the answer")
	}
	return h, hop
}

func leading(host, path string) asking {
	a := absolute(host)
	a.path = path
	return a
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	const there = "http://web.example/layer?sig=a%2Fb"
	for _, tc := range []struct {
		name, status, location string
		a                      asking
		code                   string
	}{
		{"there", "302", there, leading("web.example", "/layer?sig=a%2Fb"), ""},
		{"by another spelling of the host", "307", there, leading("WEB.example.:80", "/layer?sig=a%2Fb"), ""},
		{"by another spelling of the path", "307", there, leading("web.example", "/%6cayer?sig=a%2Fb"), ""},
		{"by escapes in lower case", "307", there, leading("web.example", "/layer?sig=a%2fb"), ""},
		{"by no escape where none is needed", "307", there, leading("web.example", "/layer?sig=a/b"), ""},
		{"by an escape that the registry did not need", "302", "http://web.example/sha256:1?a=(b)", leading("web.example", "/sha256%3A1?a=%28b%29"), ""},
		{"a plus for its escape", "302", "http://web.example/layer?sig=a%2Bb", leading("web.example", "/layer?sig=a+b"), denial.NoRule},
		{"an escape for a plus", "302", "http://web.example/layer?sig=a+b", leading("web.example", "/layer?sig=a%2Bb"), denial.NoRule},
		{"a plus in the path for its escape", "302", "http://web.example/a%2Bb", leading("web.example", "/a+b"), denial.NoRule},
		{"another parameter for its escape", "302", "http://web.example/layer?a=b%26c=d", leading("web.example", "/layer?a=b&c=d"), denial.NoRule},
		{"an escape twice", "302", there, leading("web.example", "/layer?sig=a%252Fb"), denial.NoRule},
		{"another path", "302", there, leading("web.example", "/other?sig=a%2Fb"), denial.NoRule},
		{"another query", "302", there, leading("web.example", "/layer?sig=b"), denial.NoRule},
		{"another host", "302", there, leading("odd.wild.example", "/layer?sig=a%2Fb"), denial.NoRule},
		{"another port", "302", there, leading("web.example:8443", "/layer?sig=a%2Fb"), denial.NoRule},
		{"another agent", "302", there, func() asking {
			a := leading("web.example", "/layer?sig=a%2Fb")
			a.headers = [][2]string{credentials(gentleToken)}
			return a
		}(), denial.NoRule},
		{"with a body", "302", there, leading("web.example", "/layer?sig=a%2Fb").with([2]string{"content-length", "1"}), denial.NoRule},
		{"a tunnel to what is not TLS", "302", there, tunnel("web.example:80"), denial.NoRule},
		{"no redirect", "200", there, leading("web.example", "/layer?sig=a%2Fb"), denial.NoRule},
		{"not modified", "304", there, leading("web.example", "/layer?sig=a%2Fb"), denial.NoRule},
		{"more than one place", "302", "", leading("web.example", "/"), denial.NoRule},
		{"user information", "302", "http://a:b@web.example/layer", leading("web.example", "/layer"), denial.NoRule},
		{"another scheme", "302", "ftp://web.example/layer", leading("web.example", "/layer"), denial.NoRule},
		{"a relative one", "302", "//web.example/layer", leading("web.example", "/layer"), denial.NoRule},
		{"dots", "302", "http://web.example/a/../layer", leading("web.example", "/layer"), denial.NoRule},
		{"what no policy opens", "302", "http://169.254.169.254/layer", leading("169.254.169.254", "/layer"), denial.AddressDenied},
		{"what is another surface", "302", "http://mcp.example:443/layer", leading("mcp.example:443", "/layer"), denial.SurfaceRequired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h, hop := fetched(t)
			hop.Heard(&leash.Answer{Status: tc.status, Location: tc.location})
			if got := h.ask(tc.a); got.code() != tc.code {
				t.Errorf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
		})
	}
}

// TestRedirectsWithTLS: the tunnel is one that is inspected, and what is in it is
// open as far as the answer led.
func TestRedirectsWithTLS(t *testing.T) {
	t.Parallel()
	h, hop := fetched(t)
	if got := h.ask(tunnel("web.example:8443")); got.code() != denial.NoRule {
		t.Fatalf("before: %s", got.body())
	}
	hop.Heard(&leash.Answer{Status: "302", Location: "https://web.example:8443/layer?sig=1"})
	outer := h.ask(tunnel("web.example:8443"))
	if !outer.allowed() || wayOf(outer).Mode != "hosts-inspect" {
		t.Fatalf("no tunnel: %+v %s", wayOf(outer), outer.body())
	}
	through := h.hold(outer)
	if code := h.Again(through); code != "" {
		t.Fatal(code)
	}
	for path, code := range map[string]string{"/layer?sig=1": "", "/layer": denial.NoRule, "/": denial.NoRule} {
		a := inspected(outer.meta(wire.MetaHopID), "web.example:8443")
		a.host, a.path = "web.example:8443", path
		if got := h.ask(a); got.code() != code {
			t.Errorf("%s: code %q, want %q", path, got.code(), code)
		}
	}
	if code := h.Redecide(through); code != "" {
		t.Errorf("the tunnel ends by %q", code)
	}
	// With the rule that allowed the file goes what its answer led to.
	gone := feed(t)
	registries(t)(gone)
	gone.Policies[0].Rules = gone.Policies[0].Rules[1:]
	h.SetWorld(worldOf(t, 2, gone, h.names))
	if code := h.Redecide(through); code != denial.NoRule {
		t.Errorf("without the rule it ends by %q", code)
	}
}

// TestRedirectsEnd: after a minute, and a rule that denies is never passed over.
func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	h, hop := fetched(t)
	hop.Heard(&leash.Answer{Status: "302", Location: "http://web.example/layer"})
	denied := feed(t)
	registries(t)(denied)
	denied.Policies = append(denied.Policies, policyOf(t, "q", `[{name: never, to: {type: HTTP, http: [{hosts: [web.example]}]}, action: Deny}]`))
	h.SetWorld(worldOf(t, 2, denied, h.names))
	if got := h.ask(leading("web.example", "/layer")); got.code() != denial.RuleDenied {
		t.Errorf("a rule that denies: %s", got.body())
	}
	open := feed(t)
	registries(t)(open)
	h.SetWorld(worldOf(t, 3, open, h.names))
	h.now = h.now.Add(ledFor - time.Second)
	if got := h.ask(leading("web.example", "/layer")); !got.allowed() {
		t.Errorf("in time: %s", got.body())
	}
	h.now = h.now.Add(2 * time.Second)
	if got := h.ask(leading("web.example", "/layer")); got.code() != denial.NoRule {
		t.Errorf("late: %s", got.body())
	}
}

// TestRedirectsAreBounded: what is over makes room, and nothing else does.
func TestRedirectsAreBounded(t *testing.T) {
	t.Parallel()
	var r redirects
	to := func(i int) led { return led{who: principal{txn: fmt.Sprint(i)}} }
	for i := range maxLed + 10 {
		r.lead(to(i), redirect{until: start().Add(ledFor)}, start())
	}
	if n := r.n.Load(); n != maxLed || len(r.by) != maxLed {
		t.Errorf("%d are kept, in %d", n, len(r.by))
	}
	r.lead(to(0), redirect{until: start().Add(2 * ledFor)}, start().Add(ledFor))
	if n := r.n.Load(); n != 1 || len(r.by) != 1 {
		t.Errorf("%d are kept, in %d", n, len(r.by))
	}
}

// TestOnlyFilesAreHeard: of nothing else is the answer asked for.
func TestOnlyFilesAreHeard(t *testing.T) {
	t.Parallel()
	h, _ := fetched(t)
	page := h.ask(fetching("/curated/simple/tool/"))
	if hop := h.hold(page); hop.Heard != nil {
		t.Error("a page's answer is heard")
	}
	if tun := h.hold(h.ask(tunnel("api.example:443"))); tun.Heard != nil || tun.Subject.(*Held).hop.Action.Kind != v1alpha1.SurfaceHosts {
		t.Error("a tunnel's answer is heard")
	}
}

// TestRedirectsOfOneAreBounded: a place is kept once, and nobody takes the room of
// all.
func TestRedirectsOfOneAreBounded(t *testing.T) {
	t.Parallel()
	var r redirects
	now := start()
	place := func(n int) redirect {
		return redirect{target: fmt.Sprintf("/%d?", n), tls: true, until: now.Add(ledFor), cause: &decide.Hop{}}
	}
	open := func(to led, n int) bool {
		return r.find(to, now, func(x *redirect) bool { return x.target == place(n).target }).cause != nil
	}
	one, other := led{who: principal{subject: "one"}}, led{who: principal{subject: "other"}}
	for n := range 2 * maxLed {
		r.lead(one, place(n), now)
		r.lead(one, place(n), now)
	}
	r.lead(other, place(0), now)
	if n := r.n.Load(); n != maxLedEach+1 {
		t.Errorf("%d are kept", n)
	}
	if open(one, 0) || !open(one, 2*maxLed-1) || !open(other, 0) || open(other, 1) {
		t.Error("the wrong ones are kept")
	}
	now = now.Add(ledFor)
	r.lead(one, place(1), now)
	if n := r.n.Load(); n != 2 || !open(one, 1) || open(other, 0) {
		t.Errorf("%d are kept a minute later", n)
	}
}

// TestRedirectsAreRecorded: with which hop's answer opened what, and until when;
// what a rule allows of itself has no cause.
func TestRedirectsAreRecorded(t *testing.T) {
	t.Parallel()
	h, hop := fetched(t)
	hop.Heard(&leash.Answer{Status: "302", Location: "https://web.example:8443/layer"})
	outer := h.ask(tunnel("web.example:8443"))
	r := h.last()
	if !outer.allowed() || r.Kind != audit.KindBegin || r.Cause != audit.HopID(hop.ID) || !r.CauseUntil.Equal(start().Add(ledFor)) {
		t.Errorf("recorded %+v", r)
	}
	if r.Policy != "agents/p" || r.Rule != "tool" {
		t.Errorf("by %s/%s, and not by what allowed the file", r.Policy, r.Rule)
	}
	open := feed(t)
	registries(t)(open)
	open.Policies = append(open.Policies, policyOf(t, "q", `[{name: all, to: {type: Hosts, hosts: [{names: [web.example], ports: [8443]}]}, action: Allow}]`))
	h.SetWorld(worldOf(t, 2, open, h.names))
	if got := h.ask(tunnel("web.example:8443")); !got.allowed() || h.last().Cause != (audit.HopID{}) || h.last().Rule != "all" {
		t.Errorf("by a rule: %s, recorded %+v", got.body(), h.last())
	}
}
