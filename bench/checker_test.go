package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testenv"
)

// open runs a role in this process.
func open(t *testing.T, name string) (*checker, *asker) {
	t.Helper()
	dir := testenv.ShortDir(t)
	feed, question, err := checkInput()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, feedFile), feed, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := newChecker(spec{Role: name, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	c.admit(os.Getpid())
	a, err := newAsker(dir, question)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.close() })
	return c, a
}

// Every role says OK to the question, and hops are in the register until
// Envoy's log ends them.
func TestRolesAnswer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{roleGuard, roleBlind, roleDecoding} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, a := open(t, name)
			const n = 120
			v, err := a.ask(t.Context(), n, 8)
			if err != nil {
				t.Fatal(err)
			}
			want := 0
			if name == roleGuard {
				want = n
			}
			if got := c.report().Live; got != want {
				t.Fatalf("%d hops live, want %d", got, want)
			}
			if name != roleGuard {
				return
			}
			if err := a.end(t.Context(), v); err != nil {
				t.Fatal(err)
			}
			testenv.Wait(t, "the hops to end", func() bool { return c.report().Live == 0 })
		})
	}
}

// What is denied is an error that says why, and not a fast answer.
func TestDeniedIsAnError(t *testing.T) {
	t.Parallel()
	_, a := open(t, roleGuard)
	q, err := question("another_tool", "x.y.z", time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	a.question = encoded{q}
	if _, err := a.ask(t.Context(), 3, 2); err == nil || !strings.Contains(err.Error(), "denied") || !strings.Contains(err.Error(), "token_malformed") {
		t.Errorf("ask = %v, want the denial", err)
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer []byte
		want   string // a part of the error; empty: none
	}{
		{"ok", []byte{0x0a, 0, 0x1a, 0}, ""},
		{"ok alone", []byte{0x1a, 0}, ""},
		{"denied", []byte{0x0a, 0, 0x12, 0}, "denied"},
		{"nothing", nil, "denied"},
		{"cut off", []byte{0x0a}, "unexpected EOF"},
	} {
		if err := allowed(tt.answer); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestHopOfNone(t *testing.T) {
	t.Parallel()
	if id, err := hopOf([]byte{0x1a, 0}); err == nil {
		t.Errorf("an answer without a hop has hop %q", id)
	}
}

// The question is what Envoy would ask: the guard reads all of it.
func TestQuestion(t *testing.T) {
	t.Parallel()
	raw, err := question("search", "the.token.itself", time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	var r check.Request
	if err := r.Read(raw); err != nil {
		t.Fatal(err)
	}
	target, err := wire.ParseTarget(r.Target)
	if err != nil {
		t.Fatal(err)
	}
	if r.Method != "POST" || r.Path != "/mcp" || r.Source.Address != "127.0.0.1" || target.Surface != "Tools" ||
		r.Header(check.HeaderTxnToken).Value != "the.token.itself" || string(r.Body) != string(callOf("search")) {
		t.Errorf("read %+v", r)
	}
}
