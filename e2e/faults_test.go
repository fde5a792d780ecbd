package e2e

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/internal/testenv"
)

// opened has a stream of each kind flow, silent and not.
func (m *matrix) opened(t *testing.T, name string) []*cell {
	t.Helper()
	return m.openedWhere(t, name, false)
}

// openedWhere is opened; routed: only what has a route.
func (m *matrix) openedWhere(t *testing.T, name string, routed bool) []*cell {
	t.Helper()
	return m.open(t, &reason{name: name, routed: routed, token: by("worker")}, "faults", idle(), flowing())
}

// allEnd waits until streams have ended, and says how long after a moment the
// last of them did.
func allEnd(t *testing.T, cells []*cell, since time.Time) time.Duration {
	t.Helper()
	var last time.Duration
	for _, c := range cells {
		select {
		case <-c.ear.done:
			last = max(last, c.ear.at.Sub(since))
		case <-time.After(patience):
			t.Fatalf("%s goes on", c.brief.name)
		}
	}
	return last
}

// heldAll proves that each stream is held: ordered to end, it ends.
func (m *matrix) heldAll(t *testing.T, cells []*cell) {
	t.Helper()
	for _, c := range cells {
		if c.ear.ended() {
			t.Errorf("%s ended before it was to: %v", c.brief.name, c.ear.err)
		}
		done, at := order(t, m, admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: c.brief.name})
		if done.Ended != c.hops() {
			t.Errorf("%s: %d streams are said to have ended, want %d", c.brief.name, done.Ended, c.hops())
		}
		if after := allEnd(t, []*cell{c}, at); after > late {
			t.Errorf("%s ended %s after the order", c.brief.name, after)
		}
	}
	m.none(t)
}

// unhurt is how often something is tried until the machine has time for it.
const unhurt = 3

// holds proves that what is new is held; routed: what has a route.
func (m *matrix) holds(t *testing.T, name string, routed bool) {
	t.Helper()
	cells := m.openedWhere(t, name, routed)
	for n := 0; n < unhurt && m.hung(t, &reason{}, cells); n++ {
		name += " again"
		cells = m.openedWhere(t, name, routed)
	}
	m.heldAll(t, cells)
}

// none waits until nothing lives.
func (m *matrix) none(t *testing.T) {
	t.Helper()
	testenv.Wait(t, "the register to be empty", func() bool { return m.lives(t, "") == 0 })
}

// endedBy waits for the ends of streams, of which each must be one of these.
func (m *matrix) endedBy(t *testing.T, cells []*cell, want ...audit.End) {
	t.Helper()
	for _, c := range cells {
		for _, e := range m.ends(t, c) {
			ok := false
			for _, w := range want {
				ok = ok || e.End == w
			}
			if !ok {
				t.Errorf("%s is recorded as %q (%s), want %q", c.brief.name, e.End, e.Detail, want)
			}
		}
	}
}

// start runs the product in a process of its own.
func (m *matrix) start(t *testing.T) *child {
	t.Helper()
	c := startChild(t, m.Gateway)
	m.reach(t)
	return c
}

// answers are those of each listener to a new hop that leads nowhere: 404 and
// 403 where it is decided.
func (m *matrix) answers(t *testing.T, token string) [2]int {
	t.Helper()
	_, a := tunnel(t, m.Gateway, "elsewhere.example:443", token)
	return [2]int{get(t, m.Gateway, "/nowhere", token).status, a.status}
}

// TestFaultKilled: a gateway that is killed takes every stream with it; the
// next one begins with an empty register, knows what was ordered, and holds
// what is new.
func TestFaultKilled(t *testing.T) {
	t.Parallel()
	m := prepareMatrix(t, nil, nil)
	c := m.start(t)
	before := m.opened(t, "before")
	cut := m.Token(audience(domain), txn("cut off"))
	order(t, m, admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: "cut off"})
	killed := time.Now()
	c.kill(t)
	t.Logf("all streams ended %s after the gateway was killed", allEnd(t, before, killed))
	testenv.Wait(t, "Envoy to end with its parent", func() bool { return !alive(c.envoy) })
	if serves(m.HTTP) || serves(m.Proxy) {
		t.Error("somebody serves without a gateway")
	}
	m.start(t)
	m.endedBy(t, before, audit.EndLost)
	if a := get(t, m.Gateway, "/page/long", cut); !strings.Contains(a.body, `"revoked"`) {
		t.Errorf("an order does not hold after a restart: %d %s", a.status, a.body)
	}
	m.none(t)
	m.holds(t, "after", false)
}

const (
	// hungWithin is by when a guard that hangs is found: keepalive has a second
	// to ask and a second to be answered.
	hungWithin = 2 * time.Second
	// hungSlack is what a busy machine may add to it.
	hungSlack = 1500 * time.Millisecond
)

// TestFaultHung: a guard that hangs is found by keepalive; every stream ends
// and nothing new begins, until it is back.
func TestFaultHung(t *testing.T) {
	t.Parallel()
	m := prepareMatrix(t, nil, nil)
	c := m.start(t)
	before := m.opened(t, "before")
	token := by("worker")(m, "faults", "meanwhile")
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	after := allEnd(t, before, time.Now())
	t.Logf("all streams ended %s after the guard hung", after)
	if after > hungWithin+hungSlack {
		t.Errorf("the last stream ended %s after the guard hung, want %s", after, hungWithin)
	}
	if got := m.answers(t, token); got != [2]int{503, 503} {
		t.Errorf("without a guard the answers are %d", got)
	}
	if !alive(c.envoy) {
		t.Error("Envoy has gone")
	}
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	m.none(t)
	testenv.Wait(t, "new hops to pass", func() bool { return get(t, m.Gateway, "/nowhere", token).status == http.StatusNotFound })
	for _, c := range before {
		for _, e := range m.ends(t, c) {
			if e.End != audit.EndLost {
				t.Errorf("%s is recorded as %q (%s)", c.brief.name, e.End, e.Detail)
			}
		}
	}
	m.holds(t, "after", false)
}

// withoutSocket is a gateway whose socket was removed as streams lived.
func withoutSocket(t *testing.T) (*matrix, []*cell) {
	t.Helper()
	m := newMatrix(t, nil, nil)
	before := m.opened(t, "before")
	if err := os.Remove(m.Socket()); err != nil {
		t.Fatal(err)
	}
	if m.Ready() {
		t.Error("a gateway whose Envoy cannot ask is ready")
	}
	return m, before
}

// TestFaultSocketRemoved: what lives goes on, and what is new is decided and
// held by the connections that are there, or closed; but the gateway is not ready, and an
// Envoy that starts anew lets nothing through.
func TestFaultSocketRemoved(t *testing.T) {
	t.Parallel()
	m, before := withoutSocket(t)
	for n := 0; n < unhurt && m.hung(t, &reason{}, before); n++ {
		m, before = withoutSocket(t) // a guard that hung is not found again without its socket
	}
	if got := m.answers(t, by("worker")(m, "faults", "meanwhile")); got != [2]int{404, 403} {
		t.Errorf("what is new is answered %d", got)
	}
	m.heldAll(t, before)
	// What a tunnel begins with is read by a connection of its own, which each
	// worker of Envoy has when it has read one: without it, it is closed.
	m.holds(t, "meanwhile", true)
	first := m.Envoy().PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "another Envoy", func() bool { return m.Envoy().PID() != first && m.Envoy().PID() != 0 })
	testenv.Wait(t, "the log to say it", func() bool { return strings.Contains(m.Log.String(), "removed the guard's socket") })
	if m.Ready() || serves(m.HTTP) || serves(m.Proxy) {
		t.Error("an Envoy that cannot ask serves")
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	m.Launch()
	testenv.Wait(t, "the gateway to be ready again", m.Ready)
	m.reach(t)
	m.holds(t, "after", false)
}

// TestFaultEnvoyKilled: what was open has an end in the record, and another
// Envoy takes its place, whose streams are held.
func TestFaultEnvoyKilled(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, nil, nil)
	before := m.opened(t, "before")
	first := m.Envoy().PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Logf("all streams ended %s after Envoy was killed", allEnd(t, before, time.Now()))
	testenv.Wait(t, "another Envoy", func() bool { return m.Envoy().PID() != first && m.Envoy().PID() != 0 && m.Ready() })
	m.endedBy(t, before, audit.EndLost)
	m.none(t)
	m.holds(t, "after", false)
}
