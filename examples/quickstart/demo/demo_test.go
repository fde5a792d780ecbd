package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/examples/stage"
	"github.com/hopgate/hopgate/internal/testenv"
)

// TestDemo runs the demo with programs that it builds, on free ports.
func TestDemo(t *testing.T) {
	t.Parallel()
	root := testenv.Root(t)
	envoy := testenv.Envoy(t)
	bin := t.TempDir()
	for _, p := range []string{"cmd/hopgate", "examples/quickstart/agent"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, filepath.Base(p)), "./"+p)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", p, err, out)
		}
	}
	wrapped := filepath.Join(bin, "wrapped")
	script := "#!/bin/sh\nENVOY_PATH='" + envoy + "' exec '" + filepath.Join(bin, "hopgate") + "' \"$@\"\n"
	if err := os.WriteFile(wrapped, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	curls := []string{""}
	if p := findCurl(); p != "" {
		curls = append(curls, p)
	}
	for _, curl := range curls {
		var out bytes.Buffer
		d := demo{
			Options: stage.Options{Hopgate: wrapped, Config: filepath.Join(root, "examples", "quickstart"), FreePorts: true},
			agent:   filepath.Join(bin, "agent"), curlPath: curl, out: &out,
		}
		if err := d.run(t.Context()); err != nil {
			t.Fatalf("curl %q: %v\n%s", curl, err, out.String())
		}
		if want := "verdicts are the expected ones"; !strings.Contains(out.String(), want) {
			t.Errorf("curl %q: it does not say %q:\n%s", curl, want, out.String())
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	want := []expected{allow("Tools", "tools/call", "a"), deny("Hosts", "CONNECT", "b", "no_rule")}
	if err := compare(want, nil, nil); err == nil || strings.Count(err.Error(), "missing") != 2 {
		t.Errorf("nothing was decided, and compare says: %v", err)
	}
	if err := compare(nil, nil, nil); err != nil {
		t.Errorf("nothing was expected, and compare says: %v", err)
	}
}
