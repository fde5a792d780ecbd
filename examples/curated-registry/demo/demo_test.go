package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/examples/stage"
	"github.com/hopgate/hopgate/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDemo runs the demo with a hopgate that it builds, on free ports, with the
// real pip and go.
func TestDemo(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), "python3", "-m", "pip", "--version").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, there is no pip to install by: %v %s", err, out)
	}
	root, envoy, bin := testenv.Root(t), testenv.Envoy(t), t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "hopgate"), "./cmd/hopgate")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build hopgate: %v\n%s", err, out)
	}
	wrapped := filepath.Join(bin, "wrapped")
	script := "#!/bin/sh\nENVOY_PATH='" + envoy + "' exec '" + filepath.Join(bin, "hopgate") + "' \"$@\"\n"
	if err := os.WriteFile(wrapped, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	d := demo{Options: stage.Options{Hopgate: wrapped, Config: filepath.Join(root, "examples", "curated-registry", "config"), FreePorts: true}, out: &out}
	if err := d.run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	shown := out.String()
	for _, s := range d.scenes() {
		if !strings.Contains(shown, ". "+s.title+"\n") || s.code != "" && !strings.Contains(shown, "denied: "+s.code) {
			t.Errorf("it does not show %q", s.title)
		}
	}
	if strings.Contains(shown, d.token) || !strings.Contains(shown, "allow artifact packages.example") {
		t.Errorf("it shows the token, or not what was fetched:\n%s", shown)
	}
	t.Log(shown)
}

// The page says what there is to see.
func TestReadmeNamesEachScene(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	scenes := (&demo{}).scenes()
	for _, s := range scenes {
		if strings.Count(string(page), "\n| "+s.title+" | ") != 1 {
			t.Errorf("README.md has no row for: %s", s.title)
		}
	}
	if rows := strings.Count(string(page), "\n| "); rows != len(scenes)+2 {
		t.Errorf("README.md has %d rows, and there are %d scenes", rows, len(scenes))
	}
}
