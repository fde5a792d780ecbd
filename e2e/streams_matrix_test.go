package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// drainGrace is how long what has begun may go on when the gateway is to end.
const drainGrace = time.Second

// matrix is a gateway through which every kind of stream flows.
type matrix struct {
	*testgateway.Gateway
	stage *stage
	admin *admin.Client
	// busy has room for those whose streams are busy: so that each has the
	// machine for itself.
	busy chan struct{}

	mu   sync.Mutex
	gone map[string]bool   // guarded by mu; trust domains that are not believed
	keys map[string]string // guarded by mu; key sets that are not the local one
	// tooBusy are streams that the gateway had no time for; guarded by mu.
	tooBusy int
}

func newMatrix(t *testing.T, busy chan struct{}, objects map[string]string) *matrix {
	t.Helper()
	m := prepareMatrix(t, busy, objects)
	m.Launch(func(c *laptop.Config) { c.Grace = drainGrace })
	testenv.Wait(t, "the gateway to be ready", m.Ready)
	m.reach(t)
	return m
}

// prepareMatrix is newMatrix without starting anything.
func prepareMatrix(t *testing.T, busy chan struct{}, objects map[string]string) *matrix {
	t.Helper()
	m := &matrix{stage: newStage(t), busy: busy, gone: map[string]bool{}, keys: map[string]string{}}
	all := map[string]string{
		"services.yaml": testgateway.Listeners + service("page", m.stage.site.port(), plain, "/page") + service("tools", m.stage.site.port(), mcp, "/mcp") +
			service("models", m.stage.site.port(), openAI, "/v1") + service("grpc", m.stage.site.port(), h2c, "/stage.Stage"),
		"policy.yaml": m.policies(), "page.key": "sk-page\n",
	}
	maps.Copy(all, objects)
	m.Gateway = testgateway.New(t, all)
	m.configure(func() {})
	return m
}

// reach finds the door for people.
func (m *matrix) reach(t *testing.T) {
	t.Helper()
	client, err := admin.NewClient(m.State)
	if err != nil {
		t.Fatal(err)
	}
	m.admin = client
}

// lives is how many hops live whose transaction's name begins so.
func (m *matrix) lives(t *testing.T, prefix string) (n int) {
	t.Helper()
	all, err := m.admin.Streams(t.Context(), admin.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if strings.HasPrefix(s.Txn, prefix) {
			n++
		}
	}
	return n
}

// ports are those that a proxy's client may go to.
func (m *matrix) ports() string {
	return m.stage.site.port() + ", " + m.stage.web.port() + ", " + m.stage.raw.port()
}

// policies let everybody do everything, for as long as the token lives, and
// the agents bounded for a while.
func (m *matrix) policies() string {
	var rules []string
	for _, s := range []struct{ name, to, tls string }{
		{"http", "{type: HTTP, http: [{ports: [80, " + m.stage.site.port() + ", ${HTTP}]}]}", ""},
		{"tools", "{type: Tools, tools: [{servers: [{name: tools}]}]}", ""},
		{"models", "{type: Models, models: [{providers: [{name: models}]}]}", ""},
		{"hosts", "{type: Hosts, hosts: [{names: [web.example, site.example], ports: [" + m.ports() + "]}]}", ""},
		{"raw", "{type: Hosts, hosts: [{names: [raw.example], ports: [" + m.ports() + "]}]}", ", tls: Opaque"},
	} {
		rules = append(rules,
			"{name: "+s.name+", to: "+s.to+", action: Allow, with: {stream: {lifetime: TokenExpiry, max: 1h}"+s.tls+"}}",
			"{name: "+s.name+"-bounded, from: {agents: [{name: bounded-quiet}, {name: bounded-busy}]}, to: "+s.to+
				", action: Allow, with: {stream: {lifetime: TokenExpiry, max: "+boundedMax.String()+"}"+s.tls+"}}")
	}
	return policy("all", rules...)
}

// configure changes which trust domains are believed, and by which keys.
func (m *matrix) configure(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	refs, domains := []string{"{name: main}", "{name: short}"}, trust("main", domain, "leeway: 5s")+trust("short", "short.example", "leeway: 1s")
	for _, name := range []string{"gone-quiet", "gone-busy", "keyed-quiet", "keyed-busy"} {
		d := trust(name, name+".example", "leeway: 5s")
		if k := m.keys[name]; k != "" {
			d = strings.ReplaceAll(d, "${JWKS}", k)
		}
		domains += d
		if !m.gone[name] {
			refs = append(refs, "{name: "+name+"}")
		}
	}
	m.Write("config.yaml", config("trustDomainRefs: ["+strings.Join(refs, ", ")+"]",
		egress("", "web.example:"+m.stage.web.port(), "site.example:"+m.stage.site.port(), "raw.example:"+m.stage.raw.port()))+domains)
}

// cell is one stream of the matrix.
type cell struct {
	kind
	brief
	token          string
	begun, expires time.Time
	live           *live
	ear            *ear
}

// What streams are like when they are ended.

func idle() brief       { return brief{pace: paceIdle} }
func flowing() brief    { return brief{pace: paceTicks} }
func halfClosed() brief { return brief{pace: paceIdle, half: true} }

// hops is how many hops it is: what is inside a tunnel has the tunnel's.
func (c *cell) hops() int {
	if strings.HasPrefix(c.kind.name, "inside") {
		return 2
	}
	return 1
}

// enough is how much a busy stream has moved before it is ended.
const enough = 1 << 20

// open opens a stream of each kind that a reason concerns, at each of paces,
// and waits until each flows.
func (m *matrix) open(t *testing.T, r *reason, group string, paces ...brief) []*cell {
	t.Helper()
	var cells []*cell
	for _, p := range paces {
		for _, k := range kinds() {
			if r.routed && !k.routed || p.half && k.half == halfNone || k.silent && (p.half || p.pace == paceTicks || p.pace == paceBusy || p.pace == paceShare) {
				continue
			}
			cells = append(cells, m.flow(t, r, group, k, p))
		}
	}
	for _, c := range cells {
		m.halve(t, c)
	}
	testenv.Wait(t, "all streams to be live", func() bool {
		want := 0
		for _, c := range cells {
			if !c.ear.ended() { // its time may have come
				want += c.hops()
			}
		}
		return m.lives(t, r.name+", "+group+", ") >= want
	})
	return cells
}

// flow opens a stream, and waits until it flows. What the gateway has no time
// for is opened again.
func (m *matrix) flow(t *testing.T, r *reason, group string, k kind, p brief) *cell {
	t.Helper()
	for n := range 5 {
		p.name = strings.Join([]string{r.name, group, paceName(p), k.name}, ", ") + strings.Repeat(" again", n)
		now := time.Now()
		c := &cell{kind: k, brief: p, token: r.token(m, group, p.name), begun: now}
		c.expires = now.Truncate(time.Second).Add(fadingLife).Add(leeway)
		s := newScope(t)
		var why string
		if c.live, why = m.attempt(s, k, p, c.token); c.live != nil {
			c.ear = heed(c.live)
			testenv.Wait(t, c.brief.name+" to flow", func() bool {
				return c.ear.ended() || c.ear.got.Load() > 0 || c.silent && m.lives(t, c.brief.name) == 1
			})
			if !c.ear.ended() {
				t.Cleanup(s.close)
				return c
			}
			why = fmt.Sprint(c.ear.err, c.ear.tail)
		}
		s.close()
		if !tooBusy(why) {
			t.Fatalf("%s is refused: %s", p.name, why)
		}
		t.Logf("%s is refused, and opened again: %s", p.name, why)
	}
	t.Fatalf("the gateway has no time for %s", p.name)
	return nil
}

// halve has the client end what it sends, where it does.
func (m *matrix) halve(t *testing.T, c *cell) {
	t.Helper()
	if !c.brief.half {
		return
	}
	c.live.half()
	if c.kind.half == halfUnheard {
		return
	}
	testenv.Wait(t, "the backend of "+c.brief.name+" to see the end of what the client sends", func() bool { return m.stage.halfClosed(c.brief.name) || c.ear.ended() })
}

func paceName(b brief) string {
	if b.half {
		return "half-closed"
	}
	return string(b.pace)
}

// hurry has streams that are to be busy be so.
func (m *matrix) hurry(t *testing.T, cells ...*cell) {
	t.Helper()
	for _, c := range cells {
		if c.pace == paceBusy || c.pace == paceShare {
			m.stage.goOn(c.brief.name)
		}
	}
	for _, c := range cells {
		if c.pace == paceBusy || c.pace == paceShare {
			testenv.Wait(t, c.brief.name+" to be busy", func() bool { return c.ear.got.Load() > enough || c.ear.ended() })
		}
	}
}

// flowing opens streams that are as busy as they are to be.
func (m *matrix) flowing(t *testing.T, r *reason, group string, paces ...brief) []*cell {
	t.Helper()
	cells := m.open(t, r, group, paces...)
	if !r.each {
		m.hurry(t, cells...)
	}
	return cells
}

// hung reports whether this machine is so busy that Envoy took the guard for
// one that hangs, and streams were lost before they were to end.
func (m *matrix) hung(t *testing.T, r *reason, cells []*cell) bool {
	t.Helper()
	if r.itself {
		allEnd(t, cells, time.Now())
	}
	for _, c := range cells {
		if !c.ear.ended() {
			continue
		}
		for _, e := range m.ends(t, c) {
			if e.End == audit.EndLost {
				t.Logf("%s was lost on a busy machine: %s", c.brief.name, e.Detail)
				return true
			}
		}
	}
	return false
}

// run opens streams, ends them for the reason, and looks at each.
func (m *matrix) run(t *testing.T, r reason, group string, paces ...brief) {
	t.Helper()
	if group == "busy" {
		m.busy <- struct{}{}
		defer func() { <-m.busy }()
	}
	cells := m.flowing(t, &r, group, paces...)
	for n := 0; n < 3 && m.hung(t, &r, cells); n++ {
		r.name += " again"
		cells = m.flowing(t, &r, group, paces...)
	}
	due := r.strike(t, m, group, cells)
	for _, c := range cells {
		t.Run(paceName(c.brief)+"/"+c.kind.name, func(t *testing.T) {
			select {
			case <-c.ear.done:
			case <-time.After(patience):
				t.Fatalf("%s does not end", c.brief.name)
			}
			m.ended(t, &r, c, due(c))
		})
	}
	if r.end != audit.EndShutdown {
		testenv.Wait(t, "the register to have forgotten them", func() bool { return m.lives(t, r.name+", "+group+", ") == 0 })
	}
}

// late is by how much a stream may end after it is due, on a busy machine. The
// promise is a second.
const late = 5 * time.Second

// ended holds the end of a stream to its reason.
func (m *matrix) ended(t *testing.T, r *reason, c *cell, due time.Time) {
	t.Helper()
	after := c.ear.at.Sub(due)
	t.Logf("%s after %d bytes: %v", after.Round(time.Millisecond), c.ear.got.Load(), c.ear.err)
	if early := 400 * time.Millisecond; after > late || after < -early && r.end == audit.EndExpired {
		t.Errorf("it ended %s after it was due", after)
	}
	c.said(t, r.code, due)
	for _, e := range m.ends(t, c) {
		c.counts(t, e)
		if e.End != r.end {
			t.Errorf("the record says it ended as %q (%s), want %q", e.End, e.Detail, r.end)
		}
		if e.Duration <= 0 || e.Duration > c.ear.at.Sub(c.begun)+late {
			t.Errorf("the record says it lasted %s, want %s", e.Duration, c.ear.at.Sub(c.begun))
		}
	}
}

// said looks at what the client was told at the end.
func (c *cell) said(t *testing.T, code string, due time.Time) {
	t.Helper()
	said := strings.Contains(c.ear.tail, string(c.word)) && strings.Contains(c.ear.tail, code)
	switch {
	case code == "" || c.word == wordNone:
		if c.ear.err == nil && !c.bare {
			t.Errorf("it ended as if it were whole, with %q", c.ear.tail)
		}
	case !said && (c.ear.err != nil || c.bare) && (c.pace == paceBusy || c.pace == paceShare): // there was no place for a word
	case !said && (c.ear.err != nil || c.bare) && code == "expired" && !c.ear.at.Before(due): // Envoy was first, for the guard had no time
	case !said || c.ear.err != nil:
		t.Errorf("it ended by %v with %q", c.ear.err, c.ear.tail[max(0, len(c.ear.tail)-200):])
	}
}

// recorded is the end of a hop with its beginning.
type recorded struct {
	begin audit.Record
	audit.Record
}

// ends waits for the records of the ends of a stream's hops.
func (m *matrix) ends(t *testing.T, c *cell) []recorded {
	t.Helper()
	var out []recorded
	testenv.Wait(t, "the record of the end of "+c.brief.name, func() bool {
		out = m.endsNow(t, c.brief.name)
		return len(out) >= c.hops()
	})
	if len(out) != c.hops() {
		t.Errorf("%d ends are recorded, want %d", len(out), c.hops())
	}
	return out
}

// endsNow are those of a transaction that are recorded by now.
func (m *matrix) endsNow(t *testing.T, txn string) []recorded {
	t.Helper()
	var out []recorded
	begins := map[audit.HopID]audit.Record{}
	for _, r := range m.Records(t) {
		switch {
		case r.Txn != txn:
		case r.Kind == audit.KindBegin:
			begins[r.Hop] = r
		case r.Kind == audit.KindEnd:
			out = append(out, recorded{begins[r.Hop], r})
		}
	}
	return out
}

// counts holds the bytes of the record to what the client knows: exactly, but
// where it may have been cut off from what was on its way.
func (c *cell) counts(t *testing.T, e recorded) {
	t.Helper()
	if c.hops() == 2 && e.begin.Method == http.MethodConnect {
		return // its bytes are those of what is inside, and heads
	}
	sent, came := c.live.sent(), c.live.came()
	exact := c.pace == paceIdle || c.pace == paceDone
	if e.BytesIn != sent || exact && e.BytesOut != came || e.BytesOut < came {
		t.Errorf("the record says that %d bytes were sent and %d came, want %d and %d", e.BytesIn, e.BytesOut, sent, came)
	}
}

// TestStreamMatrix has each kind of stream ended for each reason, as it is
// idle, as it flows, as it is busy, and when its client has ended what it
// sends, which is no end of the stream.
func TestStreamMatrix(t *testing.T) {
	t.Parallel()
	busy := make(chan struct{}, 1)
	m := newMatrix(t, busy, nil)
	for _, r := range reasons() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			t.Run("quiet", func(t *testing.T) { t.Parallel(); m.run(t, r, "quiet", idle(), flowing(), halfClosed()) })
			t.Run("busy", func(t *testing.T) { t.Parallel(); m.run(t, r, "busy", brief{pace: r.hurried()}) })
		})
	}
}

// TestStreamMatrixOfCredentials is for a reason that concerns all streams of a
// backend.
func TestStreamMatrixOfCredentials(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, make(chan struct{}, 1), map[string]string{"credentials.yaml": credentials("x-one")})
	m.run(t, credentialChange(), "all", idle(), flowing(), halfClosed(), brief{pace: paceShare})
}

// TestStreamMatrixOfDrain is for the end of the gateway itself.
func TestStreamMatrixOfDrain(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, make(chan struct{}, 1), nil)
	m.run(t, drain(), "all", idle(), flowing(), halfClosed(), brief{pace: paceShare})
}
