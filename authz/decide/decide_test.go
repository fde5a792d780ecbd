package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// rules of one policy: what each path needs.
const rules = `
- {name: token, to: {type: HTTP, http: [{paths: ["/token"]}]}, action: Allow}
- name: none
  from: {peers: [{type: SPIFFE, spiffe: "` + peer + `"}]}
  transaction: {type: None}
  to: {type: HTTP, http: [{paths: ["/none"]}]}
  action: Allow
- {name: scoped, transaction: {scopes: [a.b]}, to: {type: HTTP, http: [{paths: ["/scoped"]}]}, action: Allow}
- {name: denied, to: {type: HTTP, http: [{paths: ["/denied"]}]}, action: Deny}
- {name: asked, to: {type: HTTP, http: [{paths: ["/asked"]}]}, action: Ask}
- {name: erring, to: {type: HTTP, http: [{paths: ["/erring"]}]}, when: ["int(path) > 1"], action: Deny}
`

func TestVerdicts(t *testing.T) {
	t.Parallel()
	good := claims(time.Hour)
	for _, tc := range []struct {
		name, listener, path string
		peer                 string
		claims               *token.Claims
		rules                string
		unmatched            v1alpha1.Unmatched
		code                 string // empty: allowed
	}{
		{name: "a rule allows", path: "/token", claims: good, rules: rules},
		{name: "no rule", path: "/other", claims: good, rules: rules, code: denial.NoRule},
		{name: "a rule denies", path: "/denied", claims: good, rules: rules, code: denial.RuleDenied},
		{name: "a rule asks", path: "/asked", claims: good, rules: rules, code: denial.ApprovalRequired},
		{name: "a deny that errs", path: "/erring", claims: good, rules: rules, code: denial.RuleError},

		{name: "nobody is told to say who they are", path: "/token", rules: rules, code: denial.TokenMissing},
		{name: "nobody is not told what is listed", path: "/other", rules: rules, code: denial.TokenMissing},
		{name: "nobody is not told what is denied", path: "/denied", rules: rules, code: denial.TokenMissing},
		{name: "nobody is not told what is asked", path: "/asked", rules: rules, code: denial.TokenMissing},
		{name: "a peer without a token, where none is needed", path: "/none", peer: peer, rules: rules},
		{name: "a peer with a token, where none is needed", path: "/none", peer: peer, claims: good, rules: rules},
		{name: "another peer, where none is needed", path: "/none", peer: peer + "x", rules: rules, code: denial.NoRule},
		{name: "a peer whom a token would help", path: "/token", peer: peer, rules: rules, code: denial.TokenMissing},
		{name: "a peer whom no token would help", path: "/denied", peer: peer, rules: rules, code: denial.RuleDenied},
		{name: "where no token is believed, none is asked for", listener: "open", path: "/token", rules: rules, code: denial.NoRule},
		{name: "claims that the listener does not believe", listener: "open", path: "/token", claims: good, rules: rules, code: denial.TokenWrongDomain},
		{name: "a scope that is missing", path: "/scoped", claims: good, rules: rules, code: denial.NoRule},

		{name: "unmatched", path: "/token", claims: good, code: denial.Unmatched},
		{name: "unmatched, nobody", path: "/token", code: denial.Unmatched},
		{name: "unmatched by a setting that is not known", path: "/token", claims: good, unmatched: "Perhaps", code: denial.Unmatched},
		{name: "unmatched allows", path: "/token", claims: good, unmatched: v1alpha1.UnmatchedAllow},
		{name: "unmatched allows nobody too", path: "/token", unmatched: v1alpha1.UnmatchedAllow},
		{name: "unmatched says nothing where a policy does", path: "/other", claims: good, rules: rules, unmatched: v1alpha1.UnmatchedAllow, code: denial.NoRule},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := feed(t, tc.rules)
			if tc.unmatched != "" {
				f.Gateways[0].Unmatched = tc.unmatched
			}
			if tc.listener == "" {
				tc.listener = "agents"
			}
			h := get(t, f, tc.listener, tc.path)
			h.Peer, h.Claims = tc.peer, tc.claims
			v := Decide(h, now(), nil)
			if v.Code != tc.code || v.Allowed != (tc.code == "") {
				t.Errorf("allowed %v, code %q, want %q (%+v)", v.Allowed, v.Code, tc.code, v.Outcome)
			}
			if v.Allowed != (v.Hold != "") || v.Allowed != (v.Life > 0) {
				t.Errorf("allowed %v, life %s, hold %q", v.Allowed, v.Life, v.Hold)
			}
		})
	}
}

func TestWithoutAListenerThereIsNoRoute(t *testing.T) {
	t.Parallel()
	f := feed(t, "")
	f.Gateways[0].Unmatched = v1alpha1.UnmatchedAllow
	h := get(t, f, "", "/token")
	if v := Decide(h, now(), nil); v.Allowed || v.Code != denial.NoRoute {
		t.Errorf("verdict %+v", v)
	}
}

func TestTheZeroVerdictDenies(t *testing.T) {
	t.Parallel()
	if (Verdict{}).Allowed {
		t.Error("the zero Verdict allows")
	}
}

func TestRemainingLife(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tc := range []struct {
		name         string
		left, leeway time.Duration
		minRemain    time.Duration
		code         string
		life         time.Duration
	}{
		{name: "long", left: time.Hour, life: time.Hour},
		{name: "leeway counts", left: time.Minute, leeway: 5 * time.Second, life: 65 * time.Second},
		{name: "within leeway", left: -time.Second, leeway: 5 * time.Second, life: 4 * time.Second},
		{name: "expired", left: -time.Second, code: denial.TokenExpired},
		{name: "expired this moment", left: 0, code: denial.TokenExpired},
		{name: "expired with its leeway", left: -5 * time.Second, leeway: 5 * time.Second, code: denial.TokenExpired},
		{name: "one millisecond", left: ms, life: ms},
		{name: "less than a millisecond", left: ms - 1, code: denial.TokenExpiring},
		{name: "as much as must remain", left: 2 * time.Second, minRemain: 2 * time.Second, life: 2 * time.Second},
		{name: "less than must remain", left: 2*time.Second - 1, minRemain: 2 * time.Second, code: denial.TokenExpiring},
		{name: "expired, where much must remain", left: -1, minRemain: 2 * time.Second, code: denial.TokenExpired},
		{name: "a century", left: 876_000 * time.Hour, life: 876_000 * time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := feed(t, rules)
			f.Gateways[0].MinRemain = tc.minRemain
			h := get(t, f, "agents", "/token")
			h.Claims, h.Leeway = claims(tc.left), tc.leeway
			v := Decide(h, now(), nil)
			if v.Code != tc.code || v.Life != tc.life {
				t.Errorf("code %q, life %s, want %q, %s", v.Code, v.Life, tc.code, tc.life)
			}
		})
	}
}

// TestExpiryComesBeforePolicy: a token without life left is told so, and costs
// no rule.
func TestExpiryComesBeforePolicy(t *testing.T) {
	t.Parallel()
	h := get(t, feed(t, rules), "agents", "/denied")
	h.Claims = claims(-time.Second)
	var tr policy.Trace
	if v := Decide(h, now(), &tr); v.Code != denial.TokenExpired || len(tr.Levels) != 0 {
		t.Errorf("code %q, %d levels were asked", v.Code, len(tr.Levels))
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	const left = 10 * time.Minute
	max := func(d time.Duration) policy.Duties { return policy.Duties{Max: d} }
	with := func(l v1alpha1.StreamLifetime, d time.Duration) policy.Duties {
		return policy.Duties{Lifetime: l, Max: d}
	}
	for _, tc := range []struct {
		name    string
		duties  policy.Duties
		noToken bool
		until   time.Duration
		last    time.Duration // as until, unless it says more
		lived   time.Duration
		want    time.Duration
		lease   time.Duration // as want, unless it says less
	}{
		{name: "nothing said", want: left},
		{name: "TokenExpiry", duties: with(v1alpha1.LifetimeTokenExpiry, 0), want: left},
		{name: "TokenExpiry, a shorter max", duties: with(v1alpha1.LifetimeTokenExpiry, time.Minute), want: time.Minute},
		{name: "TokenExpiry, a longer max", duties: with(v1alpha1.LifetimeTokenExpiry, time.Hour), want: left},
		{name: "Renewable", duties: with(v1alpha1.LifetimeRenewable, 0), want: renewableMost, lease: left},
		{name: "Renewable, a shorter max", duties: with(v1alpha1.LifetimeRenewable, time.Minute), want: time.Minute},
		{name: "Renewable, a longer max", duties: with(v1alpha1.LifetimeRenewable, 2*time.Hour), want: 2 * time.Hour, lease: left},
		{name: "Renewable without a token", duties: with(v1alpha1.LifetimeRenewable, 2*time.Hour), noToken: true, want: withoutToken},
		{name: "Max outlives the token", duties: with(v1alpha1.LifetimeMax, time.Hour), want: time.Hour},
		{name: "Max ends before the token", duties: with(v1alpha1.LifetimeMax, time.Minute), want: time.Minute},
		{name: "Max of nothing", duties: with(v1alpha1.LifetimeMax, 0), want: left},
		{name: "a lifetime that is not known", duties: with("Forever", time.Hour), want: left},
		{name: "no token", noToken: true, want: withoutToken},
		{name: "no token, a shorter max", duties: max(time.Minute), noToken: true, want: time.Minute},
		{name: "no token, a longer max", duties: max(2 * time.Hour), noToken: true, want: withoutToken},
		{name: "no token, Max", duties: with(v1alpha1.LifetimeMax, 2*time.Hour), noToken: true, want: 2 * time.Hour},
		{name: "a tunnel that ends first", until: time.Minute, want: time.Minute},
		{name: "a tunnel that ends later", until: time.Hour, want: left},
		{name: "Max ends with its tunnel", duties: with(v1alpha1.LifetimeMax, time.Hour), until: time.Minute, want: time.Minute},
		{name: "a tunnel that has ended", until: -time.Second, want: -time.Second},
		{name: "a tunnel that can be renewed", until: time.Minute, last: time.Hour, want: left, lease: time.Minute},
		{name: "Max in a tunnel that can be renewed", duties: with(v1alpha1.LifetimeMax, 30*time.Minute), until: time.Minute, last: time.Hour, want: 30 * time.Minute, lease: time.Minute},
		{name: "Renewable in a tunnel that cannot", duties: with(v1alpha1.LifetimeRenewable, time.Hour), until: time.Minute, want: time.Minute},
		{name: "Renewable in one that can", duties: with(v1alpha1.LifetimeRenewable, 2*time.Hour), until: time.Minute, last: time.Hour, want: time.Hour, lease: time.Minute},
		{name: "Max has begun", duties: with(v1alpha1.LifetimeMax, time.Hour), lived: 20 * time.Minute, want: 40 * time.Minute},
		{name: "Max is over", duties: with(v1alpha1.LifetimeMax, time.Minute), lived: 20 * time.Minute, want: -19 * time.Minute},
		{name: "TokenExpiry has begun", lived: 20 * time.Minute, want: left},
		{name: "TokenExpiry has begun, max", duties: with(v1alpha1.LifetimeTokenExpiry, 25*time.Minute), lived: 20 * time.Minute, want: 5 * time.Minute},
		{name: "Renewable has begun", duties: with(v1alpha1.LifetimeRenewable, 0), lived: 20 * time.Minute, want: renewableMost - 20*time.Minute, lease: left},
		{name: "Renewable ends by max", duties: with(v1alpha1.LifetimeRenewable, time.Hour), lived: 55 * time.Minute, want: 5 * time.Minute},
		{name: "no token, has begun", noToken: true, lived: 20 * time.Minute, want: withoutToken - 20*time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := &Hop{Claims: claims(left)}
			if tc.noToken {
				h.Claims = nil
			}
			if tc.until != 0 {
				h.Until, h.Last = now().Add(tc.until), now().Add(orElse(tc.last, tc.until))
			}
			if tc.lived > 0 {
				h.Since = now().Add(-tc.lived)
			}
			got, lease := life(&tc.duties, h, left, now())
			if want := orElse(tc.lease, tc.want); got != tc.want || lease != want {
				t.Errorf("life = %s, lease = %s, want %s, %s", got, lease, tc.want, want)
			}
		})
	}
}

// TestATunnelThatHasEndedDenies: what is left is less than Envoy can be told.
func TestATunnelThatHasEndedDenies(t *testing.T) {
	t.Parallel()
	for _, left := range []time.Duration{-time.Hour, 0, time.Millisecond - 1} {
		h := get(t, feed(t, rules), "agents", "/token")
		h.Claims, h.Until, h.Last = claims(time.Hour), now().Add(left), now().Add(left)
		if v := Decide(h, now(), nil); v.Allowed || v.Code != denial.TokenExpiring {
			t.Errorf("%s left: %+v", left, v)
		}
	}
}

// TestModelsMayOutliveTheToken is the default of their surface, also where no
// policy has a say.
func TestModelsMayOutliveTheToken(t *testing.T) {
	t.Parallel()
	f := feed(t, "")
	f.Gateways[0].Unmatched = v1alpha1.UnmatchedAllow
	h := get(t, f, "agents", "/")
	h.Claims, h.Action = claims(time.Minute), surface.Action{Kind: v1alpha1.SurfaceModels, Method: "chat", Name: "m"}
	if v := Decide(h, now(), nil); !v.Allowed || v.Life != 10*time.Minute {
		t.Errorf("verdict %+v", v)
	}
}

func TestGrant(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		duties    policy.Duties
		life      time.Duration
		lease     time.Duration // as life, unless it says less
		begun     bool
		unleashed time.Duration
		kind      v1alpha1.SurfaceType
		inspects  bool
		code      string
		hold      string
	}{
		{name: "held by default", life: time.Millisecond, hold: wire.HoldHeaders},
		{name: "what can be renewed is held", life: time.Second, lease: time.Millisecond, unleashed: time.Minute, hold: wire.HoldHeaders},
		{name: "a lease of nothing", life: time.Hour, lease: 1, code: denial.TokenExpiring},
		{name: "its life is over by a later decision", begun: true, code: denial.Expired},
		{name: "short enough to go unleashed", life: time.Second, unleashed: time.Second, hold: wire.HoldNone},
		{name: "a millisecond too long", life: time.Second + time.Millisecond, unleashed: time.Second, hold: wire.HoldHeaders},
		{name: "Inspect, where it cannot be", kind: v1alpha1.SurfaceHosts, duties: policy.Duties{TLS: v1alpha1.TLSInspect}, life: time.Hour, code: denial.NotAvailable},
		{name: "Inspect", kind: v1alpha1.SurfaceHosts, inspects: true, duties: policy.Duties{TLS: v1alpha1.TLSInspect}, life: time.Hour, hold: wire.HoldHeaders},
		{name: "Inspect of what is no tunnel", kind: v1alpha1.SurfaceHTTP, duties: policy.Duties{TLS: v1alpha1.TLSInspect}, life: time.Hour, hold: wire.HoldHeaders},
		{name: "Exchange", duties: policy.Duties{ForwardToken: v1alpha1.ForwardTokenExchange}, life: time.Hour, code: denial.NotAvailable},
		{name: "Forward", duties: policy.Duties{ForwardToken: v1alpha1.ForwardTokenForward}, life: time.Hour, hold: wire.HoldHeaders},
		{name: "Opaque", duties: policy.Duties{TLS: v1alpha1.TLSOpaque}, life: time.Hour, hold: wire.HoldHeaders},
		{name: "no life", unleashed: time.Hour, code: denial.TokenExpiring},
		{name: "less than a millisecond", life: time.Millisecond - 1, code: denial.TokenExpiring},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := &Hop{Target: &Target{Gateway: &Gateway{Gateway: feedv1.Gateway{Unleashed: tc.unleashed}, Inspects: tc.inspects}}}
			h.Action.Kind = tc.kind
			if tc.begun {
				h.Since = now()
			}
			v := Verdict{Outcome: policy.Outcome{Duties: tc.duties}, Life: tc.life, Lease: orElse(tc.lease, tc.life)}
			v.grant(h)
			if v.Code != tc.code || v.Allowed != (tc.code == "") || v.Hold != tc.hold {
				t.Errorf("allowed %v, code %q, hold %q", v.Allowed, v.Code, v.Hold)
			}
		})
	}
}

// TestDecideIsDeterministic: the same State, Hop and time give the same
// Verdict, with and without a trace, and nothing of the hop changes.
func TestDecideIsDeterministic(t *testing.T) {
	t.Parallel()
	f := feed(t, rules)
	for _, path := range []string{"/token", "/none", "/scoped", "/denied", "/asked", "/erring", "/other"} {
		h := get(t, f, "agents", path)
		h.Peer, h.Claims, h.Until = peer, claims(time.Hour), now().Add(time.Minute)
		before := *h
		first := Decide(h, now(), nil)
		for range 20 {
			again := get(t, f, "agents", path)
			again.Peer, again.Claims, again.Until = peer, claims(time.Hour), now().Add(time.Minute)
			for _, got := range []Verdict{Decide(h, now(), nil), Decide(h, now(), &policy.Trace{}), Decide(again, now(), nil)} {
				if diff := cmp.Diff(first, got, cmpopts.IgnoreUnexported(policy.Outcome{})); diff != "" {
					t.Fatalf("%s differs (-first +again):\n%s", path, diff)
				}
			}
		}
		if diff := cmp.Diff(before, *h, cmp.AllowUnexported(), cmpopts.IgnoreFields(Hop{}, "Target", "Action")); diff != "" {
			t.Errorf("the hop changed:\n%s", diff)
		}
	}
}

// TestAHopThatHasBegun is not asked how long it may live: its own timer ends
// it.
func TestAHopThatHasBegun(t *testing.T) {
	t.Parallel()
	f := feed(t, rules)
	f.Gateways[0].MinRemain = time.Hour
	for _, left := range []time.Duration{-time.Hour, 0, time.Second, 2 * time.Hour} {
		h := get(t, f, "agents", "/token")
		h.Claims, h.Since = claims(left), now().Add(-time.Minute)
		if v := Decide(h, now(), nil); !v.Allowed {
			t.Errorf("%s left: %q", left, v.Code)
		}
		h.Action.Path = "/denied"
		if v := Decide(h, now(), nil); v.Code != denial.RuleDenied {
			t.Errorf("%s left, denied: %q", left, v.Code)
		}
	}
}

func TestHoldOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		action    surface.Action
		unleashed time.Duration
		want      string
	}{
		{"plain", surface.Action{}, 0, wire.HoldHeaders},
		{"a stream of events", surface.Action{Streams: true}, 0, wire.HoldRelay},
		{"a WebSocket", surface.Action{Upgrade: true}, 0, wire.HoldRelay},
		{"short", surface.Action{}, time.Minute, wire.HoldNone},
		{"a short stream", surface.Action{Streams: true}, time.Minute, wire.HoldNone},
	} {
		h := &Hop{Target: &Target{Gateway: &Gateway{Gateway: feedv1.Gateway{Unleashed: tc.unleashed}}}, Action: tc.action}
		if got := holdOf(h, &Verdict{Life: time.Minute, Lease: time.Minute}); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// orElse is d, or another where it says nothing.
func orElse(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}
