package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/internal/testcorpus"
	"github.com/hopgate/hopgate/internal/testenv"
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
	if host, ok := strings.CutPrefix(s.Follow, "udp "); ok {
		to = "https://" + host + "/" // of UDP a proxy carries nothing
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

// again is a second request, after whatever the first one led to.
func (a *agentOf) again(first came) came {
	if !first.through() {
		return first
	}
	return a.send()
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
	var open net.Conn
	switch s.Tunnel {
	case "connect", "websocket", "sse", "keepalive":
		c, err := a.open()
		if err != nil {
			t.Errorf("%s: open the tunnel: %v", a.row.ID, err)
			return "", "no tunnel"
		}
		open = c
		defer open.Close()
	case "new connection by IP":
		row := *a.row
		row.Target = net.JoinHostPort(testcorpus.PublicAddress().String(), "443")
		a.row = &row
	}
	undo, err := x.happen(t, a, f)
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
	if a.row.Setup.Event == "other rule edited" {
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

// happen makes the row's event happen, waits until it is in force, and gives
// what makes it undone.
func (x *trial) happen(t *testing.T, a *agentOf, f *fixture) (undo func(), err error) {
	s := &a.row.Setup
	exit, revert := f.exit, func() {}
	switch {
	case s.Event == "rule removed" || s.Event == "name removed":
		x.Write(exit.policyFile(), exit.policy(f.agent))
		revert = func() { x.Write(exit.policyFile(), exit.policy("")) }
	case s.Event == "agent quarantined" || s.State == "quarantined":
		x.Write("quarantine.yaml", quarantineOf(f.agent))
		revert = func() { x.Write("quarantine.yaml", "") }
	case s.Event == "other rule edited":
		probe := *a
		probe.token = x.Token(agent("probe"))
		rule := "- {name: probe, from: {agents: [{name: probe}]}, to: {type: Hosts, hosts: [{names: [allowed.example]}]}, action: Allow}\n"
		x.Write(exit.policyFile(), strings.Replace(exit.policy(""), "  rules:\n", "  rules:\n  "+rule, 1))
		testenv.Wait(t, "the other rule to be in force", probe.opens)
		return func() { x.Write(exit.policyFile(), exit.policy("")) }, nil
	default:
		return nil, fmt.Errorf("nobody makes this happen: %s%s", s.Event, s.State)
	}
	known := *a
	known.row = &testcorpus.Row{Target: "allowed.example:443", SNI: "allowed.example"}
	if s.State != "" {
		known.row.Target = a.row.Target
	}
	testenv.Wait(t, "it to be in force", func() bool { return !known.opens() })
	return func() {
		revert()
		testenv.Wait(t, "it to be undone", known.opens)
	}, nil
}

// opens reports whether a tunnel would be opened.
func (a *agentOf) opens() bool {
	c := a.dial()
	defer c.Close()
	_, err := io.WriteString(c, "CONNECT "+a.row.Target+" HTTP/1.1\r\nHost: x\r\n"+a.auth()+"\r\n")
	return err == nil && hearHead(c.r) == 200
}

func quarantineOf(agent string) string {
	return fmt.Sprintf(`
apiVersion: hopgate.dev/v1alpha1
kind: Quarantine
metadata: {name: %[1]s}
spec: {target: {type: Agent, trustDomainRef: {name: local}, value: %[1]s}, until: %[2]q}
---
`, agent, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}
