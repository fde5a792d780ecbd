package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/examples/longstream/agent"
	"github.com/hopgate/hopgate/examples/stage"
	"github.com/hopgate/hopgate/internal/testenv"
)

var update = flag.Bool("update", false, "write what is shown to testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDemo runs the demo with a hopgate that it builds, on free ports, and
// compares what is shown.
func TestDemo(t *testing.T) {
	t.Parallel()
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
	d := demo{Options: stage.Options{Hopgate: wrapped, Config: filepath.Join(root, "examples", "longstream", "config"), FreePorts: true}, out: &out}
	if err := d.run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	golden, got := filepath.Join("testdata", "shown.txt"), masked(out.String())
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("it shows something else (-want +got):\n%s", diff)
	}
}

// masked is what is shown without what is another each time: times, sizes,
// ports, random names, and the width of columns.
func masked(text string) string {
	for _, m := range []struct{ found, instead string }{
		{`\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b|(?m)^( +)[0-9a-f]{8}\b`, "${1}ID"},
		{`(\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(Z| UTC)`, "TIME"},
		{`127\.0\.0\.1:\d+`, "HOST"},
		{`\d+ ms (before|after) the token`, "N ms around the token"},
		{`\d+ (ms|events|messages)\b`, "N $1"},
		{`\b(\d+m)?\d+(\.\d+)?m?s\b`, "LONG"},
		{`\b\d+(\.\d+)?k?B\b`, "SIZE"},
		{`([^ \n]) {2,}`, "$1 "},
		{` +\n`, "\n"},
		{`LONG (-|SIZE) (-|SIZE) LONG`, "LONG COUNT COUNT LONG"}, // none before the stream has lived for ten seconds
	} {
		text = regexp.MustCompile(m.found).ReplaceAllString(text, m.instead)
	}
	return text
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

// An end that is not the expected one is told apart from one that is.
func TestDiffers(t *testing.T) {
	t.Parallel()
	const word = `{"jsonrpc":"2.0","id":1,"error":{"code":-32043,"message":"m","data":{"code":"revoked","retry":"never"}}}`
	for _, tc := range []struct {
		name string
		h    agent.Heard
		ok   bool
	}{
		{"a word and a clean end", agent.Heard{How: agent.Clean, Last: word}, true},
		{"a word and a reset", agent.Heard{How: agent.Broken, Last: word, Err: os.ErrDeadlineExceeded}, false},
		{"no word", agent.Heard{How: agent.Clean, Last: `{"jsonrpc":"2.0","method":"notifications/progress"}`}, false},
		{"the word of another request", agent.Heard{How: agent.Clean, Last: strings.Replace(word, `"id":1`, `"id":2`, 1)}, false},
		{"another reason", agent.Heard{How: agent.Clean, Last: strings.Replace(word, "revoked", "expired", 1)}, false},
		{"another code", agent.Heard{How: agent.Clean, Last: strings.Replace(word, "-32043", "-32000", 1)}, false},
		{"a close frame", agent.Heard{How: agent.Closed, Status: 1008, Reason: "revoked: m"}, true},
		{"a close frame of another status", agent.Heard{How: agent.Closed, Status: 1000, Reason: "revoked: m"}, false},
		{"a close frame that says nothing", agent.Heard{How: agent.Closed, Status: 1008}, false},
		{"it lives", agent.Heard{Last: word}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if err := differs(&tc.h, told{"revoked", "never"}); (err == nil) != tc.ok {
				t.Errorf("differs: %v", err)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	at, err := expiry("e30.eyJleHAiOjE3MDB9.c2ln")
	if err != nil || !at.Equal(time.Unix(1700, 0)) {
		t.Errorf("expiry: %s, %v", at, err)
	}
	if _, err := expiry("no token"); err == nil {
		t.Error("what is no token has an expiry")
	}
}
