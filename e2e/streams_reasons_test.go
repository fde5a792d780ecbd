package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/token"
)

// reason is why streams end that nobody of those who stream wants to end.
type reason struct {
	name string
	end  audit.End
	// code is in the last word; empty: none is said.
	code string
	// routed is true for what concerns only what has a route.
	routed bool
	// itself is true for an end that comes without anybody doing anything.
	itself bool
	// each is true where streams are ended one by one.
	each bool
	// token is that of a stream of a group.
	token func(m *matrix, group, txn string) string
	// strike ends the streams of a group. It gives the moment at which each is
	// to end.
	strike func(t *testing.T, m *matrix, group string, cells []*cell) func(*cell) time.Time
}

// hurried is how streams are busy: alone, or one of many.
func (r *reason) hurried() pace {
	if r.each {
		return paceBusy
	}
	return paceShare
}

const (
	// boundedMax is the life of streams that a rule bounds.
	boundedMax = 5 * time.Second
	// fadingLife is the life of tokens that end soon.
	fadingLife = 5 * time.Second
)

func reasons() []reason {
	return []reason{
		{name: "expiry", end: audit.EndExpired, code: "expired", itself: true, token: fading, strike: byItself(func(c *cell) time.Time { return c.expires })},
		{name: "max", end: audit.EndExpired, code: "expired", itself: true, token: by("bounded"), strike: byItself(func(c *cell) time.Time { return c.begun.Add(boundedMax) })},
		{name: "revoked transaction", end: audit.EndRevoked, code: "revoked", each: true, token: by("worker"), strike: orderEach(func(c *cell) admin.Ask {
			return admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: c.brief.name}
		})},
		{name: "revoked token", end: audit.EndRevoked, code: "revoked", each: true, token: by("worker"), strike: orderEach(func(c *cell) admin.Ask {
			return admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindToken, Value: tokenName(c.token)}
		})},
		{name: "quarantined actor", end: audit.EndQuarantined, code: "quarantined", token: by("coder"), strike: quarantineActor},
		{name: "policy", end: audit.EndRefused, code: "rule_denied", token: by("fallen"), strike: denyAgent},
		{name: "trust domain withdrawn", end: audit.EndRefused, code: "token_wrong_domain", token: inDomain("gone"), strike: withdrawDomain},
		{name: "key withdrawn", end: audit.EndRefused, code: "token_wrong_domain", token: inDomain("keyed"), strike: withdrawKey},
	}
}

// credentialChange has gateways of its own: it concerns all streams of a
// backend.
func credentialChange() reason {
	return reason{name: "credential", end: audit.EndRefused, code: "credential_unavailable", routed: true, token: by("worker"), strike: changeCredentials}
}

// drain has gateways of its own.
func drain() reason {
	return reason{name: "drain", end: audit.EndShutdown, code: "shutting_down", token: by("worker"), strike: stopGateway}
}

// domain is the audience of tokens that nothing is wrong with.
const domain = "main.example"

// by is a token of an agent of the group, who acts for another of it.
func by(name string) func(*matrix, string, string) string {
	return func(m *matrix, group, id string) string {
		return m.Token(audience(domain), txn(id), agent(name+"-"+group), func(p *token.Params) { p.Actors = []string{name + "-planner-" + group} })
	}
}

// inDomain is a token of a trust domain of the group.
func inDomain(name string) func(*matrix, string, string) string {
	return func(m *matrix, group, id string) string { return m.Token(audience(name+"-"+group+".example"), txn(id)) }
}

// fading is a token that expires soon.
func fading(m *matrix, _, id string) string {
	return m.Token(audience("short.example"), txn(id), lifetime(fadingLife))
}

// byItself waits for an end that is known.
func byItself(at func(*cell) time.Time) func(*testing.T, *matrix, string, []*cell) func(*cell) time.Time {
	return func(*testing.T, *matrix, string, []*cell) func(*cell) time.Time { return at }
}

// order gives an order, and when it was acknowledged.
func order(t *testing.T, m *matrix, a admin.Ask) (admin.Done, time.Time) {
	t.Helper()
	a.Domain = "default/main"
	done, err := m.admin.Order(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return done, time.Now()
}

// orderEach gives an order for each stream.
func orderEach(ask func(*cell) admin.Ask) func(*testing.T, *matrix, string, []*cell) func(*cell) time.Time {
	return func(t *testing.T, m *matrix, _ string, cells []*cell) func(*cell) time.Time {
		given := map[*cell]time.Time{}
		for _, c := range cells {
			m.hurry(t, c)
			var done admin.Done
			// A decision of later that goes on for another change can be the first to
			// end it, by the same order.
			if done, given[c] = order(t, m, ask(c)); done.Ended > c.hops() {
				t.Errorf("%s: %d streams are said to have ended, want %d", c.brief.name, done.Ended, c.hops())
			}
		}
		return func(c *cell) time.Time { return given[c] }
	}
}

// tokenName is what a token is called in records: by what of it is signed.
func tokenName(s string) string {
	h := sha256.Sum256([]byte(s[:strings.LastIndexByte(s, '.')]))
	return hex.EncodeToString(h[:8])
}

// quarantineActor cuts off whom the streams' agents act for.
func quarantineActor(t *testing.T, m *matrix, group string, cells []*cell) func(*cell) time.Time {
	done, at := order(t, m, admin.Ask{Verb: contain.VerbQuarantine, Kind: contain.KindAgent, Value: "coder-planner-" + group})
	want := 0
	for _, c := range cells {
		want += c.hops()
	}
	if done.Ended != want {
		t.Errorf("%d streams are said to have ended, want %d", done.Ended, want)
	}
	return func(*cell) time.Time { return at }
}

// at is one moment for all.
func at(when time.Time) func(*cell) time.Time { return func(*cell) time.Time { return when } }

// denyAgent adds a policy that denies the group's agent everything.
func denyAgent(_ *testing.T, m *matrix, group string, _ []*cell) func(*cell) time.Time {
	rule := func(name, to string) string {
		return "{name: " + name + ", from: {agents: [{name: fallen-" + group + "}]}, to: " + to + ", action: Deny}"
	}
	m.Write("deny-"+group+".yaml", policy("deny-"+group, rule("http", "{type: HTTP, http: [{ports: [80, "+m.stage.site.port()+", ${HTTP}]}]}"),
		rule("tools", "{type: Tools, tools: [{servers: [{name: tools}]}]}"), rule("models", "{type: Models, models: [{providers: [{name: models}]}]}"),
		rule("hosts", "{type: Hosts, hosts: [{names: ['*.example'], ports: ["+m.ports()+"]}]}")))
	return at(time.Now())
}

func withdrawDomain(_ *testing.T, m *matrix, group string, _ []*cell) func(*cell) time.Time {
	m.configure(func() { m.gone["gone-"+group] = true })
	return at(time.Now())
}

func withdrawKey(t *testing.T, m *matrix, group string, _ []*cell) func(*cell) time.Time {
	k, err := token.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m.configure(func() { m.keys["keyed-"+group] = string(k.JWKS()) })
	return at(time.Now())
}

// changeCredentials puts another header on what goes to each Service.
func changeCredentials(_ *testing.T, m *matrix, _ string, _ []*cell) func(*cell) time.Time {
	m.Write("credentials.yaml", credentials("x-another"))
	return at(time.Now())
}

func credentials(header string) string {
	var b strings.Builder
	for _, name := range []string{"page", "tools", "models", "grpc"} {
		b.WriteString("apiVersion: hopgate.dev/v1alpha1\nkind: Credential\nmetadata: {name: " + name + "}\n" +
			"spec: {targetRef: {kind: Service, name: " + name + "}, header: " + header + ", secret: {type: File, file: page.key}}\n---\n")
	}
	return b.String()
}

// stopGateway has the gateway end, which gives what has begun a second.
func stopGateway(t *testing.T, m *matrix, _ string, _ []*cell) func(*cell) time.Time {
	asked := time.Now()
	if err := m.Stop(); err != nil {
		t.Error(err)
	}
	return at(asked.Add(drainGrace))
}
