package check

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// orders cut off whom they name.
type orders struct {
	mu   sync.Mutex
	verb contain.Verb // empty: nobody
	// except is a host that stays open.
	except string
	asked  []contain.Hop
}

func (o *orders) Cut(h *contain.Hop, _ time.Time) (contain.Order, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, contain.Hop{Claims: h.Claims, Before: h.Before, Peer: strings.Clone(h.Peer), Backends: h.Backends, Host: strings.Clone(h.Host)})
	return contain.Order{Verb: o.verb}, o.verb != "" && h.Host != o.except
}

// live is a hop whose hold has opened.
func (h *house) live(a asking) *leash.Hop {
	h.t.Helper()
	got := h.ask(a)
	if !got.allowed() {
		h.t.Fatal(got.body())
	}
	hop := h.hold(got)
	if code := h.Again(hop); code != "" {
		h.t.Fatalf("no hold: %s", code)
	}
	return hop
}

// TestRedecide: what changes ends what lives, and nothing else does.
func TestRedecide(t *testing.T) {
	t.Parallel()
	good := call("search_code", `{"repo":"acme/site"}`)
	huge := call("search_code", `{"repo":["acme/`+strings.Repeat("x", 800)+`"]}`)
	deny := func(rules string) func(*feedv1.Snapshot) {
		return func(f *feedv1.Snapshot) { f.Policies = append(f.Policies, policyOf(t, "q", rules)) }
	}
	for _, tc := range []struct {
		name   string
		a      asking
		change func(*feedv1.Snapshot)
		later  time.Duration
		code   string
	}{
		{name: "nothing that concerns it", a: good, change: func(*feedv1.Snapshot) {}},
		{name: "arguments are kept", a: huge, change: func(*feedv1.Snapshot) {}},
		{name: "its argument is denied", a: good, change: deny(`[{name: d, to: {type: Tools, tools: [{arguments: [{name: repo, type: Glob, values: ["*/site"]}]}]}, action: Deny}]`), code: denial.RuleDenied},
		{name: "its token's end is its own matter", a: good, change: func(*feedv1.Snapshot) {}, later: time.Hour},
		{name: "its trust domain is gone", a: good, change: func(f *feedv1.Snapshot) { f.Gateways[0].Listeners[0].TrustDomains = nil }, code: denial.TokenWrongDomain},
		{name: "its Gateway is gone", a: good, change: func(f *feedv1.Snapshot) { f.Gateways = nil }, code: denial.NotReady},
		{name: "its backend has a credential now", a: page(), change: func(f *feedv1.Snapshot) {
			f.Credentials = []feedv1.Credential{credentialOf("c", web, "authorization", "", "A")}
		}, code: denial.CredentialMissing},
		{name: "a tunnel's host is closed", a: tunnel("inside.example:443"), change: func(f *feedv1.Snapshot) { f.Gateways[0].Egress.InsideRanges = nil }, code: denial.AddressDenied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, build{})
			hop := h.live(tc.a)
			f := feed(t)
			tc.change(f)
			h.SetWorld(worldOf(t, 2, f, h.names))
			h.now = h.now.Add(tc.later)
			for range 2 { // as often as one likes
				if code := h.Redecide(hop); code != tc.code {
					t.Errorf("code %q, want %q", code, tc.code)
				}
			}
		})
	}
}

// TestRedecideWithoutWhatWasRead: arguments too long to be kept cannot be
// judged, where a rule reads them.
func TestRedecideWithoutWhatWasRead(t *testing.T) {
	t.Parallel()
	roomy := func(a asking) asking { a.target.BodyBytes = 64 << 10; return a }
	long := `{"repo":"acme/` + strings.Repeat("x", maxKept) + `"}`
	t.Run("read", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{})
		hop := h.live(roomy(call("search_code", long)))
		if code := h.Redecide(hop); code == "" {
			t.Error("a call passes whose arguments are gone")
		}
	})
	t.Run("not read", func(t *testing.T) {
		t.Parallel()
		h := open(t, build{feed: func(f *feedv1.Snapshot) {
			f.Policies = []feedv1.Policy{policyOf(t, "p", "[{name: any, to: {type: Tools, tools: [{names: [search_code]}]}, action: Allow}]")}
		}})
		hop := h.live(roomy(call("search_code", long)))
		if code := h.Redecide(hop); code != "" {
			t.Errorf("code %q", code)
		}
	})
}

func TestATokenThatIsNotCurrentEndsItsHop(t *testing.T) {
	t.Parallel()
	h := open(t, build{})
	hop := h.live(page())
	h.tokens.withdrawn.Store(true)
	if code := h.Redecide(hop); code != denial.TokenWrongDomain {
		t.Errorf("code %q", code)
	}
}

// TestOrders cut off what asks, what waits for its hold, and what lives.
func TestOrders(t *testing.T) {
	t.Parallel()
	for verb, want := range map[contain.Verb]string{contain.VerbRevoke: denial.TokenRevoked, contain.VerbQuarantine: denial.Quarantined} {
		t.Run(string(verb), func(t *testing.T) {
			t.Parallel()
			o := &orders{except: "open.example"}
			h := open(t, build{})
			h.cfg.Contained = o
			lives, waits := h.live(page()), h.hold(h.ask(page()))
			if code := h.Contained(lives); code != "" {
				t.Errorf("without an order: %q", code)
			}
			o.verb = verb
			if got := h.ask(page()); got.code() != want {
				t.Errorf("what asks: %q", got.code())
			}
			if code := h.Again(waits); code != want {
				t.Errorf("what waits: %q", code)
			}
			if code := h.Contained(lives); code != want {
				t.Errorf("what lives: %q", code)
			}
			if code := h.Redecide(lives); code != want {
				t.Errorf("what lives, decided again: %q", code)
			}
			open := page()
			open.host = "open.example"
			if got := h.ask(open); got.code() != denial.NoRule {
				t.Errorf("a place that stays open: %q", got.code())
			}
			last := o.asked[len(o.asked)-1]
			if last.Claims.Txn != "txn-1" || last.Host != "open.example" || len(last.Backends) != 1 {
				t.Errorf("the orders were asked of %+v", last)
			}
		})
	}
	h := open(t, build{})
	for _, f := range []func(*leash.Hop) string{h.Contained, h.Redecide} {
		if code := f(&leash.Hop{Subject: "not ours"}); code != denial.HopUnknown {
			t.Errorf("somebody else's hop: %q", code)
		}
	}
}

// TestDescribe tells of a hop in words that outlive its request.
func TestDescribe(t *testing.T) {
	t.Parallel()
	want := leash.Stream{
		Domain: "agents/corp", Txn: "txn-1", Subject: "bob", Agent: "researcher", Actors: []string{"researcher"}, Token: "abcd000000000000",
		Gateway: gateway, Listener: "agents", Route: "agents/route", Backends: []string{web}, Surface: "HTTP", Method: "GET", Host: "web.example",
		Port: 8080, Path: "/public/a", Policy: "agents/p", Rule: "pages", Revision: "r1", Hold: wire.HoldHeaders, Lifetime: "TokenExpiry",
	}
	h := open(t, build{})
	got, scribble := h.askAndScribble(page())
	hop := h.hold(got)
	var before, after leash.Stream
	hop.Subject.(*Held).Describe(&before)
	h.Again(hop)
	scribble()
	hop.Subject.(*Held).Describe(&after)
	for name, st := range map[string]leash.Stream{"before its hold": before, "after": after} {
		if diff := cmp.Diff(want, st); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	bare := h.live(asking{target: webTarget("mtls"), path: "/peers", principal: spiffe})
	var st leash.Stream
	bare.Subject.(*Held).Describe(&st)
	if st.Peer != spiffe || st.Txn != "" || st.Token != "" {
		t.Errorf("without a token: %+v", st)
	}
}

// TestAHopIsReadWhileItsHoldOpens: it is live from the moment that its hold
// opens, and gives its request back a moment later. Who reads it in between
// must not read another's.
func TestAHopIsReadWhileItsHoldOpens(t *testing.T) {
	t.Parallel()
	h := open(t, build{budget: 64 << 20})
	h.recorder.discard.Store(true)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got := h.ask(call("search_code", `{"repo":"acme/site"}`))
				hop, ok := h.register.Open(got.id(), got.meta(wire.MetaHold) == wire.HoldRelay, func(leash.Cut) {})
				if !ok {
					t.Error("no hop")
					return
				}
				var readers sync.WaitGroup
				readers.Go(func() { h.Again(hop) })
				readers.Go(func() {
					if code := h.Redecide(hop); code != "" {
						t.Errorf("code %q", code)
					}
				})
				readers.Go(func() {
					var st leash.Stream
					hop.Subject.(*Held).Describe(&st)
					if st.Name != "search_code" || st.Method != "tools/call" {
						t.Errorf("told of another: %+v", st)
					}
				})
				readers.Wait()
				h.register.Logged(got.id(), leash.Logged{})
				h.register.Closed(got.id())
			}
		})
	}
	wg.Wait()
	if h.budget.Used() != 0 || h.register.Len() != 0 {
		t.Errorf("%d bytes, %d hops are left", h.budget.Used(), h.register.Len())
	}
}

// TestHolds: a relay where a last word can be said.
func TestHolds(t *testing.T) {
	t.Parallel()
	ws := page().with([2]string{"upgrade", "websocket"})
	for name, tc := range map[string]struct {
		a    asking
		hold string
	}{
		"a page":           {page(), wire.HoldHeaders},
		"a WebSocket":      {ws, wire.HoldRelay},
		"a streamed model": {chat(`{"model":"gpt-5","max_tokens":1,"stream":true,"messages":[]}`), wire.HoldRelay},
		"a plain model":    {chat(`{"model":"gpt-5","max_tokens":1,"messages":[]}`), wire.HoldHeaders},
		"a tunnel":         {tunnel("api.example:443"), wire.HoldHeaders},
	} {
		h := open(t, build{})
		got := h.ask(tc.a)
		if got.meta(wire.MetaHold) != tc.hold {
			t.Errorf("%s: hold %q", name, got.meta(wire.MetaHold))
			continue
		}
		hop := h.hold(got)
		if hop.Relay != (tc.hold == wire.HoldRelay) || hop.Upgrade != (name == "a WebSocket") {
			t.Errorf("%s: entered %+v", name, hop)
		}
		if last := h.Last(hop, denial.RuleDenied); last.Text == "" {
			t.Errorf("%s: last word %+v", name, last)
		}
	}
}
