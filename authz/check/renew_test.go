package check

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// renewRules let streams of a page be renewed for an hour, those of another
// only by who has a scope, and tunnels with what is inside of them.
const renewRules = `
- {name: renewable, to: {type: HTTP, http: [{ports: [8080, 8444], paths: ["/renew"]}]}, action: Allow, with: {stream: {lifetime: Renewable, max: 1h}}}
- {name: scoped, transaction: {scopes: [go.on]}, to: {type: HTTP, http: [{ports: [8080], paths: ["/scoped"]}]}, action: Allow, with: {stream: {lifetime: Renewable, max: 1h}}}
- {name: durable-renewable, to: {type: HTTP, http: [{ports: [8080], paths: ["/renew-durable"]}]}, action: Allow, with: {audit: Durable, stream: {lifetime: Renewable}}}
- {name: expiring, to: {type: HTTP, http: [{ports: [8080], paths: ["/expiring"]}]}, action: Allow, with: {stream: {max: 1h}}}
- {name: lasting, to: {type: HTTP, http: [{ports: [8080], paths: ["/lasting"]}]}, action: Allow, with: {stream: {lifetime: Max, max: 1h}}}
- {name: dig, to: {type: Hosts, hosts: [{names: [renew.example], ports: [80]}]}, action: Allow, with: {stream: {lifetime: Renewable, max: 30m}}}
- {name: dug, to: {type: HTTP, http: [{hosts: [renew.example], ports: [80], paths: ["/own"]}]}, action: Allow}
- {name: dug-max, to: {type: HTTP, http: [{hosts: [renew.example], ports: [80], paths: ["/max"]}]}, action: Allow, with: {stream: {lifetime: Max, max: 1h}}}
- {name: dug-renew, to: {type: HTTP, http: [{hosts: [renew.example], ports: [80], paths: ["/renew"]}]}, action: Allow, with: {stream: {lifetime: Renewable, max: 1h}}}
`

// renewing is a house whose streams can be renewed; the first token lives for
// ten minutes, and five seconds of leeway.
func renewing(t testing.TB) *house {
	t.Helper()
	h := open(t, build{feed: func(f *feedv1.Snapshot) { f.Policies = append(f.Policies, policyOf(t, "renew", renewRules)) }})
	h.tokens.more = map[string]*token.Claims{}
	return h
}

// tokenOf is a token by these claims, and how it is written.
func (h *house) tokenOf(left time.Duration, change ...func(*token.Claims)) string {
	c := claims(left)
	name := fmt.Sprintf("more.%d.token", len(h.tokens.more))
	c.Hash = [32]byte{1: 0xee, 2: byte(len(h.tokens.more))}
	for _, f := range change {
		f(c)
	}
	h.tokens.more[name] = c
	return name
}

func at(path string, more ...string) asking {
	a := asking{target: webTarget("agents"), path: path}
	if len(more) > 0 {
		return a.bearing(more[0])
	}
	return a.bearing(goodToken)
}

// ends is how long after the start a hop ends by itself, and at the latest.
func (h *house) ends(hop *leash.Hop) [2]time.Duration {
	until, last := h.register.Until(hop.ID)
	return [2]time.Duration{until.Sub(start()), last.Sub(start())}
}

const firstEnd = 10*time.Minute + 5*time.Second

// TestRenew: a fresher token of the same principal in the same transaction
// moves the end, and no other does.
func TestRenew(t *testing.T) {
	t.Parallel()
	same := func(*token.Claims) {}
	for _, tc := range []struct {
		name   string
		path   string // of the stream
		left   time.Duration
		change func(*token.Claims)
		// by is the path of the request that the token comes with.
		by   string
		want time.Duration
	}{
		{name: "a fresher token", path: "/renew", left: 20 * time.Minute, change: same, by: "/public/a", want: 20*time.Minute + 5*time.Second},
		{name: "with a request that is denied", path: "/renew", left: 20 * time.Minute, change: same, by: "/nowhere", want: 20*time.Minute + 5*time.Second},
		{name: "with a request that cannot be read", path: "/renew", left: 20 * time.Minute, change: same, by: "/a/../b", want: 20*time.Minute + 5*time.Second},
		{name: "with a request of its own kind", path: "/renew", left: 20 * time.Minute, change: same, by: "/renew", want: 20*time.Minute + 5*time.Second},
		{name: "no longer than its max", path: "/renew", left: 3 * time.Hour, change: same, by: "/public/a", want: time.Hour},
		{name: "one that ends sooner", path: "/renew", left: 5 * time.Minute, change: same, by: "/public/a", want: firstEnd},
		{name: "one that ends at the same moment", path: "/renew", left: 10 * time.Minute, change: same, by: "/public/a", want: firstEnd},
		{name: "another transaction", path: "/renew", left: 20 * time.Minute, change: func(c *token.Claims) { c.Txn = "txn-2" }, by: "/public/a", want: firstEnd},
		{name: "another subject", path: "/renew", left: 20 * time.Minute, change: func(c *token.Claims) { c.Subject = "eve" }, by: "/public/a", want: firstEnd},
		{name: "another agent", path: "/renew", left: 20 * time.Minute, change: func(c *token.Claims) { c.Agent = "coder" }, by: "/public/a", want: firstEnd},
		{name: "another chain of actors", path: "/renew", left: 20 * time.Minute, change: func(c *token.Claims) { c.Actors = []string{"researcher", "planner"} }, by: "/public/a", want: firstEnd},
		{name: "another trust domain", path: "/renew", left: 20 * time.Minute, change: func(c *token.Claims) { c.Domain = key("other") }, by: "/public/a", want: firstEnd},
		{name: "without the scope that it needs", path: "/scoped", left: 20 * time.Minute, change: same, by: "/public/a", want: firstEnd},
		{name: "with it", path: "/scoped", left: 20 * time.Minute, change: func(c *token.Claims) { c.Scopes = []string{"go.on"} }, by: "/public/a", want: 20*time.Minute + 5*time.Second},
		{name: "a stream that ends with its token", path: "/expiring", left: 20 * time.Minute, change: same, by: "/public/a", want: firstEnd},
		{name: "a stream with a time of its own", path: "/lasting", left: 2 * time.Hour, change: same, by: "/public/a", want: time.Hour},
		{name: "a durable one", path: "/renew-durable", left: 20 * time.Minute, change: same, by: "/public/a", want: 20*time.Minute + 5*time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := renewing(t)
			first := goodToken
			if tc.path == "/scoped" {
				first = h.tokenOf(10*time.Minute, func(c *token.Claims) { c.Scopes = []string{"go.on"} })
			}
			hop := h.live(at(tc.path, first))
			h.now = h.now.Add(time.Minute)
			h.ask(at(tc.by, h.tokenOf(tc.left, tc.change)))
			if got := h.ends(hop); got[0] != tc.want {
				t.Errorf("it ends after %s, want %s", got[0], tc.want)
			}
			h.ask(at("/public/a")) // the old one again takes nothing back
			if got := h.ends(hop); got[0] != tc.want {
				t.Errorf("after the old token it ends after %s, want %s", got[0], tc.want)
			}
		})
	}
}

// TestRenewAgain: as often as there is a fresher token, up to max; the hop is
// then of the last one, and can be revoked by each of them.
func TestRenewAgain(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	o := &orders{}
	h.cfg.Contained = o
	hop := h.live(at("/renew"))
	if got := h.ends(hop); got != [2]time.Duration{firstEnd, time.Hour} {
		t.Errorf("it ends after %s", got)
	}
	for i, left := range []time.Duration{20 * time.Minute, 40 * time.Minute, 50 * time.Minute} {
		h.now = start().Add(time.Duration(i+1) * 5 * time.Minute)
		h.ask(at("/public/a", h.tokenOf(left)))
		if got := h.ends(hop); got[0] != left+5*time.Second {
			t.Errorf("renewal %d: it ends after %s", i, got)
		}
	}
	var st leash.Stream
	hop.Subject.(*Held).Describe(&st)
	if st.Renewals != 3 || st.Token != "00ee020000000000" || st.Lifetime != "Renewable" {
		t.Errorf("it is told as %+v", st)
	}
	h.Contained(hop)
	want := []token.Name{{0xab, 0xcd}, {0, 0xee, 0}, {0, 0xee, 1}}
	if diff := cmp.Diff(want, o.asked[len(o.asked)-1].Before); diff != "" {
		t.Errorf("the tokens before (-want +got):\n%s", diff)
	}
}

// TestRenewalIsRecorded before it counts, and not at all where it does not.
func TestRenewalIsRecorded(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	hop := h.live(at("/renew"))
	h.recorder.refuse[audit.KindChange] = errors.New("the disk is full")
	fresh := h.tokenOf(20 * time.Minute)
	h.ask(at("/public/a", fresh))
	if got := h.ends(hop); got[0] != firstEnd {
		t.Errorf("renewed without a record: it ends after %s", got)
	}
	delete(h.recorder.refuse, audit.KindChange)
	h.ask(at("/public/a", fresh))
	if got := h.ends(hop); got[0] != 20*time.Minute+5*time.Second {
		t.Errorf("the same token again, once there is room: it ends after %s", got)
	}
	h.ask(at("/public/a", h.tokenOf(21*time.Minute)))
	r, n := h.change()
	want := audit.Record{
		Time: start(), Kind: audit.KindChange, Hop: audit.HopID(hop.ID), Txn: "txn-1", Domain: "agents/corp", Subject: "bob", Agent: "researcher",
		Actors: []string{"researcher"}, Surface: "HTTP", Verdict: audit.VerdictAllow, Level: "Gateway/agents/egress/agents", Policy: "agents/renew", Rule: "renewable",
		Reason: "renewed by a fresher token", Revision: "r1", Token: audit.TokenID{0, 0xee, 1}, Expires: start().Add(21 * time.Minute),
		Until: start().Add(21*time.Minute + 5*time.Second),
	}
	if diff := cmp.Diff(want, r, cmp.Comparer(func(a, b audit.Record) bool { return fmt.Sprint(a) == fmt.Sprint(b) })); diff != "" || n != 2 {
		t.Errorf("%d records of changes (-want +got):\n%s", n, diff)
	}
}

// change is the last record of a change, and how many there are.
func (h *house) change() (last audit.Record, n int) {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	for _, l := range h.recorder.lines {
		if r, err := audit.Decode([]byte(l)); err == nil && r.Kind == audit.KindChange {
			last, n = r, n+1
		}
	}
	return last, n
}

// TestWhoIsCutOffRenewsNothing: an order stands before a token.
func TestWhoIsCutOffRenewsNothing(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	o := &orders{}
	h.cfg.Contained = o
	hop := h.live(at("/renew"))
	o.verb = contain.VerbQuarantine
	h.ask(at("/public/a", h.tokenOf(20*time.Minute)))
	if got := h.ends(hop); got[0] != firstEnd {
		t.Errorf("it ends after %s", got)
	}
}

// TestAnotherPeerRenewsNothing: who opened it by its certificate renews it by
// that, and who had none by none.
func TestAnotherPeerRenewsNothing(t *testing.T) {
	t.Parallel()
	by := func(a asking, principal string) asking {
		a.target, a.principal = webTarget("mtls"), principal
		return a
	}
	const other = "spiffe://corp/ns/agents/sa/other"
	h := renewing(t)
	mine, bare := h.live(by(at("/renew"), spiffe)), h.live(at("/renew"))
	h.ask(by(at("/public/a", h.tokenOf(20*time.Minute)), other))
	if a, b := h.ends(mine), h.ends(bare); a[0] != firstEnd || b[0] != firstEnd {
		t.Errorf("another peer has it end after %s, %s", a, b)
	}
	h.ask(at("/public/a", h.tokenOf(21*time.Minute)))
	if a, b := h.ends(mine), h.ends(bare); a[0] != firstEnd || b[0] != 21*time.Minute+5*time.Second {
		t.Errorf("no peer has it end after %s, %s", a, b)
	}
	h.ask(by(at("/public/a", h.tokenOf(22*time.Minute)), spiffe))
	if a := h.ends(mine); a[0] != 22*time.Minute+5*time.Second {
		t.Errorf("its peer has it end after %s", a)
	}
}

// TestRenewInsideATunnel: what is inside ends with the tunnel at the latest,
// and goes on with it.
func TestRenewInsideATunnel(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	digging := tunnel("renew.example:80")
	outer := h.ask(digging)
	if !outer.allowed() {
		t.Fatal(outer.body())
	}
	tunnelHop := h.hold(outer)
	h.Again(tunnelHop)
	in := func(path string) *leash.Hop {
		return h.live(asking{target: innerTarget(), host: "renew.example", path: path, parent: outer.meta(wire.MetaHopID), parentTarget: "renew.example:80"})
	}
	own, most, renew := in("/own"), in("/max"), in("/renew")
	for name, hop := range map[string]*leash.Hop{"own": own, "max": most, "renew": renew} {
		want := [2]time.Duration{firstEnd, 30 * time.Minute}
		if name == "own" {
			want[1] = firstEnd
		}
		if got := h.ends(hop); got != want {
			t.Errorf("%s ends after %s, want %s", name, got, want)
		}
	}
	h.ask(at("/public/a", h.tokenOf(20*time.Minute)))
	const renewed = 20*time.Minute + 5*time.Second
	for name, hop := range map[string]*leash.Hop{"tunnel": tunnelHop, "max": most, "renew": renew} {
		if got := h.ends(hop); got[0] != renewed {
			t.Errorf("%s ends after %s once renewed", name, got)
		}
	}
	if got := h.ends(own); got[0] != firstEnd {
		t.Errorf("what ends with its token ends after %s", got)
	}
	if got := h.ends(in("/own")); got[0] != renewed {
		t.Errorf("what begins in a renewed tunnel ends after %s", got)
	}
}

// TestWhatIsOverIsNotRenewed: nothing of a hop is kept.
func TestWhatIsOverIsNotRenewed(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	for range 3 {
		got := h.ask(at("/renew"))
		h.Again(h.hold(got))
		h.finish(got)
	}
	if n, e := h.renewals.n.Load(), len(h.renewals.by); n != 0 || e != 0 {
		t.Errorf("%d hops of %d principals are kept", n, e)
	}
	h = open(t, build{maxPending: 1, feed: func(f *feedv1.Snapshot) { f.Policies = append(f.Policies, policyOf(t, "renew", renewRules)) }})
	h.ask(at("/renew"))
	if got := h.ask(at("/renew")); got.allowed() || h.renewals.n.Load() != 1 {
		t.Errorf("a hop that was not entered is kept: %d", h.renewals.n.Load())
	}
}

// TestManyAreRenewedBehindTheRequest: the one that brings the token waits for a
// few of them, and another token for all.
func TestManyAreRenewedBehindTheRequest(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	const many = 5*renewBatch + 1
	hops := make([]*leash.Hop, many)
	for i := range hops {
		hops[i] = h.live(at("/renew"))
	}
	h.ask(at("/public/a", h.tokenOf(20*time.Minute)))
	h.ask(at("/public/a", h.tokenOf(30*time.Minute)))
	h.ask(at("/public/a", h.tokenOf(40*time.Minute)))
	h.Wait()
	for i, hop := range hops {
		if got := h.ends(hop); got[0] != 40*time.Minute+5*time.Second {
			t.Errorf("hop %d ends after %s", i, got)
		}
	}
	h.recorder.mu.Lock()
	h.recorder.refuse[audit.KindChange] = errors.New("full")
	h.recorder.mu.Unlock()
	last := h.tokenOf(50 * time.Minute)
	h.ask(at("/public/a", last))
	h.Wait()
	h.recorder.mu.Lock()
	delete(h.recorder.refuse, audit.KindChange)
	h.recorder.mu.Unlock()
	h.ask(at("/public/a", last))
	h.Wait()
	if got := h.ends(hops[many-1]); got[0] != 50*time.Minute+5*time.Second {
		t.Errorf("the last one ends after %s", got)
	}
}

// TestAHopThatIsOverBeforeItCounts is not kept.
func TestAHopThatIsOverBeforeItCounts(t *testing.T) {
	t.Parallel()
	var r renewals
	by := principalOf(claims(time.Minute), "")
	h := &Held{by: &by}
	r.remove(h)
	if r.add(h); r.n.Load() != 0 {
		t.Error("a hop that is over is kept")
	}
}

// TestATokenIsTriedOnce in one feed: many requests with one token ask for
// nothing more, and a policy that changes has it tried again.
func TestATokenIsTriedOnce(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	first := h.tokenOf(10*time.Minute, func(c *token.Claims) { c.Scopes = []string{"go.on"} })
	hop := h.live(at("/scoped", first))
	fresh := h.tokenOf(20 * time.Minute)
	for range 3 {
		h.ask(at("/public/a", fresh))
	}
	if got := h.renewals.presented(h.tokens.more[fresh], "", 1); got != nil {
		t.Errorf("a token that was tried is tried again on %d hops", len(got))
	}
	f := feed(t)
	f.Policies = append(f.Policies, policyOf(t, "renew", `
- {name: any, to: {type: HTTP, http: [{ports: [8080], paths: ["/scoped", "/public/**"]}]}, action: Allow, with: {stream: {lifetime: Renewable, max: 1h}}}`))
	h.SetWorld(worldOf(t, 2, f, h.names))
	h.ask(at("/public/a", fresh))
	if got := h.ends(hop); got[0] != 20*time.Minute+5*time.Second {
		t.Errorf("by the new policy it ends after %s", got)
	}
}

// TestRenewAtOnce: many tokens come as the feed changes and hops end.
func TestRenewAtOnce(t *testing.T) {
	t.Parallel()
	h := renewing(t)
	hop := h.live(at("/renew"))
	tokens := make([]string, 40)
	for i := range tokens {
		tokens[i] = h.tokenOf(time.Duration(11+i) * time.Minute)
	}
	var wg sync.WaitGroup
	for _, tok := range tokens {
		wg.Go(func() { h.renew(t.Context(), h.presenting(tok)) })
		wg.Go(func() { h.Redecide(hop) })
		wg.Go(func() { h.Contained(hop) })
	}
	wg.Wait()
	h.Wait()
	if got := h.ends(hop); got[0] != 50*time.Minute+5*time.Second {
		t.Errorf("it ends after %s", got)
	}
	h.register.Closed(hop.ID)
	h.register.Logged(hop.ID, leash.Logged{})
	if n := h.renewals.n.Load(); n != 0 {
		t.Errorf("%d hops are kept", n)
	}
}

// presenting is a question with this token, as far as it takes to renew.
func (h *house) presenting(tok string) *work {
	w := &work{world: h.World(), now: h.now}
	w.hop.Claims, w.hop.Leeway = h.tokens.more[tok], 5*time.Second
	return w
}
