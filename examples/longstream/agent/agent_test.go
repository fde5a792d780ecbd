package agent

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve is a world that answers by h, and an agent in it.
func serve(t *testing.T, h http.Handler) *Agent {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); s.CloseClientConnections(); s.Close() })
	return &Agent{Base: s.Listener.Addr().String(), Token: "a token"}
}

const (
	progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{}}`
	word     = `{"jsonrpc":"2.0","id":1,"error":{"code":-32043,"message":"m","data":{"code":"revoked","retry":"never"}}}`
)

func events(w http.ResponseWriter, data ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range data {
		fmt.Fprintf(w, "event: message\ndata: %s\n\n", d)
	}
	_ = http.NewResponseController(w).Flush() // who asked has gone
}

// TestWatch tells the ends of a tool's stream apart.
func TestWatch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		h    http.HandlerFunc
		want Heard
	}{
		{"a word, and a clean end", func(w http.ResponseWriter, _ *http.Request) { events(w, progress, progress, word) }, Heard{Pieces: 2, Last: word, How: Clean}},
		{"a clean end without a word", func(w http.ResponseWriter, _ *http.Request) { events(w, progress) }, Heard{Pieces: 1, Last: progress, How: Clean}},
		{"a reset", func(w http.ResponseWriter, _ *http.Request) { events(w, progress); panic(http.ErrAbortHandler) }, Heard{Pieces: 1, Last: progress, How: Broken}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, err := serve(t, tc.h).Watch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ended(t, s, tc.want)
		})
	}
}

// ended compares what was heard by the end of a stream.
func ended(t *testing.T, s *Stream, want Heard) {
	t.Helper()
	h, err := s.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.At.IsZero() || (h.Err != nil) != (want.How == Broken) {
		t.Errorf("it ended at %s: %v", h.At, h.Err)
	}
	h.At, h.Err = want.At, nil
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFollow tells the ends of a WebSocket apart.
func TestFollow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, bytes string
		want        Heard
	}{
		{"a close frame", "\x81\x02hi\x88\x06\x03\xf0bye!", Heard{Pieces: 1, Last: "hi", How: Closed, Status: 1008, Reason: "bye!"}},
		{"a close frame that says nothing", "\x88\x00", Heard{How: Closed}},
		{"a ping on the way", "\x89\x00\x81\x02hi\x88\x02\x03\xe8", Heard{Pieces: 1, Last: "hi", How: Closed, Status: 1000}},
		{"a reset", "\x81\x02hi", Heard{Pieces: 1, Last: "hi", How: Broken}},
		{"half a message", "\x81\x09half", Heard{How: Broken}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { upgraded(w, r, tc.bytes) }))
			s, err := a.Follow(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ended(t, s, tc.want)
		})
	}
}

// upgraded answers as a WebSocket (RFC 6455 section 4.2.2), writes bytes, and
// ends the connection.
func upgraded(w http.ResponseWriter, r *http.Request, bytes string) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n%s",
		base64.StdEncoding.EncodeToString(sum[:]), bytes)
}

// TestLeave is an end that the agent wants.
func TestLeave(t *testing.T) {
	t.Parallel()
	a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		events(w, progress)
		<-r.Context().Done()
	}))
	s, err := a.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !s.Wait(t.Context(), 1) || s.Heard().How != "" {
		t.Errorf("it does not live: %+v", s.Heard())
	}
	s.Leave()
	ended(t, s, Heard{Pieces: 1, Last: progress, How: Left})
	if s.Wait(t.Context(), 2) {
		t.Error("more came after its end")
	}
}

// TestWaitEnds with what it was given.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		events(w, progress)
		<-r.Context().Done()
	}))
	s, err := a.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Leave()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s.Wait(ctx, 2) {
		t.Error("one event is two")
	}
	if _, err := s.End(ctx); err == nil {
		t.Error("it has ended")
	}
}

// TestRead tells an answer from a refusal, in the words of either protocol.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body string
		status     int
		want       error
	}{
		{"an answer", "nothing new\n", 200, nil},
		{"a problem", `{"status":403,"code":"no_rule","retry":"never"}`, 403, Refusal{403, "no_rule", "never"}},
		{"a JSON-RPC error", word, 403, Refusal{403, "revoked", "never"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var token string
			a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				token = r.Header.Get("Txn-Token")
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			}))
			text, err := a.Read(t.Context())
			if !errors.Is(err, tc.want) || (err == nil && text != strings.TrimSpace(tc.body)) {
				t.Errorf("%q, %v, want %v", text, err, tc.want)
			}
			if token != "a token" {
				t.Errorf("it came with %q", token)
			}
		})
	}
}
