package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/admin"
	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/internal/testenv"
)

// script is what a backend sends: some bytes, and then pieces again and again.
type script struct {
	kind, encoding string
	first          string
	pieces         []string
}

// perform sends a script, on a WebSocket where that is asked for.
func perform(scripts map[string]script) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := scripts[r.Header.Get(headerStream)]
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		var out io.Writer = w
		flush := http.NewResponseController(w).Flush
		if r.Header.Get("Upgrade") != "" {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			go func() {
				defer cancel()
				_, _ = io.Copy(io.Discard, c) // until the client has gone
			}()
			out, flush = c, func() error { return nil }
			s.first = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + s.first
		} else {
			w.Header().Set("Content-Type", s.kind)
			if s.encoding != "" {
				w.Header().Set("Content-Encoding", s.encoding)
			}
		}
		if _, err := io.WriteString(out, s.first); err != nil || flush() != nil {
			return
		}
		n := 0
		tick(ctx, tickEvery, func() error {
			if len(s.pieces) == 0 {
				return nil
			}
			_, err := io.WriteString(out, s.pieces[n%len(s.pieces)])
			n++
			return errors.Join(err, flush())
		})
	}
}

// TestWordsHaveTheirPlace: a last word stands between two events or two frames
// of an answer that is not encoded, or is not said at all.
func TestWordsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	const sse, socket = "text/event-stream", ""
	cases := map[string]struct {
		script
		said bool
	}{
		"between events":              {script{sse, "", "data: one\n\n", nil}, true},
		"after a comment":             {script{sse, "", ": ping\n\n", nil}, true},
		"after an event with CRLF":    {script{sse, "", "data: one\r\n\r\n", nil}, true},
		"before any event":            {script{sse, "", "", nil}, false}, // Envoy takes none before the first
		"in events that come on":      {script{sse, "", "", []string{"da", "ta: one\n", "\n"}}, true},
		"in an event that never ends": {script{sse, "", "data: one", nil}, false},
		"in an event without end":     {script{sse, "", "data: one\n", []string{"data: more\n"}}, false},
		"in a line that has no end":   {script{sse, "", "data: ", []string{"more"}}, false},
		"in gzip":                     {script{sse, "gzip", "data: one\n\n", nil}, false},
		"in what has no encoding":     {script{sse, "identity", "data: one\n\n", nil}, true},
		"in JSON":                     {script{"application/json", "", "{\n\n", nil}, false},
		"between frames":              {script{socket, "", "\x81\x03one", nil}, true},
		"before any frame":            {script{socket, "", "", nil}, false},
		"between fragments":           {script{socket, "", "\x01\x03one", nil}, true},
		"in frames that come on":      {script{socket, "", "", []string{"\x82", "\x03o", "ne"}}, true},
		"in a frame that never ends":  {script{socket, "", "\x82\x7e\x10\x00one", nil}, false},
		"in what are no frames":       {script{socket, "", "\xff\x03one", nil}, false},
		"after a close frame":         {script{socket, "", "\x88\x02\x03\xe8", nil}, false},
	}
	scripts := map[string]script{}
	for name, c := range cases {
		scripts[name] = c.script
	}
	u := newUpstream(t, perform(scripts))
	g := pages(t, u)
	people, err := admin.NewClient(g.State)
	if err != nil {
		t.Fatal(err)
	}
	m := &matrix{Gateway: g, admin: people}
	for name, c := range cases {
		open := web(client1, "POST", "/mcp", searchCall)
		if c.kind == socket {
			open = socket1
		}
		t.Run(name, func(t *testing.T) {
			e := heed(open(t, m, brief{name: name}, g.Token(txn(name))))
			begun := len(c.first)
			if len(c.pieces) > 0 {
				begun += 10
			}
			testenv.Wait(t, name+" to flow", func() bool { return e.got.Load() >= int64(begun) && m.lives(t, name) == 1 })
			done, err := people.Order(t.Context(), admin.Ask{Verb: contain.VerbRevoke, Kind: contain.KindTxn, Value: name})
			if err != nil || done.Ended != 1 {
				t.Fatalf("%d streams ended, %v", done.Ended, err)
			}
			<-e.done
			last := g.Recorded(t, "its end", func(r audit.Record) bool { return r.Kind == audit.KindEnd && r.Txn == name })
			c.look(t, e.tail, e.err, c.said)
			if last.End != audit.EndRevoked || strings.Contains(last.Detail, "spurious") {
				t.Errorf("it is recorded as %q (%s)", last.End, last.Detail)
			}
		})
	}
	t.Cleanup(func() {
		for _, r := range u.requests() {
			if r.URL.Path == "/mcp" && r.Header.Get("Accept-Encoding") != "" {
				t.Errorf("an answer may be encoded: %q", r.Header.Get("Accept-Encoding"))
			}
		}
	})
}

// look finds the last word at its place, and nowhere else.
func (s *script) look(t *testing.T, tail string, err error, said bool) {
	t.Helper()
	mark := map[bool]string{true: "\x88", false: `"code":"revoked"`}[s.kind == ""]
	before, word, found := strings.Cut(tail, mark)
	if !said {
		if strings.Contains(tail, "revoked") || err == nil && s.kind != "" {
			t.Errorf("it ended by %v with %q", err, tail)
		}
		return
	}
	if !found || err != nil || !strings.Contains(mark+word, "revoked") {
		t.Errorf("it ended by %v with %q", err, tail)
	}
	if s.kind == "" {
		// Of a long answer the tail alone is kept.
		if rest := frameRest(before[max(0, strings.Index(before, "\x82\x03one")):]); rest != 0 {
			t.Errorf("the word stands %d bytes before the end of a frame: %q", rest, tail)
		}
		return
	}
	// The event of the word begins at the last blank line before it.
	before = strings.ReplaceAll(before, "\r\n", "\n")
	event := before[strings.LastIndex(before, "\n\n")+1:]
	if strings.Contains(event, "one") {
		t.Errorf("the word is part of another event: %q", tail)
	}
}

// frameRest is how many bytes are missing to the end of small frames.
func frameRest(b string) int {
	for len(b) > 0 {
		if len(b) < 2 {
			return 2 - len(b)
		}
		n := 2 + int(b[1])
		if len(b) < n {
			return n - len(b)
		}
		b = b[n:]
	}
	return 0
}
