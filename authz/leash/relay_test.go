package leash

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	procfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// goneOn is what Envoy hears first on a relay: no word could be put into an
// answer that is encoded.
const goneOn = "go on without accept-encoding"

// openingRelay is what Envoy says first where the answer's body comes too.
func openingRelay(hop string) *procv3.ProcessingRequest {
	m := opening(hop)
	m.ProtocolConfig.ResponseBodyMode = procfilterv3.ProcessingMode_FULL_DUPLEX_STREAMED
	return m
}

// headers are those of an answer: names and values in turn.
func headers(kv ...string) *procv3.ProcessingRequest {
	h := &procv3.HttpHeaders{Headers: &corev3.HeaderMap{}}
	for i := 0; i < len(kv); i += 2 {
		h.Headers.Headers = append(h.Headers.Headers, &corev3.HeaderValue{Key: kv[i], RawValue: []byte(kv[i+1])})
	}
	return &procv3.ProcessingRequest{Request: &procv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: h}}
}

func piece(b string, end bool) *procv3.ProcessingRequest {
	return &procv3.ProcessingRequest{Request: &procv3.ProcessingRequest_ResponseBody{ResponseBody: &procv3.HttpBody{Body: []byte(b), EndOfStream: end}}}
}

// seen is the view of a message.
func seen(t *testing.T, m *procv3.ProcessingRequest) *said {
	t.Helper()
	var v said
	if err := v.ReadProto(wired(m)); err != nil {
		t.Fatal(err)
	}
	return &v
}

func events() *procv3.ProcessingRequest {
	return headers(":status", "200", "content-type", "text/event-stream; charset=utf-8")
}

// enterRelay enters a hop whose answer is carried.
func (r *rig) enterRelay(t *testing.T, n int, until time.Duration, upgrade bool) *Hop {
	t.Helper()
	h := &Hop{ID: idOf(n), Held: true, Relay: true, Upgrade: upgrade}
	if until > 0 {
		h.Until = time.Now().Add(until)
	}
	if err := r.Enter(h); err != nil {
		t.Fatal(err)
	}
	return h
}

// relayed is a relay that is open, after Envoy has said these.
func (r *rig) relayed(t *testing.T, hop *Hop, said ...*procv3.ProcessingRequest) *hold {
	t.Helper()
	h := r.hold(t, verdict(""), openingRelay(hop.ID.String()))
	synctest.Wait()
	for _, m := range said {
		h.says <- m
		synctest.Wait()
	}
	return h
}

func revoked() Cut { return Cut{Code: "revoked", Detail: wire.DetailRevoked} }

// TestRelayPassesOn: bytes come out as they came in, trailers are answered,
// and nothing is said that nobody asked for.
func TestRelayPassesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enterRelay(t, 1, time.Hour, false)
		h := r.relayed(t, hop, headers(":status", "200", "content-type", "application/json"), piece("{", false), piece("}", true), trailers(),
			&procv3.ProcessingRequest{Request: &procv3.ProcessingRequest_RequestBody{RequestBody: &procv3.HttpBody{}}})
		h.want(t, goneOn, "headers", `"{"`, `"}" end`)
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
		r.Logged(hop.ID, Logged{Details: "via_upstream", Status: 200})
		r.wantEnds(t, audit.EndDone)
	})
}

func TestRelayAnswersTrailers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		h := r.relayed(t, r.enterRelay(t, 1, time.Hour, false), events(), piece("data: a\n\n", false), trailers())
		h.want(t, goneOn, "headers", `"data: a\n\n"`, "trailers")
		if !h.open() {
			t.Error("trailers ended the relay")
		}
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
	})
}

// TestRelayEnds: with a word where there is a place for one, with an answer
// where there has been none, or else by a reset.
func TestRelayEnds(t *testing.T) {
	t.Parallel()
	reset := "403 hop_revoked revoked content-type=text/plain"
	for _, tt := range []struct {
		name    string
		upgrade bool
		before  []*procv3.ProcessingRequest
		after   []*procv3.ProcessingRequest
		want    []string
	}{
		{"before an answer", false, nil, nil, []string{goneOn, reset}},
		{
			"an answer that is no stream", false,
			[]*procv3.ProcessingRequest{headers(":status", "200", "content-type", "application/json"), piece("{", false)},
			nil,
			[]string{goneOn, "headers", `"{"`, reset},
		},
		{
			"events that are encoded", false,
			[]*procv3.ProcessingRequest{headers("content-type", "text/event-stream", "content-encoding", "gzip"), piece("\x1f", false)},
			nil,
			[]string{goneOn, "headers", `"\x1f"`, reset},
		},
		{
			"events before the first", false,
			[]*procv3.ProcessingRequest{events()},
			[]*procv3.ProcessingRequest{piece("data: a\n\n", false)},
			[]string{goneOn, "headers", `"data: revoked\n\n" end hop_revoked`},
		},
		{
			"events that have not begun", false,
			[]*procv3.ProcessingRequest{events()},
			nil,
			[]string{goneOn, "headers", reset},
		},
		{
			"a WebSocket that has said nothing", true,
			[]*procv3.ProcessingRequest{headers(":status", "101")},
			nil,
			[]string{goneOn, "headers", reset},
		},
		{
			"events between two", false,
			[]*procv3.ProcessingRequest{events(), piece("data: a\n\n", false)},
			nil,
			[]string{goneOn, "headers", `"data: a\n\n"`, `"data: revoked\n\n" end hop_revoked`},
		},
		{
			"events within one", false,
			[]*procv3.ProcessingRequest{events(), piece("data: a", false)},
			[]*procv3.ProcessingRequest{piece("b\n\ndata: c\n\n", false)},
			[]string{goneOn, "headers", `"data: a"`, `"b\n\ndata: revoked\n\n" end hop_revoked`},
		},
		{
			"an event that does not end", false,
			[]*procv3.ProcessingRequest{events(), piece("data: a", false)},
			[]*procv3.ProcessingRequest{piece("b", false), piece("c", false)},
			[]string{goneOn, "headers", `"data: a"`, `"b"`, `"c"`, reset},
		},
		{
			"a WebSocket", true,
			[]*procv3.ProcessingRequest{headers(":status", "101"), piece("\x81\x01a", false)},
			nil,
			[]string{goneOn, "headers", `"\x81\x01a"`, `"\x88\x13\x03\xf0ended for revoked" end hop_revoked`},
		},
		{
			"a WebSocket over HTTP/2, within a frame", true,
			[]*procv3.ProcessingRequest{headers(":status", "200"), piece("\x81\x03a", false)},
			[]*procv3.ProcessingRequest{piece("bc\x81\x01d", false)},
			[]string{goneOn, "headers", `"\x81\x03a"`, `"bc\x88\x13\x03\xf0ended for revoked" end hop_revoked`},
		},
		{
			"an upgrade that was refused", true,
			[]*procv3.ProcessingRequest{headers(":status", "400", "content-type", "text/plain"), piece("no", false)},
			nil,
			[]string{goneOn, "headers", `"no"`, reset},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				hop := r.enterRelay(t, 1, time.Hour, tt.upgrade)
				h := r.relayed(t, hop, tt.before...)
				if !r.Cut(hop.ID, revoked()) {
					t.Error("there was nothing to cut")
				}
				synctest.Wait()
				for _, m := range tt.after {
					h.says <- m
					synctest.Wait()
				}
				time.Sleep(wordGrace)
				h.want(t, tt.want...)
				h.says <- piece("data: late\n\n", false)
				h.says <- trailers()
				time.Sleep(time.Hour)
				h.want(t, tt.want...)
				if !h.open() {
					t.Error("the relay ended before Envoy has read the end")
				}
				if err := h.close(); err != nil {
					t.Errorf("Process = %v", err)
				}
				r.Logged(hop.ID, Logged{Details: "via_upstream", Status: 200})
				r.wantEnds(t, audit.EndRevoked)
			})
		})
	}
}

// TestAnswerThatEndsFirst needs no word: it is whole.
func TestAnswerThatEndsFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enterRelay(t, 1, 0, false)
		h := r.relayed(t, hop, events(), piece("data: a", false))
		r.Cut(hop.ID, revoked())
		synctest.Wait()
		h.says <- piece("\n\n", true)
		h.want(t, goneOn, "headers", `"data: a"`, `"\n\n" end`)
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
		time.Sleep(time.Hour)
		h.want(t, goneOn, "headers", `"data: a"`, `"\n\n" end`)
	})
}

// TestRelayEndsAtExpiry by our own timer, with a word just before it.
func TestRelayEndsAtExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enterRelay(t, 1, 3*time.Second, false)
		h := r.relayed(t, hop, events(), piece("data: a\n\n", false))
		time.Sleep(3*time.Second - wordLead - time.Millisecond)
		h.want(t, goneOn, "headers", `"data: a\n\n"`)
		time.Sleep(time.Millisecond)
		h.want(t, goneOn, "headers", `"data: a\n\n"`, `"data: expired\n\n" end hop_expired`)
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
		r.Logged(hop.ID, Logged{Details: "via_upstream", Status: 200})
		r.wantEnds(t, audit.EndExpired)
	})
}

// TestRelayIsJudgedAgain: the backend never sees the request.
func TestRelayIsJudgedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enterRelay(t, 1, time.Hour, false)
		h := r.hold(t, verdict("rule_denied"), openingRelay(hop.ID.String()))
		h.want(t, "403 hop_refused rule_denied content-type=text/plain")
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
		r.Logged(hop.ID, Logged{Details: wire.DetailRefused, Status: 403})
		r.wantEnds(t, audit.EndRefused)
	})
}

// TestALeashWhereARelayWasOrdered opens nothing: a word would have no way out.
func TestALeashWhereARelayWasOrdered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enterRelay(t, 1, time.Hour, false)
		h := r.hold(t, verdict(""), opening(hop.ID.String()))
		h.want(t, "404 hop_refused hop_unknown content-type=text/plain")
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
		time.Sleep(10 * time.Second)
		r.wantEnds(t, audit.EndHoldMissing)
	})
}

// TestRelayEndsWithEnvoy and leaves no timer behind.
func TestRelayEndsWithEnvoy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		hop := r.enterRelay(t, 1, time.Hour, false)
		h := r.relayed(t, hop, events(), piece("data: a", false))
		r.Cut(hop.ID, revoked())
		synctest.Wait()
		if err := h.close(); err != nil {
			t.Errorf("Process = %v", err)
		}
		time.Sleep(time.Hour)
		h.want(t, goneOn, "headers", `"data: a"`)
		r.wantEnds(t, audit.EndRevoked)
	})
}

// TestRelayThatCannotBeSaid: a client that does not read keeps no hop alive.
func TestRelayThatCannotBeSaid(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	hop := r.enterRelay(t, 1, time.Hour, false)
	stuck := &stuckEnvoy{envoy: newEnvoy(t), free: make(chan struct{}), sending: make(chan struct{}, 1)}
	for _, m := range []*procv3.ProcessingRequest{openingRelay(hop.ID.String()), events(), piece("data: "+strings.Repeat("x", 100)+"\n\n", false)} {
		stuck.says <- m
	}
	ended := make(chan error, 1)
	go func() {
		ended <- NewHolder(r.Register, verdict(""), plainWords{}, slog.New(slog.DiscardHandler)).Process(stuck)
	}()
	<-stuck.sending
	begun := time.Now()
	r.Cut(hop.ID, revoked())
	// An orderly end would let the hop go on.
	if err := <-ended; status.Code(err) != codes.PermissionDenied {
		t.Errorf("Process = %v, want an error that breaks the hop off", err)
	}
	if d := time.Since(begun); d < 2*wordGrace || d > 20*wordGrace {
		t.Errorf("it was broken off after %s, want %s", d, 2*wordGrace)
	}
	if _, ok := r.Live(hop.ID); ok {
		t.Error("the hop lives on")
	}
	close(stuck.free)
	close(stuck.says)
}

// stuckEnvoy takes no body.
type stuckEnvoy struct {
	*envoy
	free, sending chan struct{}
}

func (s *stuckEnvoy) SendMsg(m any) error {
	if unwired(m).GetResponseBody() != nil {
		s.sending <- struct{}{}
		<-s.free
		return context.Canceled
	}
	return s.envoy.SendMsg(m)
}

// TestRelayWarns in a stream that goes on, between two events.
func TestRelayWarns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		e := newEnvoy(t)
		rel := newRelay(&side{stream: e, phrases: newPhrases()}, r.Register, plainWords{})
		say := func(m *procv3.ProcessingRequest) {
			t.Helper()
			if err := rel.message(seen(t, m)); err != nil {
				t.Fatal(err)
			}
		}
		rel.hop = r.enterRelay(t, 1, 0, false)
		rel.Warn(Last{Data: []byte("early")})
		say(events())
		say(piece("data: a", false))
		say(piece("\n\ndata: b\n\n", false))
		rel.Warn(Last{Data: []byte("soon")})
		rel.Warn(Last{})
		say(piece("data: c\n\n", true))
		rel.Warn(Last{Data: []byte("late")})
		(&hold{envoy: e}).want(t, "headers", `"data: a"`, `"\n\ndata: b\n\n"`, `"data: early\n\n"`, `"data: soon\n\n"`, `"data: c\n\n" end`)
		r.Logged(rel.hop.ID, Logged{ClientLeft: true})
	})
}

func TestRelayDoesNotWarnOnASocket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		e := newEnvoy(t)
		rel := newRelay(&side{stream: e, phrases: newPhrases()}, r.Register, plainWords{})
		rel.hop = r.enterRelay(t, 1, 0, true)
		if err := rel.message(seen(t, headers(":status", "101"))); err != nil {
			t.Fatal(err)
		}
		rel.Warn(Last{Data: []byte("soon"), Text: "soon"})
		(&hold{envoy: e}).want(t, "headers")
		r.Logged(rel.hop.ID, Logged{ClientLeft: true})
	})
}
