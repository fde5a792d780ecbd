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
		{name: "a folder", c: feedv1.Credential{File: dir}, problem: "is a directory"},
		{name: "a second line", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": "a\nx-evil: 1"}, problem: "no header"},
		{name: "not ASCII", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": "pä"}, problem: "no header"},
		{name: "huge", c: feedv1.Credential{Environment: "K"}, env: map[string]string{"K": strings.Repeat("x", maxSecret+1)}, problem: "longer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h, _ := holder(tc.env)
			tc.c.Key = key("c")
			h.Apply([]feedv1.Credential{tc.c})
			got, ok := h.Get(key("c"))
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
	h.Apply([]feedv1.Credential{{Key: key("c"), Environment: "K"}})
	h.Apply(nil)
	if _, ok := h.Get(key("c")); ok {
		t.Error("a Credential that is gone has a secret")
	}
}

func TestAFileIsReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	writeFile(t, path, "old")
	synctest.Test(t, func(t *testing.T) {
		h, _ := holder(nil)
		h.Apply([]feedv1.Credential{{Key: key("c"), File: path}})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go h.Run(ctx)
		writeFile(t, path, "new")
		time.Sleep(2 * every)
		if s, ok := h.Get(key("c")); !ok || s.Reveal() != "new" {
			t.Errorf("Get = %q, %v after the file changed", s.Reveal(), ok)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * every)
		if _, ok := h.Get(key("c")); ok {
			t.Error("a secret outlives its file")
		}
	})
}

func TestASecretNeverShowsItself(t *testing.T) {
	t.Parallel()
	h, out := holder(map[string]string{"K": secretText})
	h.Apply([]feedv1.Credential{{Key: key("c"), Environment: "K"}})
	s, _ := h.Get(key("c"))
	raw, err := json.Marshal(map[string]any{"s": s, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(out, nil)).Info("x", "s", s, "p", &s)
	all := string(raw) + out.String() + fmt.Sprintf("%v %+v %#v %s %q %v", s, s, s, s, s, &s)
	if strings.Contains(all, secretText) {
		t.Errorf("the secret shows itself: %s", all)
	}
}
