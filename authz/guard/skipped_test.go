package guard

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// town is a guard that follows nothing by itself, with hops of many callers to
// many places, and a feed that is edited at random.
type town struct {
	*rig
	rand   *rand.Rand
	tokens []string // "" among them
	local  []netip.Addr
	feed   *feedv1.Snapshot
	keys   []*token.Key
	n      int
}

func newTown(t *testing.T, seed uint64) *town {
	t.Helper()
	w := &town{rand: rand.New(rand.NewPCG(seed, 7)), tokens: []string{""}}
	cfg, _, _ := config(t)
	cfg.Local = func() []netip.Addr { return w.local }
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.rig = &rig{Guard: g, t: t}
	w.serveAlone()
	for i := range 3 {
		k, err := token.Generate(strings.NewReader(strings.Repeat(string(rune('a'+i)), 64)))
		if err != nil {
			t.Fatal(err)
		}
		w.keys = append(w.keys, k)
	}
	for i, domain := range []string{"corp", "lab"} {
		for _, agents := range [][]string{{"researcher"}, {"coder", "researcher"}, {"writer"}} {
			s, err := w.keys[i].Mint(token.Params{
				Audience: domain, Subject: "user:" + agents[0], Txn: fmt.Sprint("txn-", len(w.tokens)), Agent: agents[0], Actors: agents[1:],
				IssuedAt: time.Now(), Lifetime: 10 * time.Minute, Scopes: []string{"read"},
			}, crand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			w.tokens = append(w.tokens, string(s))
		}
	}
	w.feed = w.beginning()
	return w
}

// beginning is a feed by which much is open.
func (w *town) beginning() *feedv1.Snapshot {
	f := &feedv1.Snapshot{Revision: "0"}
	for i, name := range []string{"one", "two"} {
		gw := gateway(name, v1alpha1.UnmatchedAllow)
		gw.Listeners[0].Peers, gw.Listeners[0].TrustDomains, gw.Listeners[0].Port = true, []feedv1.Key{key("corp"), key("lab")}, uint16(8080+i)
		gw.Listeners = append(gw.Listeners, feedv1.Listener{
			Name: "proxy", Protocol: "hopgate.dev/Proxy", Address: netip.IPv4Unspecified(), Port: uint16(3128 + i),
			TrustDomains: []feedv1.Key{key("corp"), key("lab")}, Peers: true,
		})
		gw.Egress.InsideRanges = []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}
		f.Gateways = append(f.Gateways, gw)
	}
	for i, name := range []string{"corp", "lab"} {
		f.TrustDomains = append(f.TrustDomains, feedv1.TrustDomain{
			Key: key(name), Audience: name, Algorithms: []string{"EdDSA"}, MaxLifetime: time.Hour, MaxTxn: time.Hour, Leeway: time.Second,
			Binding: v1alpha1.BindingNone, AgentProfile: v1alpha1.AgentProfileActor, KeySet: feedv1.KeySet{JWKS: w.keys[i].JWKS()},
		})
	}
	return f
}

// destinations are where hops go.
func destinations() []*authv3.AttributeContext {
	var out []*authv3.AttributeContext
	add := func(t wire.Target, method, host string) {
		out = append(out, &authv3.AttributeContext{
			ContextExtensions: map[string]string{wire.ContextTarget: t.String()},
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: method, Path: map[bool]string{true: "", false: "/a"}[method == "CONNECT"], Host: host, Scheme: "http", Protocol: "HTTP/1.1",
			}},
		})
	}
	for _, gw := range []string{"one", "two"} {
		for _, backends := range [][]string{{"Service/agents/x"}, {"XBackend/agents/y"}, {"Service/agents/x", "XBackend/agents/y"}} {
			for _, route := range []string{"r", "s"} {
				add(wire.Target{
					Entry: wire.EntryRoute, Gateway: key(gw).String(), Listener: "http", Route: "agents/" + route, Rule: "#0", Surface: "HTTP", Backends: backends,
				}, "GET", "a.example")
			}
		}
		proxy := wire.Target{Entry: wire.EntryProxy, Gateway: key(gw).String(), Listener: "proxy"}
		add(proxy, "CONNECT", "web.example:8443")
		add(proxy, "GET", "web.example:8443")
		add(proxy, "GET", "10.20.0.7:8443")
	}
	return out
}

// fill has everybody ask for everything, and opens the holds of what is allowed.
func (w *town) fill() {
	w.t.Helper()
	client := authv3.NewAuthorizationClient(w.conn)
	for i, place := range destinations() {
		for j, raw := range w.tokens {
			place.Source = &authv3.AttributeContext_Peer{Principal: []string{"", good, bad}[(i+j)%3]}
			headers := &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "te", RawValue: []byte("trailers")}}}
			if raw != "" {
				headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: wire.HeaderTxnToken, RawValue: []byte(raw)})
			}
			place.Request.Http.HeaderMap = headers
			res, err := client.Check(w.t.Context(), &authv3.CheckRequest{Attributes: place})
			if err != nil {
				w.t.Fatal(err)
			}
			if id, err := leash.ParseID(hopOf(res)); err == nil && status(res) == 0 {
				relayed := res.GetDynamicMetadata().GetFields()[wire.MetaHold].GetStringValue() == wire.HoldRelay
				if h, ok := w.register.Open(id, relayed, func(leash.Cut) {}); !ok || w.check.Again(h) != "" {
					w.t.Fatal("a hold does not open")
				}
			}
		}
	}
}

// one is one of a list.
func one[T any](w *town, list ...T) T { return list[w.rand.IntN(len(list))] }

// toggled is a list without x, or with it.
func toggled[T any, K comparable](list []T, id func(T) K, x T) []T {
	var out []T
	for _, y := range list {
		if id(y) != id(x) {
			out = append(out, y)
		}
	}
	if len(out) == len(list) {
		out = append(out, x)
	}
	return out
}

// policy is any of some policies.
func (w *town) policy() feedv1.Policy {
	p := feedv1.Policy{Key: key(one(w, "p", "q", "s")), Mode: one(w, v1alpha1.ModeEnforce, v1alpha1.ModeEnforce, v1alpha1.ModeReport)}
	for range 1 + w.rand.IntN(2) {
		p.Targets = append(p.Targets, one(w,
			feedv1.PolicyTarget{Kind: "Gateway", Key: key("one")}, feedv1.PolicyTarget{Kind: "Gateway", Key: key("two"), Section: "http"},
			feedv1.PolicyTarget{Kind: "Gateway", Key: key("one"), Section: "proxy"}, feedv1.PolicyTarget{Kind: "HTTPRoute", Key: key("r")},
			feedv1.PolicyTarget{Kind: "HTTPRoute", Key: key("s"), Section: "#0"}, feedv1.PolicyTarget{Kind: "XBackend", Key: key("y")},
			feedv1.PolicyTarget{Kind: "Service", Key: key("x")}, feedv1.PolicyTarget{Kind: "Service", Key: key("gone")}))
	}
	rules := one(w,
		`[{name: open, transaction: {type: None}, from: {peers: [{type: SPIFFE, spiffe: "spiffe://corp.example/**"}]}, to: {type: HTTP, http: [{ports: [80, 8080, 8443]}]}, action: Allow}]`,
		`[{name: some, from: {agents: [{name: researcher}]}, to: {type: HTTP, http: [{ports: [80, 8080, 8443]}]}, action: Allow}]`,
		`[{name: scope, transaction: {scopes: [write]}, to: {type: HTTP, http: [{}]}, action: Allow}]`,
		`[{name: all, to: {type: HTTP, http: [{ports: [80, 8443]}]}, action: Allow}, {name: no, from: {subjects: ["user:coder"]}, to: {type: HTTP, http: [{ports: [80, 8443]}]}, action: Deny}]`,
		`[{name: tunnels, to: {type: Hosts, hosts: [{names: ["*.example"], ports: [8443]}]}, action: Allow}]`)
	if err := yaml.UnmarshalStrict([]byte(rules), &p.Rules); err != nil {
		w.t.Fatal(err)
	}
	if w.rand.IntN(8) == 0 {
		p.Rejected = "no such thing"
	}
	return p
}

// quarantine is any of some quarantines.
func (w *town) quarantine() feedv1.Quarantine {
	q := feedv1.Quarantine{Name: one(w, "q", "r", "s"), Until: time.Now().Add(time.Hour), Domain: one(w, feedv1.Key{}, key("corp"), key("lab"))}
	q.Type = one(w, v1alpha1.QuarantineAgent, v1alpha1.QuarantineSubject, v1alpha1.QuarantinePeer, v1alpha1.QuarantineTransaction)
	switch q.Type {
	case v1alpha1.QuarantineAgent:
		q.Value = one(w, "researcher", "coder", "writer")
	case v1alpha1.QuarantineSubject:
		q.Value = one(w, "user:coder", "user:nobody")
	case v1alpha1.QuarantineTransaction:
		q.Value = one(w, "txn-1", "txn-5")
	default:
		q.Value, q.Domain = one(w, good, bad), feedv1.Key{}
	}
	if w.rand.IntN(2) == 0 {
		q.Except = []feedv1.Place{{Backend: "Service/agents/x"}}
	}
	return q
}

// edit makes one change of a feed, whose lists are its own.
func (w *town) edit(f *feedv1.Snapshot) {
	gw := &f.Gateways[w.rand.IntN(len(f.Gateways))]
	l := &gw.Listeners[w.rand.IntN(2)]
	switch w.rand.IntN(13) {
	case 0:
		gw.Unmatched = one(w, v1alpha1.UnmatchedAllow, v1alpha1.UnmatchedAllow, v1alpha1.UnmatchedDeny)
	case 1:
		l.TrustDomains = toggled(l.TrustDomains, feedv1.Key.String, key(one(w, "corp", "lab")))
	case 2:
		l.Port = one(w, l.Port, uint16(8443)) // which has a destination become ours
	case 3:
		gw.Egress.Hosts = toggled(gw.Egress.Hosts, func(h feedv1.Host) string { return h.Name }, gateway("one", "").Egress.Hosts[0])
	case 4:
		gw.Egress.Backends = toggled(gw.Egress.Backends, func(b feedv1.Backend) string { return b.Ref }, feedv1.Backend{
			Ref: "XBackend/agents/y", Hostname: "web.example", Port: 8443, Surface: v1alpha1.SurfaceHTTP, Mode: "guard", Cluster: "y",
		})
	case 5, 6, 7:
		if i := w.rand.IntN(4); i < len(f.Policies) {
			p := w.policy()
			p.Key = f.Policies[i].Key
			f.Policies[i] = p
			return
		}
		f.Policies = toggled(f.Policies, func(p feedv1.Policy) string { return p.Key.Name }, w.policy())
	case 8:
		d := &f.TrustDomains[w.rand.IntN(len(f.TrustDomains))]
		switch w.rand.IntN(3) {
		case 0:
			d.MaxLifetime += time.Minute
		case 1:
			d.KeySet.JWKS = w.keys[w.rand.IntN(3)].JWKS()
		default:
			f.TrustDomains = toggled(f.TrustDomains, func(d feedv1.TrustDomain) feedv1.Key { return d.Key }, w.beginning().TrustDomains[w.rand.IntN(2)])
			if len(f.TrustDomains) == 0 {
				f.TrustDomains = w.beginning().TrustDomains
			}
		}
	case 9:
		f.Credentials = toggled(f.Credentials, func(c feedv1.Credential) string { return c.Key.Name }, feedv1.Credential{
			Key: key(one(w, "c", "d")), Backend: one(w, "Service/agents/x", "XBackend/agents/y"), Header: one(w, "x-key", "authorization"), Environment: "SECRET",
		})
		w.rand.Shuffle(len(f.Credentials), func(i, j int) { f.Credentials[i], f.Credentials[j] = f.Credentials[j], f.Credentials[i] })
	case 10, 11:
		f.Quarantines = toggled(f.Quarantines, func(q feedv1.Quarantine) string { return q.Name }, w.quarantine())
	default:
		f.Names = toggled(f.Names, strings.Clone, "x.example")
		w.local = toggled(w.local, netip.Addr.String, netip.MustParseAddr("10.20.0.7"))
	}
}

// next is a feed that is another by some edits.
func (w *town) next() *feedv1.Snapshot {
	f := *w.feed
	w.n++
	f.Revision = fmt.Sprint(w.n)
	f.Gateways = append([]feedv1.Gateway(nil), f.Gateways...)
	for i := range f.Gateways {
		f.Gateways[i].Listeners = append([]feedv1.Listener(nil), f.Gateways[i].Listeners...)
	}
	f.TrustDomains = append([]feedv1.TrustDomain(nil), f.TrustDomains...)
	f.Policies = append([]feedv1.Policy(nil), f.Policies...)
	f.Credentials = append([]feedv1.Credential(nil), f.Credentials...)
	f.Quarantines = append([]feedv1.Quarantine(nil), f.Quarantines...)
	for range w.rand.IntN(4) {
		w.edit(&f)
	}
	return &f
}

// TestWhatIsSkippedWouldHavePassed: after any edits of the feed, deciding every
// hop again ends none that the guard has let live.
func TestWhatIsSkippedWouldHavePassed(t *testing.T) {
	t.Parallel()
	var cut, skipped, all int
	for seed := range uint64(6) {
		w := newTown(t, seed)
		w.apply(w.feed)
		w.follow(w.takeChange())
		w.fill()
		for range 60 {
			w.feed = w.next()
			w.apply(w.feed)
			if w.rand.IntN(4) == 0 {
				continue // two at once
			}
			before := len(w.register.Hops())
			c := w.takeChange()
			skipped += before - len(w.concerned(c))
			if c.all {
				all++
			}
			cut += w.follow(c)
			for _, h := range w.register.Hops() {
				if code := w.check.Redecide(h); code != "" {
					t.Fatalf("seed %d, feed %s: a hop by %+v was skipped, and is denied: %s (change %+v)", seed, w.feed.Revision, h.Subject.(*check.Held).By(), code, c)
				}
			}
			if len(w.register.Hops()) < 30 {
				if w.rand.IntN(2) == 0 {
					w.feed = w.beginning()
					w.apply(w.feed)
					w.follow(w.takeChange())
				}
				w.fill()
			}
		}
	}
	t.Logf("%d hops were cut, %d skipped; %d changes were of all", cut, skipped, all)
	if cut < 100 || skipped < 100 || all > 0 {
		t.Errorf("%d hops were cut, %d skipped, and %d changes were of all: nothing is shown by that", cut, skipped, all)
	}
}
