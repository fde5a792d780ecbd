package credential

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secretText = "sk-very-secret"

func key(name string) feedv1.Key { return feedv1.Key{Namespace: "n", Name: name} }

func holder(env map[string]string) (*Holder, *bytes.Buffer) {
	var out bytes.Buffer
	return New(func(k string) string { return env[k] }, slog.New(slog.NewTextHandler(&out, nil))), &out
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	writeFile(t, good, secretText+"\n")
	huge, pipe := filepath.Join(dir, "huge"), filepath.Join(dir, "pipe")
	writeFile(t, huge, strings.Repeat("x", maxSecret+1))
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, want, problem string
		c                   feedv1.Credential
		env                 map[string]string
	}{
		{name: "environment", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": secretText}, want: secretText},
		{name: "prefix", c: feedv1.Credential{Environment: "K", Prefix: "Bearer "}, env: map[string]string{"K": secretText}, want: "Bearer " + secretText},
		{name: "file without its line end", c: feedv1.Credential{File: good}, want: secretText},
		{name: "unset", c: feedv1.Credential{Environment: "K"}, problem: "empty"},
		{name: "no file", c: feedv1.Credential{File: filepath.Join(dir, "none")}, problem: "no such file"},
		{name: "a folder", c: feedv1.Credential{File: dir}, problem: "no regular file"},
		{name: "a pipe", c: feedv1.Credential{File: pipe}, problem: "no regular file"},
		{name: "a device", c: feedv1.Credential{File: os.DevNull}, problem: "no regular file"},
		{name: "a huge file", c: feedv1.Credential{File: huge}, problem: "longer"},
		{name: "as long as it may be", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": strings.Repeat("x", maxSecret)}, want: strings.Repeat("x", maxSecret)},
		{name: "spaces alone", c: feedv1.Credential{Environment: "K", Prefix: "Bearer "}, env: map[string]string{"K": "  "}, problem: "empty"},
		{name: "a line end alone", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": "\r\n"}, problem: "empty"},
		{name: "two line ends", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": "a\n\n"}, problem: "no header"},
		{name: "NUL", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": "a\x00b"}, problem: "no header"},
		{name: "a prefix with a line end", c: feedv1.Credential{Environment: "K", Prefix: "a\r\nx-evil: 1\r\n"}, env: map[string]string{"K": "b"}, problem: "no header"},
		// Envoy takes the values of Check's headers as they are.
		{name: "a formatter's words", c: feedv1.Credential{Environment: "K", Prefix: "%%"}, env: map[string]string{"K": "%REQ(authorization)%"}, want: "%%%REQ(authorization)%"},
		{name: "a second line", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": "a\nx-evil: 1"}, problem: "no header"},
		{name: "not ASCII", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": "pä"}, problem: "no header"},
		{name: "huge", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": strings.Repeat("x", maxSecret+1)}, problem: "longer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h, _ := holder(tc.env)
			tc.c.Key = key("c")
			h.Apply([]feedv1.Credential{tc.c})
			got, ok := h.Get(&tc.c)
			if ok != (tc.problem == "") || got.Reveal() != tc.want {
				t.Errorf("Get = %q, %v", got.Reveal(), ok)
			}
			if err := h.Problem(key("c")); tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)) {
				t.Errorf("Problem = %v, want %q", err, tc.problem)
			}
		})
	}
}

func TestApplyForgets(t *testing.T) {
	t.Parallel()
	h, _ := holder(map[string]string{"K": secretText})
	c := feedv1.Credential{Key: key("c"), Environment: "K"}
	h.Apply([]feedv1.Credential{c})
	h.Apply(nil)
	if _, ok := h.Get(&c); ok {
		t.Error("a Credential that is gone has a secret")
	}
}

// TestOneThatChangedIsAnother: a Credential that was bent to another backend
// must not put the new backend's secret on a request to the old one.
func TestOneThatChangedIsAnother(t *testing.T) {
	t.Parallel()
	old := feedv1.Credential{Key: key("c"), Backend: "XBackend/n/a", Header: "authorization", Environment: "A"}
	for name, change := range map[string]func(*feedv1.Credential){
		"backend": func(c *feedv1.Credential) { c.Backend = "XBackend/n/b" },
		"header":  func(c *feedv1.Credential) { c.Header = "x-api-key" },
		"prefix":  func(c *feedv1.Credential) { c.Prefix = "Bearer " },
		"source":  func(c *feedv1.Credential) { c.Environment = "B" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := holder(map[string]string{"A": "secret-of-a", "B": "secret-of-b"})
			h.Apply([]feedv1.Credential{old})
			next := old
			change(&next)
			h.Apply([]feedv1.Credential{next})
			if s, ok := h.Get(&old); ok {
				t.Errorf("the old one has %q", s.Reveal())
			}
			if _, ok := h.Get(&next); !ok {
				t.Error("the new one has none")
			}
		})
	}
}

func TestAFileIsReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	writeFile(t, path, "old")
	synctest.Test(t, func(t *testing.T) {
		h, out := holder(nil)
		c := feedv1.Credential{Key: key("c"), File: path}
		h.Apply([]feedv1.Credential{c})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go h.Run(ctx)
		writeFile(t, path, "new")
		time.Sleep(2 * every)
		if s, ok := h.Get(&c); !ok || s.Reveal() != "new" {
			t.Errorf("Get = %q, %v after the file changed", s.Reveal(), ok)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * every)
		if _, ok := h.Get(&c); ok {
			t.Error("a secret outlives its file")
		}
		writeFile(t, path, "back")
		time.Sleep(2 * every)
		if s, ok := h.Get(&c); !ok || s.Reveal() != "back" {
			t.Errorf("Get = %q, %v after the file came back", s.Reveal(), ok)
		}
		if n := strings.Count(out.String(), "credential changed"); n != 3 {
			t.Errorf("%d changes are logged, want 3:\n%s", n, out)
		}
		for _, s := range []string{"=new", "=back", "=old"} {
			if strings.Contains(out.String(), s) {
				t.Errorf("the log has the secret:\n%s", out)
			}
		}
	})
}

// TestAReadThatComesLateIsDropped: what was read of a file for a Credential
// that the feed has changed since is not the new one's secret.
func TestAReadThatComesLateIsDropped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	writeFile(t, a, "of-a")
	writeFile(t, b, "of-b")
	h, _ := holder(nil)
	old := feedv1.Credential{Key: key("c"), File: a}
	late := h.load(old)
	next := feedv1.Credential{Key: key("c"), File: b}
	h.Apply([]feedv1.Credential{next})
	h.replace(late)
	if s, ok := h.Get(&next); !ok || s.Reveal() != "of-b" {
		t.Errorf("Get = %q, %v", s.Reveal(), ok)
	}
	h.Apply(nil)
	h.replace(late)
	if _, ok := h.Get(&old); ok {
		t.Error("a late read brought a Credential back")
	}
}

func TestASecretNeverShowsItself(t *testing.T) {
	t.Parallel()
	h, out := holder(map[string]string{"K": secretText})
	c := feedv1.Credential{Key: key("c"), Environment: "K"}
	h.Apply([]feedv1.Credential{c})
	s, _ := h.Get(&c)
	// fmt calls no method of a field that is not exported.
	inside := struct{ s Secret }{s}
	raw, err := json.Marshal(map[string]any{"s": s, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(out, nil))
	log.Info("x", "s", s, "p", &s, "inside", inside, "holder", h)
	all := string(raw) + out.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%c", "%08.3f"} {
		all += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, inside) + fmt.Sprintf(verb, h.entries)
	}
	for _, bad := range []string{secretText, fmt.Sprintf("%x", secretText), fmt.Sprintf("%X", secretText)} {
		if strings.Contains(all, bad) {
			t.Errorf("the secret shows itself: %s", all)
		}
	}
}

func TestTheZeroSecretIsEmpty(t *testing.T) {
	t.Parallel()
	if s := (Secret{}); s.Reveal() != "" || s.String() != "[secret]" {
		t.Errorf("the zero Secret is %q, %q", s.Reveal(), s)
	}
}

// TestProblemsHoldNoSecret: why a secret is refused is written to logs.
func TestProblemsHoldNoSecret(t *testing.T) {
	t.Parallel()
	h, _ := holder(map[string]string{"LINE": secretText + "\nmore", "LONG": strings.Repeat(secretText, maxSecret)})
	for _, env := range []string{"LINE", "LONG"} {
		h.Apply([]feedv1.Credential{{Key: key(env), Environment: env}})
		if err := h.Problem(key(env)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", env, err)
		}
	}
	if err := h.Problem(key("no such")); err != nil {
		t.Errorf("what is not there has the problem %v", err)
	}
}
