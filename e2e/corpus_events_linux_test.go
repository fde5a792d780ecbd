package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/internal/testcorpus"
)

// clientTrust is what agents believe.
func (x *trial) clientTrust() *tls.Config { return &tls.Config{RootCAs: x.ca} }

// followed goes where an answer leads, as a client does: a redirect is handed
// to it as it is, and the next request is a hop of its own.
func (x *trial) followed(t *testing.T, a *agentOf, got came) (verdict, note string) {
	s := &a.row.Setup
	if !got.through() {
		return testcorpus.Deny, "the first request is denied"
	}
	if s.Status != 0 && (got.status != s.Status || got.location != s.Location) {
		t.Errorf("%s: answer %d to %q, want %d to %q as it was said", a.row.ID, got.status, got.location, s.Status, s.Location)
	}
	to := s.Location
	if s.Follow != "" { // of UDP a proxy carries nothing
		to = "https://" + strings.TrimPrefix(s.Follow, "udp ") + "/"
	}
	before := x.world.try(nil)
	next, err := a.follow(to)
	if err != nil {
		t.Errorf("%s: %v", a.row.ID, err)
	}
	row := *a.row
	row.Expect = testcorpus.Deny
	return x.seen(t, &row, next, x.world.since(before))
}

// again is a second request. Where it is to be denied it is tried until what
// names lead to has been asked anew.
func (x *trial) again(t *testing.T, a *agentOf) (verdict, note string) {
	var before int
	var got came
	a.comes(t, "the names to be asked anew", func() bool {
		before = x.world.try(a.row)
		got = a.send()
		return a.row.Expect == testcorpus.Allow || !got.through()
	})
	return x.seen(t, a.row, got, x.world.since(before))
}

// changes reports whether something is to happen before the row is judged.
func changes(r *testcorpus.Row) bool { return r.Setup.Event != "" || r.Setup.State != "" }

// later has something happen, to a tunnel that is open where the row has one,
// and to the next attempt where it has none.
func (x *trial) later(t *testing.T, a *agentOf, f *fixture) (verdict, note string) {
	s := &a.row.Setup
	if s.Event == "no role" {
		a.token = x.Token(agent("nobody"))
		return x.seen(t, a.row, a.send(), nil)
	}
	a.token = x.Token(agent(f.agent), a.change())
	known := *a
	var open net.Conn
	switch s.Tunnel {
	case "":
	case "new connection by IP":
		row := *a.row
		row.Target = net.JoinHostPort(testcorpus.PublicAddress().String(), "443")
		a.row = &row
	default: // of whatever kind: what is in it is TLS, and passes unread
		c, err := a.open()
		for range busy {
			if err == nil {
				break
			}
			c, err = a.open()
		}
		if err != nil {
			t.Errorf("%s: open the tunnel: %v", a.row.ID, err)
			return "", "no tunnel"
		}
		open = c
		defer open.Close()
	}
	undo, err := x.happen(t, &known, f)
	if err != nil {
		return "", err.Error()
	}
	defer undo()
	if open != nil {
		return a.lives(open)
	}
	before := x.world.try(a.row)
	return x.seen(t, a.row, a.send(), x.world.since(before))
}

// open opens a tunnel with TLS in it.
func (a *agentOf) open() (net.Conn, error) {
	c := a.dial()
	if _, err := io.WriteString(c, "CONNECT "+a.row.Target+" HTTP/1.1\r\nHost: x\r\n"+a.auth()+"\r\n"); err != nil {
		return nil, err
	}
	if got := hearHead(c.r); got != 200 {
		return nil, fmt.Errorf("answer %d", got)
	}
	s := tls.Client(c, &tls.Config{ServerName: a.row.SNI, InsecureSkipVerify: true})
	return s, s.HandshakeContext(a.t.Context())
}

// hearHead reads the head of an answer; 0: there is none.
func hearHead(r *bufio.Reader) int {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0
	}
	var status int
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &status); err != nil {
		return 0
	}
	for line != "\r\n" {
		if line, err = r.ReadString('\n'); err != nil {
			return 0
		}
	}
	return status
}

// lives reports whether a tunnel outlives what has happened. That it is cut is
// waited for; that it lives is seen by a request in it.
func (a *agentOf) lives(c net.Conn) (verdict, note string) {
	if a.row.Expect == testcorpus.Allow {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+a.row.SNI+"\r\n\r\n"); err != nil {
			return testcorpus.Deny, err.Error()
		}
		if got := hearFrom(bufio.NewReader(c), "GET"); got.through() {
			return testcorpus.Allow, "it answers"
		}
		return testcorpus.Deny, "no answer"
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return testcorpus.Deny, err.Error()
	}
	if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return testcorpus.Allow, "it is still open"
	}
	return testcorpus.Deny, "it was cut"
}

// happen makes the row's event happen, waits until it is in force for what the
// row began with, and gives what makes it undone.
func (x *trial) happen(t *testing.T, a *agentOf, f *fixture) (undo func(), err error) {
	exit, event := f.exit, a.row.Setup.Event+a.row.Setup.State
	if a.row.Client != testcorpus.Connect {
		return nil, fmt.Errorf("nobody makes this happen to a row by %s: %s", a.row.Client, event)
	}
	host, _, _ := strings.Cut(a.row.Target, ":")
	own := "from: {agents: [{name: " + f.agent + "}]}, to: {type: Hosts, hosts: [{names: [" + strconv.Quote(host) + "]"
	revert := func() { x.Write(exit.policyFile(), exit.policy("")) }
	switch word := func(w string) bool { return strings.Contains(event, w) }; {
	case strings.HasPrefix(event, "other ") || word("rule added") && !word("deny"):
		return x.meanwhile(t, a, f, word("quarantined")), nil
	case word("rule removed") || word("name removed") || word("no policy") || word("not loaded"):
		x.Write(exit.policyFile(), exit.policy(f.agent))
	case word("deny"):
		x.Write(exit.policyFile(), exit.with("{name: shut, "+own+"}]}, action: Deny}", ""))
	case word("narrowed") || word("port"):
		x.Write(exit.policyFile(), exit.with("{name: narrow, "+own+", ports: [8443]}]}, action: Allow}", f.agent))
	case word("quarantined"):
		x.Write("quarantine.yaml", quarantineOf("Agent", f.agent))
		revert = func() { x.lift(t) }
	case word("revoked"):
		x.Write("quarantine.yaml", quarantineOf("Transaction", a.transaction()))
		revert = func() { x.lift(t) }
	case word("expired"): // the token's time is short, and nothing else happens
		return func() {}, nil
	default:
		return nil, fmt.Errorf("nobody makes this happen: %s", event)
	}
	a.comes(t, "it to be in force", a.shut)
	return func() {
		revert()
		a.comes(t, "it to be undone", a.opens)
	}, nil
}

// meanwhile has something happen to somebody else: a rule of his is added, and
// he is cut off by it again, or by a Quarantine.
func (x *trial) meanwhile(t *testing.T, a *agentOf, f *fixture, cut bool) (undo func()) {
	probe := *a
	probe.token, probe.row = x.Token(agent("probe")), &testcorpus.Row{Target: "allowed.example:443"}
	x.Write(f.exit.policyFile(), f.exit.with("{name: probe, from: {agents: [{name: probe}]}, to: {type: Hosts, hosts: [{names: [allowed.example]}]}, action: Allow}", ""))
	a.comes(t, "the other rule to be in force", probe.opens)
	if cut {
		x.Write("quarantine.yaml", quarantineOf("Agent", "probe"))
		a.comes(t, "the other agent to be cut off", probe.shut)
	}
	if a.row.Setup.Event == "other rule removed" {
		x.Write(f.exit.policyFile(), f.exit.policy(""))
		a.comes(t, "the other rule to be gone", probe.shut)
	}
	return func() {
		if cut {
			x.lift(t)
		}
		x.Write(f.exit.policyFile(), f.exit.policy(""))
		a.comes(t, "the other rule to be undone", probe.shut)
	}
}

// comes waits for a condition. Where it does not come the row has failed, and
// the others are tried all the same.
func (a *agentOf) comes(t *testing.T, what string, ok func() bool) {
	until := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(until) {
			t.Errorf("%s: waited %s for %s", a.row.ID, patience, what)
			return
		}
		<-tick.C
	}
}

// lift removes the Quarantine: an empty file is taken for one that is being
// written.
func (x *trial) lift(t *testing.T) {
	if err := os.Remove(filepath.Join(x.Files, "quarantine.yaml")); err != nil {
		t.Error(err)
	}
}

// with has one more rule than the exit's, but for those of an agent.
func (x *exit) with(rule, without string) string {
	return strings.Replace(x.policy(without), "  rules:\n", "  rules:\n  - "+rule+"\n", 1)
}

// soon is how long a token lives that is to run out.
const soon = 5 * time.Second

// transaction is that of the agent's token, where the row is about one.
func (a *agentOf) transaction() string { return "txn-" + a.row.ID }

// change is what is special about the token of the row.
func (a *agentOf) change() func(*token.Params) {
	return func(p *token.Params) {
		switch {
		case strings.Contains(a.row.Setup.Event, "revoked"):
			p.Txn = a.transaction()
		case strings.Contains(a.row.Setup.Event, "expired"):
			p.Lifetime = soon
		}
	}
}

// opens reports whether a tunnel would be opened, shut whether it is refused. A
// machine that is too busy does neither.
func (a *agentOf) opens() bool { return a.asked() == http.StatusOK }

func (a *agentOf) shut() bool {
	got := a.asked()
	return got >= 400 && got < 500
}

// asked is the answer to a CONNECT; 0: there is none.
func (a *agentOf) asked() int {
	c := a.dial()
	defer c.Close()
	if _, err := io.WriteString(c, "CONNECT "+a.row.Target+" HTTP/1.1\r\nHost: x\r\n"+a.auth()+"\r\n"); err != nil {
		return 0
	}
	return hearHead(c.r)
}

func quarantineOf(kind, value string) string {
	return fmt.Sprintf(`
apiVersion: hopgate.dev/v1alpha1
kind: Quarantine
metadata: {name: %[2]s}
spec: {target: {type: %[1]s, trustDomainRef: {namespace: default, name: local}, value: %[2]s}, until: %[3]q}
---
`, kind, value, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}
