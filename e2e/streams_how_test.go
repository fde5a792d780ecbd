package e2e

import (
	"io"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// TestStreamEndsByEnvoyAlone: without a hold it is Envoy's own timer that ends
// a stream, and the guard has no part in it.
func TestStreamEndsByEnvoyAlone(t *testing.T) {
	t.Parallel()
	s := newStreams(t, "streams: {minRemaining: 0s, unleashedMax: 5m}")
	r := request(t, "GET", s.URL("/page/events"), s.token, "")
	r.Header.Set(wire.HeaderDeadline, "600000")
	e := <-begin(body(t, newClient(t), r))
	if late := e.at.Sub(s.ends); e.bytes == 0 || late < -50*time.Millisecond || late > 2*time.Second {
		t.Errorf("after %d bytes it ended %s after the token: %v", e.bytes, late, e.err)
	}
	end := s.endedAs(t, audit.EndExpired, func(r audit.Record) bool { return r.Path == "/page/events" })
	if end.Detail != wire.DetailDeadline {
		t.Errorf("it ended by %q, want %q", end.Detail, wire.DetailDeadline)
	}
}

// TestStreamsThatLiveOn: a model's answer is not broken by the end of the
// token, and a rule can bound a stream more tightly than the token does.
func TestStreamsThatLiveOn(t *testing.T) {
	t.Parallel()
	s := newStreams(t, "streams: {minRemaining: 0s}")
	chat := request(t, "POST", s.URL("/v1/chat/completions"), s.token, `{"model":"m","stream":true,"messages":[]}`)
	model := body(t, newClient(t), chat)
	begun := time.Now()
	e := <-begin(body(t, newClient(t), request(t, "GET", s.URL("/page/bound"), s.Token(audience("short.example")), "")))
	if lived := e.at.Sub(begun); lived < 950*time.Millisecond || lived > 3*time.Second {
		t.Errorf("a stream with max: 1s lived for %s", lived)
	}
	for time.Now().Before(s.ends.Add(500 * time.Millisecond)) {
		if _, err := io.ReadFull(model, make([]byte, 16)); err != nil {
			t.Fatalf("the model's answer broke %s before the token's end: %v", time.Until(s.ends), err)
		}
	}
}

// TestLongPollEnds: a request without an answer yet is answered, in words,
// when its token ends.
func TestLongPollEnds(t *testing.T) {
	t.Parallel()
	s := newStreams(t, "streams: {minRemaining: 0s}")
	res, err := newClient(t).Do(request(t, "GET", s.URL("/page/poll"), s.token, ""))
	if err != nil {
		t.Fatal(err)
	}
	a, late := read(t, res), time.Since(s.ends)
	// By the guard or by Envoy, whose timers run to the same moment.
	a.want(t, 401, "expired")
	if late < -50*time.Millisecond || late > 2*time.Second {
		t.Errorf("it was answered %s after the token", late)
	}
	s.endedAs(t, audit.EndExpired, func(r audit.Record) bool { return r.Path == "/page/poll" })
}
