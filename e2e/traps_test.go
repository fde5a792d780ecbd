package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
	"github.com/hopgate/hopgate/internal/testgateway"
)

// forged are headers by which a client would have its stream live for ms, if
// it were believed, or held for one of the house.
func forged(ms string) http.Header {
	h := http.Header{
		"X-Envoy-Internal": {"true"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Envoy-External-Address": {"127.0.0.1"},
		"X-Envoy-Upstream-Rq-Timeout-Ms": {"300"}, "X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms": {"300"}, "X-Hop-Hold": {"none"},
	}
	for v := range strings.SplitSeq(ms, "|") {
		h.Add(wire.HeaderDeadline, v)
	}
	return h
}

// TestForgedDeadlines: nothing that a client sends sets, removes, shortens or
// lengthens the deadline of its stream, wherever it enters.
func TestForgedDeadlines(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, nil, nil)
	for _, ms := range []string{"300", "1", "0", "-1", "abc", "300.5", "600000", "18446744073709551616", "300|600000"} {
		for _, in := range []struct {
			name string
			open func(t *testing.T, h http.Header, token string) io.Reader
		}{
			{"a route", m.forgedRoute(client1)},
			{"a route over HTTP2", m.forgedRoute(client2)},
			{"absolute form", m.forgedProxy},
			{"a tunnel", m.forgedTunnel},
			{"inside a tunnel", m.forgedInside},
		} {
			name := ms + " in " + in.name
			begun := time.Now()
			end := begin(in.open(t, forged(ms), m.Token(audience(domain), txn(name), agent("bounded-quiet"))))
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				e := <-end
				if after := e.at.Sub(begun.Add(boundedMax)); e.bytes == 0 || after < -400*time.Millisecond || after > late {
					t.Errorf("after %d bytes it ended %s after its time: %v", e.bytes, after, e.err)
				}
				last := m.Recorded(t, "its end", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Txn == name })
				if last.End != audit.EndExpired {
					t.Errorf("it is recorded as %q (%s)", last.End, last.Detail)
				}
			})
		}
	}
}

// flows is a brief in headers.
func flows(h http.Header) http.Header {
	brief{name: "forged", pace: paceTicks}.put(h)
	return h
}

func (m *matrix) forgedRoute(client func(testing.TB) *http.Client) func(*testing.T, http.Header, string) io.Reader {
	return func(t *testing.T, h http.Header, token string) io.Reader {
		r := request(t, "GET", m.URL("/page/long"), token, "")
		maps.Copy(r.Header, flows(h))
		return body(t, client(t), r)
	}
}

// headerLines are headers as they are on the wire.
func headerLines(h http.Header) string {
	var b strings.Builder
	_ = h.Write(&b) // a builder takes all
	return b.String()
}

func (m *matrix) forgedProxy(t *testing.T, h http.Header, token string) io.Reader {
	w := dial(t, m.Proxy)
	w.say(t, "GET http://site.example:"+m.stage.site.port()+"/long HTTP/1.1\r\nHost: x\r\n"+headerLines(flows(h))+proxyAuth(token)+"\r\n")
	return w.hear(t, "GET").Body
}

func (m *matrix) forgedTunnel(t *testing.T, h http.Header, token string) io.Reader {
	to := "raw.example:" + m.stage.raw.port()
	w, a := tunnelBy(t, m.Gateway, "CONNECT "+to+" HTTP/1.1\r\nHost: "+to+"\r\n"+headerLines(h)+proxyAuth(token)+"\r\n")
	a.want(t, 200, "")
	w.say(t, brief{name: "forged", pace: paceTicks}.line())
	return w
}

func (m *matrix) forgedInside(t *testing.T, h http.Header, token string) io.Reader {
	to := "site.example:" + m.stage.site.port()
	w, a := tunnel(t, m.Gateway, to, token)
	a.want(t, 200, "")
	w.say(t, "GET /long HTTP/1.1\r\nHost: "+to+"\r\n"+headerLines(flows(h))+"\r\n")
	return w.hear(t, "GET").Body
}

// TestNobodyRetries: a retry would begin the deadline anew; a client cannot
// ask for one.
func TestNobodyRetries(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, nil, nil)
	h := http.Header{"X-Envoy-Retry-On": {"5xx,reset,connect-failure,gateway-error,refused-stream"}, "X-Envoy-Max-Retries": {"5"}, "X-Envoy-Hedge-On-Per-Try-Timeout": {"true"}}
	brief{name: "again", pace: paceReset}.put(h)
	m.stage.goOn("again")
	c := call{method: "GET", path: "/page/poll", token: m.Token(audience(domain)), header: map[string]string{}}
	for name := range h {
		c.header[name] = h.Get(name)
	}
	c.do(t, m.Gateway).want(t, 503, "backend_unavailable")
	if n := len(m.stage.site.requests()); n != 1 {
		t.Errorf("the backend was asked %d times", n)
	}
}

// TestEarlyData: what a client sends behind a CONNECT before it is answered
// gets nowhere that the CONNECT does not.
func TestEarlyData(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, nil, nil)
	to := "raw.example:" + m.stage.raw.port()
	early := func(name, auth string) string {
		return "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n" + auth + "\r\n" + brief{name: name, pace: paceIdle}.line()
	}
	w := dial(t, m.Proxy)
	w.say(t, early("denied", ""))
	read(t, w.hear(t, "CONNECT")).want(t, 407, "token_missing")
	w = dial(t, m.Proxy)
	w.say(t, early("allowed", proxyAuth(m.Token(audience(domain), txn("allowed")))))
	res := w.hear(t, "CONNECT")
	t.Logf("what was allowed is answered %d", res.StatusCode)
	if res.StatusCode == http.StatusOK {
		testenv.Wait(t, "the tunnel to live", func() bool { return m.lives(t, "allowed") == 1 })
		if _, err := io.ReadFull(w, make([]byte, smallMessage)); err != nil {
			t.Error(err)
		}
		order(t, m, admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: "allowed"})
		if b, err := io.ReadAll(w); len(b) != 0 {
			t.Errorf("%d bytes came after the cut: %v", len(b), err)
		}
	}
	m.none(t)
	if said, _ := m.stage.has("denied"); said != 0 {
		t.Error("a backend was reached without a token")
	}
}

// TestStalledClients: a client that does not read keeps nothing alive: its
// backend is let go of soon after the order, whatever waits to be sent.
func TestStalledClients(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, nil, nil)
	for _, k := range kinds() {
		if k.silent {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			name := "stalled " + k.name
			l := k.open(t, m, brief{name: name, pace: paceBusy}, by("worker")(m, "stalled", name))
			m.stage.goOn(name)
			m.stage.blocked(t, name)
			done, at := order(t, m, admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: name})
			if done.Ended == 0 {
				t.Error("nothing is said to have ended")
			}
			testenv.Wait(t, "the backend to be let go of", func() bool { _, over := m.stage.has(name); return over })
			let := time.Since(at)
			t.Logf("the backend is let go of %s after the order", let.Round(time.Millisecond))
			if let > late {
				t.Errorf("the backend is let go of %s after the order", let)
			}
			last := m.Recorded(t, "its end", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Txn == name })
			if last.End != audit.EndRevoked {
				t.Errorf("it is recorded as %q (%s)", last.End, last.Detail)
			}
			l.leave()
		})
	}
	t.Cleanup(func() { testenv.Wait(t, "the register to be empty", func() bool { return m.Guard().Live() == 0 }) })
}

// blocked waits until a backend can send no more.
func (s *stage) blocked(t *testing.T, name string) {
	t.Helper()
	last, since := 0, time.Now()
	testenv.Wait(t, "the backend of "+name+" to be blocked", func() bool {
		said, _ := s.has(name)
		if said != last {
			last, since = said, time.Now()
		}
		return said > enough/2 && time.Since(since) > 300*time.Millisecond
	})
}

// TestHalfCloseByHTTP1: who ends one direction of a connection that became
// another protocol's has left.
func TestHalfCloseByHTTP1(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, nil, nil)
	for _, k := range kinds() {
		if !k.bare || k.name == "tunnel" { // TLS has a goodbye of its own
			continue
		}
		name := "half " + k.name
		l := k.open(t, m, brief{name: name, pace: paceIdle}, by("worker")(m, "half", name))
		e := heed(l)
		testenv.Wait(t, name+" to have begun", func() bool { return e.got.Load() > 0 })
		l.half()
		<-e.done
		testenv.Wait(t, "the backend to see it", func() bool { _, over := m.stage.has(name); return over })
		last := m.Recorded(t, "its end", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Txn == name })
		if last.End != audit.EndClientLeft {
			t.Errorf("%s is recorded as %q (%s)", k.name, last.End, last.Detail)
		}
	}
	m.none(t)
}

// TestRoutesChangeUnderStreams: what is told to Envoy while streams flow
// neither ends them nor takes their hold.
func TestRoutesChangeUnderStreams(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, nil, nil)
	before := m.changed(t, "before")
	for n := 0; n < unhurt && m.hung(t, &reason{}, before); n++ {
		before = m.changed(t, fmt.Sprint("before ", n))
	}
	m.heldAll(t, before)
}

// changed opens streams, and has a route and a listener come and go under them.
func (m *matrix) changed(t *testing.T, name string) []*cell {
	t.Helper()
	before := m.opened(t, name)
	port := testenv.Port(t)
	m.Write("more.yaml", route("more", "page", "/more")+strings.NewReplacer("name: egress}\nspec", "name: other}\nspec", "${PROXY}", fmt.Sprint(testenv.Port(t)), "${HTTP}", fmt.Sprint(port)).Replace(testgateway.Listeners))
	m.stage.goOn("more")
	more := call{method: "GET", path: "/more/x", token: m.Token(audience(domain)), header: map[string]string{headerStream: "more", headerPace: string(paceDone)}}
	testenv.Wait(t, "the route to be served", func() bool { return more.do(t, m.Gateway).status == 200 })
	testenv.Wait(t, "the listener to be served", func() bool { return serves(port) })
	if err := os.Remove(filepath.Join(m.Files, "more.yaml")); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "the route to be gone", func() bool { return more.do(t, m.Gateway).status == 404 })
	testenv.Wait(t, "the listener to be gone", func() bool { return !serves(port) })
	return before
}
