package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/leash"
)

func TestBytesOf(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{
		0: "0B", 999: "999B", 1000: "1.0kB", 1536: "1.5kB", 99_940: "99.9kB", 99_960: "100kB", 999_499: "999kB", 999_500: "1.0MB",
		5_200_000: "5.2MB", 999_000_000: "999MB", 1<<64 - 1: "18.4EB",
	} {
		if got := bytesOf(n); got != want {
			t.Errorf("bytesOf(%d) = %q, want %q", n, got, want)
		}
	}
}

// TestWriteStreams: what is not known is a dash, and who may renew is told.
func TestWriteStreams(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	in := now.Add
	list := []leash.Stream{
		{
			Hop: "00112233445566778899aabbccddeeff", Agent: "coder", Subject: "alice", Method: "tools/call", Name: "watch_build", Route: "agents/tools", Policy: "agents/p", Rule: "r",
			Lifetime: "TokenExpiry", Since: in(-time.Minute), Until: in(5 * time.Minute), Last: in(5 * time.Minute), BytesIn: 73, BytesOut: 5_200_000, Seen: in(-3 * time.Second),
		},
		{Hop: "01", Method: "CONNECT", Host: "web.example", Port: 443, Lifetime: "Renewable", Since: in(-time.Second), Until: in(10 * time.Second), Last: in(time.Hour)},
		{Hop: "02", Method: "GET", Host: "web.example", Port: 80, Lifetime: "Renewable", Since: now, Until: in(-time.Second), Seen: now},
		{Hop: "03", Method: "GET", Since: now},
	}
	var out strings.Builder
	if err := writeStreams(&out, list, "text", now); err != nil {
		t.Fatal(err)
	}
	want := `HOP       AGENT  SUBJECT  WHAT                                      RULE        AGE   IN   OUT    ENDS IN
00112233  coder  alice    "tools/call watch_build on agents/tools"  agents/p/r  1m0s  73B  5.2MB  5m0s
01        -      -        "CONNECT web.example:443"                 -           1s    -    -      10s, renewable up to 1h0m0s
02        -      -        "GET web.example:80"                      -           0s    0B   0B     0s, renewable
03        -      -        GET                                       -           0s    -    -      -
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("streams are told otherwise (-want +got):\n%s", diff)
	}
	out.Reset()
	if err := writeStreams(&out, list[:2], "json", now); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"bytesIn":73,"bytesOut":5200000,"seen":"2026-05-01T11:59:57Z"`) || strings.Contains(lines[1], `"seen"`) {
		t.Errorf("as JSON they are told as %s", out.String())
	}
	out.Reset()
	if err := writeStreams(&out, nil, "text", now); err != nil || out.String() != "no streams\n" {
		t.Errorf("nothing is told as %q, %v", out.String(), err)
	}
}
