package check

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/metadata"

	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/surface/clienthello"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

const secret = "an-attempts-secret"

// fakeCanaries proves nothing by itself.
type fakeCanaries struct {
	proven bool
	plan   canary.Plan
	asked  []canary.Question
}

func (f *fakeCanaries) Proven() bool { return f.proven }

func (f *fakeCanaries) Owns(s string) bool { return s == secret }

func (f *fakeCanaries) Plan(q canary.Question) (canary.Plan, bool) {
	f.asked = append(f.asked, q)
	return f.plan, f.plan.Hold != ""
}

func held(hold string) canary.Plan {
	return canary.Plan{Life: 10 * time.Second, Hold: hold, Mode: wire.ModeHosts, Cluster: "hopgate/canary/one"}
}

// entering is a canary by a listener of theirs.
func entering(listener string) asking {
	return asking{target: wire.CanaryTarget(listener), host: "one.hosts.hopgate.invalid", path: "/cut"}.bearing(secret)
}

// capturedCanary is one by captured TLS, which has its name alone.
func capturedCanary(secret string) asking {
	name := wire.CanaryServerName(secret, "cut", wire.CanaryHost(wire.CanarySecure, wire.ModeHosts))
	return asking{target: wire.CanaryTarget(wire.CanaryTLS), method: "CONNECT", host: name + ":80", path: "-"}
}

func canaryTunnel() asking {
	a := entering(wire.CanaryProxy)
	a.method, a.host, a.path = "CONNECT", "one.hosts.hopgate.invalid:80", ""
	return a
}

// TestCanariesAreAnsweredAsAllAre: with a deadline, an id and a hold, without
// what carried the secret, and with the way that they are to go.
func TestCanariesAreAnsweredAsAllAre(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ask  asking
		want map[string]string
	}{
		{"a route", entering(wire.CanaryRoutes), map[string]string{wire.MetaMode: "", wire.MetaCluster: "", wire.MetaHost: ""}},
		{"a proxy", entering(wire.CanaryProxy), map[string]string{
			wire.MetaMode: wire.ModeHosts, wire.MetaCluster: "hopgate/canary/one", wire.MetaHost: "one.hosts.hopgate.invalid", wire.MetaPort: "80",
		}},
		{"captured HTTP", entering(wire.CanaryHTTP), map[string]string{
			wire.MetaMode: wire.ModeHosts, wire.MetaCluster: "hopgate/canary/one", wire.MetaHost: "one.hosts.hopgate.invalid", wire.MetaMeter: "",
		}},
		{"captured TLS", capturedCanary(secret), map[string]string{
			wire.MetaMode: wire.ModeHosts, wire.MetaHost: "an-attemp.ts-secret.cut.secure.hosts.hopgate.invalid", wire.MetaPort: "80",
		}},
		{"a tunnel", canaryTunnel(), map[string]string{wire.MetaMode: wire.ModeHosts, wire.MetaPort: "80"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			// No feed has come: they do not go by one.
			c := &fakeCanaries{plan: held(wire.HoldHeaders)}
			h := open(t, build{noWorld: true, canaries: c})
			got := h.ask(tc.ask)
			if !got.allowed() {
				t.Fatalf("denied: %s", got.body())
			}
			if ms, _ := got.header(wire.HeaderDeadline); ms != "10000" || got.meta(wire.MetaHold) != wire.HoldHeaders {
				t.Errorf("deadline %s, hold %q", ms, got.meta(wire.MetaHold))
			}
			for k, want := range tc.want {
				if got.meta(k) != want {
					t.Errorf("%s is %q, want %q", k, got.meta(k), want)
				}
			}
			removed := got.GetOkResponse().GetHeadersToRemove()
			if !strings.Contains(strings.Join(removed, " "), wire.HeaderTxnToken) {
				t.Errorf("the secret goes on: %q are removed", removed)
			}
			if code := h.Again(h.hold(got)); code != "" {
				t.Errorf("no hold: %s", code)
			}
			if len(c.asked) != 1 || c.asked[0].ID != got.id() {
				t.Errorf("asked %+v of %s", c.asked, got.id())
			}
		})
	}
}

// TestCapturedCanariesAreToldApart: by what their name says they are for, and by
// where Envoy says that they come from.
func TestCapturedCanariesAreToldApart(t *testing.T) {
	t.Parallel()
	c := &fakeCanaries{plan: held(wire.HoldHeaders)}
	h := open(t, build{noWorld: true, canaries: c})
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(wire.CallSource, "192.0.2.1:1000"))
	got := h.askBytes(ctx, capturedCanary(secret).bytes(t))
	want := canary.Question{
		ID: got.id(), Listener: wire.CanaryTLS, Connect: true, Host: "secure.hosts.hopgate.invalid", Path: "/cut", Source: "192.0.2.1:1000",
	}
	if diff := cmp.Diff([]canary.Question{want}, c.asked); diff != "" {
		t.Errorf("what was asked differs (-want +got):\n%s", diff)
	}
}

// TestCapturedCanariesAreRefusedByAlert: as all that is captured is.
func TestCapturedCanariesAreRefusedByAlert(t *testing.T) {
	t.Parallel()
	h := open(t, build{canaries: &fakeCanaries{}})
	if got := h.ask(capturedCanary(secret)).body(); got != string([]byte{21, 3, 3, 0, 2, 2, 49}) {
		t.Errorf("answered % x", got)
	}
}

// TestMeteredCanaries: no more passes than there is room for, and then the hop
// is cut.
func TestMeteredCanaries(t *testing.T) {
	t.Parallel()
	plan := held(wire.HoldHeaders)
	plan.Upload = 10
	h := open(t, build{canaries: &fakeCanaries{plan: plan}})
	got := h.ask(entering(wire.CanaryRoutes))
	if got.meta(wire.MetaMeter) != wire.MeterYes {
		t.Fatal("it is not metered")
	}
	cut := make(chan leash.Cut, 1)
	hop, ok := h.register.Open(got.id(), false, func(c leash.Cut) { cut <- c })
	if !ok || hop.Uploads == nil {
		t.Fatal("nobody counts")
	}
	if !hop.Uploads.Take(10) || hop.Uploads.Take(1) {
		t.Error("there is another room than was planned")
	}
	if c := <-cut; c != leash.Limited() {
		t.Errorf("cut as %+v", c)
	}
	if n := collected(h.Service); n != 0 {
		t.Errorf("%d series of decisions", n)
	}
}

// TestFirstFlightsOfCanaries: are judged before there is a feed, by what they
// begin with, and some are never answered.
func TestFirstFlightsOfCanaries(t *testing.T) {
	t.Parallel()
	plan := held(wire.HoldHeaders)
	plan.Mute = true
	h := open(t, build{noWorld: true, canaries: &fakeCanaries{plan: plan}})
	hop := h.hold(h.ask(canaryTunnel()))
	if !hop.Mute {
		t.Error("it is answered")
	}
	for want, version := range map[string]uint16{"": clienthello.VersionTLS13, denial.TLSTooOld: 0x0302} {
		if code := h.Hello(hop, clienthello.Hello{ServerName: "one.hosts.hopgate.invalid", Version: version}, nil); code != want {
			t.Errorf("version %x: %q, want %q", version, code, want)
		}
	}
}

// TestCanariesLeaveNothing: no record, no count, no stream, and no hop when
// they are over.
func TestCanariesLeaveNothing(t *testing.T) {
	t.Parallel()
	c := &fakeCanaries{plan: held(wire.HoldHeaders)}
	h := open(t, build{canaries: c})
	allowed := h.ask(entering(wire.CanaryProxy))
	hop := h.hold(allowed)
	if code := h.Again(hop); code != "" {
		t.Fatal(code)
	}
	if n := h.register.Served(); n != 0 || h.register.Len() != 1 || len(h.register.Streams()) != 0 || len(h.register.Hops()) != 0 {
		t.Errorf("%d of %d hops are served, streams %v", n, h.register.Len(), h.register.Streams())
	}
	c.plan.Hold = ""
	if got := h.ask(entering(wire.CanaryRoutes)); got.code() != denial.NoRoute {
		t.Errorf("a canary that was not sent: %q", got.code())
	}
	h.finish(allowed)
	if n := h.register.Served(); n != 0 || h.register.Len() != 0 {
		t.Errorf("%d of %d hops that are left are served", n, h.register.Len())
	}
	if rs := h.recorder.records(t); len(rs) != 0 {
		t.Errorf("recorded: %+v", rs)
	}
	if n := collected(h.Service); n != 0 {
		t.Errorf("%d series of decisions", n)
	}
	if strings.Contains(h.log.String(), secret) {
		t.Error("the secret is in the log")
	}
}

func collected(c prometheus.Collector) int {
	ch := make(chan prometheus.Metric, 100)
	c.Collect(ch)
	return len(ch)
}

// TestOnlyCanariesEnter: where they do, and elsewhere the secret opens nothing.
func TestOnlyCanariesEnter(t *testing.T) {
	t.Parallel()
	stranger := func(listener, token string) asking {
		return asking{target: wire.CanaryTarget(listener), host: "one.hosts.hopgate.invalid", path: "/cut"}.bearing(token)
	}
	for _, tc := range []struct {
		name string
		ask  asking
		code string
	}{
		{"without a token", asking{target: wire.CanaryTarget(wire.CanaryRoutes), host: "one.hosts.hopgate.invalid"}, denial.NotReady},
		{"with a token that is believed", stranger(wire.CanaryRoutes, goodToken), denial.NotReady},
		{"at the proxy", stranger(wire.CanaryProxy, goodToken), denial.NotReady},
		{"with a token that is believed, captured", stranger(wire.CanaryHTTP, goodToken), denial.NotReady},
		{"with another name of captured TLS", capturedCanary("an-attempts-sesame"), denial.NotReady},
		{"with the secret as a token of captured TLS", capturedCanary("an-attempts-sesame").bearing(secret), denial.NotReady},
		{"with the secret twice", entering(wire.CanaryRoutes).bearing(secret), denial.NotReady},
		{"with the secret as a route's", asking{target: webTarget("agents"), path: "/public/a"}.bearing(secret), denial.Internal},
		{"with the secret at a proxy", tunnel("api.example:80").bearing(secret), denial.TokenMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := &fakeCanaries{proven: true, plan: held(wire.HoldHeaders)}
			h := open(t, build{canaries: c})
			got := h.ask(tc.ask)
			if got.allowed() || len(c.asked) != 0 {
				t.Fatalf("it is let in as a canary: %v", c.asked)
			}
			if got.code() != tc.code {
				t.Errorf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
		})
	}
}

// TestCanariesInside: a canary in a tunnel is of that tunnel and of none but a
// canary's, and nothing else is in a canary's tunnel.
func TestCanariesInside(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*asking)
		code   string
	}{
		{"its own", func(*asking) {}, ""},
		{"another destination", func(a *asking) { a.host = "two.hosts.hopgate.invalid" }, denial.TargetMismatch},
		{"another tunnel's target", func(a *asking) { a.parentTarget = "two.hosts.hopgate.invalid:80" }, denial.TunnelGone},
		{"no parent", func(a *asking) { a.parent = "-" }, denial.TunnelGone},
		{"a parent that is not known", func(a *asking) { a.parent = strings.Repeat("0f", 16) }, denial.TunnelGone},
		{"a stranger", func(a *asking) { a.headers = nil }, denial.TunnelGone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := &fakeCanaries{proven: true, plan: held(wire.HoldHeaders)}
			h := open(t, build{canaries: c})
			outer := h.ask(canaryTunnel())
			if code := h.Again(h.hold(outer)); code != "" {
				t.Fatal(code)
			}
			a := asking{
				target: innerTarget(), host: "one.hosts.hopgate.invalid", path: "/name",
				parent: outer.meta(wire.MetaHopID), parentTarget: "one.hosts.hopgate.invalid:80",
			}.bearing(secret)
			tc.change(&a)
			if got := h.ask(a); got.code() != tc.code {
				t.Errorf("code %q, want %q: %s", got.code(), tc.code, got.body())
			}
		})
	}
	t.Run("in another's tunnel", func(t *testing.T) {
		t.Parallel()
		c := &fakeCanaries{proven: true, plan: held(wire.HoldHeaders)}
		h, outer := dug(t, build{canaries: c})
		if got := h.ask(inner(outer.meta(wire.MetaHopID)).bearing(secret)); got.code() != denial.TunnelGone || len(c.asked) != 0 {
			t.Errorf("code %q, asked %v", got.code(), c.asked)
		}
	})
}

// TestClosedUntilProven: all others are denied until the Envoy is proven.
func TestClosedUntilProven(t *testing.T) {
	t.Parallel()
	c := &fakeCanaries{}
	h := open(t, build{canaries: c})
	a := tunnel("api.example:80")
	if got := h.ask(a); got.code() != denial.NotReady || got.status() != 503 {
		t.Errorf("before it is proven: %d %q", got.status(), got.code())
	}
	c.proven = true
	if got := h.ask(a); !got.allowed() {
		t.Errorf("when it is proven: %s", got.body())
	}
	c.proven = false
	if got := h.ask(a); got.code() != denial.NotReady {
		t.Errorf("when another one has begun: %q", got.code())
	}
}

// TestWhatACanaryIsHeldBy: its register entry is as ordered.
func TestWhatACanaryIsHeldBy(t *testing.T) {
	t.Parallel()
	for hold, want := range map[string][2]bool{wire.HoldNone: {false, false}, wire.HoldHeaders: {true, false}, wire.HoldRelay: {true, true}} {
		c := &fakeCanaries{plan: held(hold)}
		h := open(t, build{canaries: c})
		got := h.ask(entering(wire.CanaryRoutes))
		_, opens := h.register.Open(got.id(), want[1], func(leash.Cut) {})
		if diff := cmp.Diff(want[0], opens); diff != "" || got.meta(wire.MetaHold) != hold {
			t.Errorf("%s: a hold opens: %v, metadata %q", hold, opens, got.meta(wire.MetaHold))
		}
	}
}
