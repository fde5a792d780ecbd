package h2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"

	"github.com/hopgate/hopgate/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server of HTTP/2 in cleartext, and dials it.
func serve(t *testing.T, h http.HandlerFunc) *Conn {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	c, err := Dial(t.Context(), s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		s.CloseClientConnections()
		s.Close()
	})
	return c
}

func start(t *testing.T, c *Conn, r *Request) *Stream {
	t.Helper()
	r.Authority = "h2.example"
	s, err := c.Start(r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHowStreamsEnd(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/teapot":
			w.WriteHeader(http.StatusTeapot)
		case "/reset":
			_, _ = io.WriteString(w, "some")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.Header.Get("x-name"), body)
		}
	})
	for _, tt := range []struct {
		name string
		r    Request
		want End
	}{
		{
			"an answer",
			Request{Method: "POST", Path: "/", Header: [][2]string{{"x-name", "v"}}, Body: []byte("text"), Keep: 4},
			End{How: HowEnded, Status: 200, Bytes: 22, Tail: "text"},
		},
		{"no body", Request{Method: "GET", Path: "/teapot", Keep: 4}, End{How: HowEnded, Status: 418}},
		{"nothing is kept", Request{Method: "GET", Path: "/"}, End{How: HowEnded, Status: 200, Bytes: 16}},
		{"a reset", Request{Method: "GET", Path: "/reset", Keep: 9}, End{How: HowReset, Code: http2.ErrCodeInternal, Status: 200, Bytes: 4, Tail: "some"}},
	} {
		got := start(t, c, &tt.r).End()
		if got.At.IsZero() {
			t.Errorf("%s: no time", tt.name)
		}
		got.At = tt.want.At
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// More flows than any first window, on a stream and on the connection.
func TestManyBytes(t *testing.T) {
	t.Parallel()
	const size = 5 << 20
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), size)) })
	for range 3 {
		if e := start(t, c, &Request{Method: "GET", Path: "/"}).End(); e.Bytes != size || e.How != HowEnded {
			t.Fatalf("%+v, want %d bytes", e, size)
		}
	}
}

// An open request is written piece by piece, and left or ended.
func TestOpen(t *testing.T) {
	t.Parallel()
	left := make(chan struct{}, 1)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		if _, err := io.Copy(flushed{w}, r.Body); err != nil {
			left <- struct{}{}
		}
	})
	s := start(t, c, &Request{Method: "POST", Path: "/", Open: true, Keep: 64})
	<-s.Begun()
	if s.Status() != http.StatusOK {
		t.Fatalf("status %d", s.Status())
	}
	for _, piece := range []string{"one ", "two"} {
		if _, err := io.WriteString(s, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if e := s.End(); e.Tail != "one two" || e.How != HowEnded {
		t.Errorf("%+v", e)
	}
	if _, err := s.Write([]byte("x")); err == nil {
		t.Error("what is over can be written to")
	}
	s.Cancel()
	if e := s.End(); e.How != HowEnded {
		t.Errorf("what has ended was left: %+v", e)
	}

	s = start(t, c, &Request{Method: "POST", Path: "/", Open: true})
	if _, err := io.WriteString(s, "x"); err != nil {
		t.Fatal(err)
	}
	testenv.Wait(t, "the echo", func() bool { return s.Bytes() == 1 })
	s.Cancel()
	if e := s.End(); e.How != HowLeft || e.Bytes != 1 {
		t.Errorf("%+v", e)
	}
	<-left
}

// flushed sends each piece at once.
type flushed struct{ http.ResponseWriter }

func (f flushed) Write(b []byte) (int, error) {
	n, err := f.ResponseWriter.Write(b)
	_ = http.NewResponseController(f.ResponseWriter).Flush()
	return n, err
}

// What lives on a connection ends with it, and nothing begins any more.
func TestLost(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	s := start(t, c, &Request{Method: "GET", Path: "/"})
	<-s.Begun()
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	if e := s.End(); e.How != HowLost {
		t.Errorf("%+v", e)
	}
	<-gone
	<-c.done
	if _, err := c.Start(&Request{Method: "GET", Path: "/"}); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("Start = %v", err)
	}
}
