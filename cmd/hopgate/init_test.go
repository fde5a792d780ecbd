package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func firstPolicy(t *testing.T) string {
	t.Helper()
	raw, err := start.ReadFile("start/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What init writes is good as it is, and says what to do next.
func TestInit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := hopgate(t, dir, "init", "deep/my gateway").want(t, 0)
	golden(t, "init.txt", r.stdout)
	if r.stderr != "" {
		t.Errorf("standard error has %s", r.stderr)
	}
	check := hopgate(t, dir, "check", "-f", "deep/my gateway").want(t, 0)
	golden(t, "init-check.txt", check.stdout)
}

// Everything that is commented out works too, when the # is taken away.
func TestInitWithoutComments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hopgate(t, dir, "init", ".").want(t, 0)
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	commented := regexp.MustCompile(`(?m)^#(  |[a-z-])`)
	for _, f := range files {
		text := read(t, f)
		if !commented.MatchString(text) {
			t.Errorf("%s: nothing is commented out", f)
		}
		write(t, f, commented.ReplaceAllString(text, "$1"))
	}
	r := hopgate(t, dir, "check", "-f", ".").want(t, 0)
	for _, ref := range []string{"Gateway/default/egress", "GatewayConfig/default/egress", "HTTPRoute/default/tools", "AccessPolicy/default/tools"} {
		if !strings.Contains(r.stdout, ref) {
			t.Errorf("no %s in:\n%s", ref, r.stdout)
		}
	}
}

func TestInitNeverWritesOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tc := range []struct {
		name string
		make func(path string) error
	}{
		{"a file", func(p string) error { return os.WriteFile(p, []byte("mine"), 0o600) }},
		{"a link to nothing", func(p string) error { return os.Symlink("nowhere", p) }},
		{"a folder", func(p string) error { return os.Mkdir(p, 0o700) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			folder := filepath.Join(dir, strings.ReplaceAll(tc.name, " ", "-"))
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := tc.make(filepath.Join(folder, "policy.yaml")); err != nil {
				t.Fatal(err)
			}
			r := hopgate(t, dir, "init", folder).want(t, 1)
			if !strings.Contains(r.stderr, "policy.yaml is there already: nothing was written") || r.stdout != "" {
				t.Errorf("it said %s%s", r.stdout, r.stderr)
			}
			left, err := os.ReadDir(folder)
			if err != nil || len(left) != 1 {
				t.Errorf("there is now %v, %v", left, err)
			}
		})
	}
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"my-gateway": "my-gateway", "./a/b_c.d": "./a/b_c.d", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "-x": "'-x'",
		"$(id)": "'$(id)'", "a\nb": "'a\nb'", "~": "'~'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}
