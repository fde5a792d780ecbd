package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const logPath = "audit.jsonl"

var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func testPub() ed25519.PublicKey { return testKey.Public().(ed25519.PublicKey) }

// testTime is a fixed clock that moves by a millisecond a look.
func testTime() func() time.Time {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var looks atomic.Int64
	return func() time.Time { return start.Add(time.Duration(looks.Add(1)) * time.Millisecond) }
}

// testConfig has no timers that fire by themselves, and no chance in it.
func testConfig() Config {
	return Config{
		Path: logPath, Key: testKey, Version: "test", Now: testTime(),
		Rand:               bytes.NewReader(bytes.Repeat([]byte{0xab}, 16)),
		CheckpointInterval: time.Hour, Linger: -1,
	}
}

func hop(n int) (h HopID) {
	binary.BigEndian.PutUint64(h[8:], uint64(n))
	return h
}

func begin(n int) Record {
	return Record{Kind: KindBegin, Hop: hop(n), Txn: "txn-1", Domain: "agents/corp", Verdict: VerdictAllow}
}

func end(n int) Record {
	return Record{Kind: KindEnd, Hop: hop(n), End: EndDone, Duration: time.Millisecond}
}

func change(n int) Record {
	return Record{
		Kind: KindChange, Hop: hop(n), Txn: "txn-1", Domain: "agents/corp", Verdict: VerdictAllow, Policy: "agents/p", Rule: "r",
		Reason: "renewed by a fresher token", Token: TokenID{9}, Expires: time.Date(2026, 3, 1, 12, 20, 0, 0, time.UTC),
		Until: time.Date(2026, 3, 1, 12, 20, 5, 0, time.UTC),
	}
}

func deny(n int) Record {
	return Record{Kind: KindDeny, Hop: hop(n), Txn: "txn-1", Verdict: VerdictDeny, Code: "no_rule"}
}

// typical is what a decision on a tool call looks like.
func typical() Record {
	return Record{
		Kind: KindBegin, Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Hop: hop(1),
		Txn: "0197b2c4-7d1e-7a55-9a51-0b8f6c1d2e3f", Domain: "agents/corp", Subject: "alice@corp.example",
		Agent: "researcher", Actors: []string{"researcher", "planner"}, Peer: "spiffe://corp/ns/agents/sa/researcher",
		Source: netip.MustParseAddrPort("10.0.3.17:48122"), Gateway: "agents/egress", Listener: "agents",
		Route: "agents/github", RouteRule: "#0", Backends: []string{"XBackend/agents/github"}, Surface: "Tools",
		Method: "tools/call", Name: "search_code", Host: "github.agents.local", Port: 8080, Path: "/mcp",
		Verdict: VerdictAllow, Level: "gateway", Policy: "agents/researcher", Rule: "search-code",
		Revision: "5c0f2f6b1a9e4d33", Token: TokenID{1, 2, 3, 4, 5, 6, 7, 8},
		Expires:   time.Date(2026, 3, 1, 12, 15, 0, 0, time.UTC),
		Seen:      []Field{{Name: "args.repo", Value: []byte(`"acme/web"`)}, {Name: "args.limit", Value: []byte(`50`)}},
		RequestID: "4f9b6f0e-3f3c-4f43-9d3a-8f4a5a0f5b0e",
	}
}

// running is an open log whose Run ends with the test.
func running(t testing.TB, cfg Config, d disk) *Log {
	t.Helper()
	l, err := open(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go l.Run(ctx) //nolint:errcheck // read by who looks at Close
	t.Cleanup(func() {
		cancel()
		<-l.ran
	})
	return l
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// written is the text of a log after these records and a clean end.
func written(t testing.TB, cfg Config, records ...Record) (*memDisk, string) {
	t.Helper()
	d := newMemDisk()
	l, err := open(cfg, d)
	must(t, err)
	for _, r := range records {
		must(t, l.Append(r))
	}
	must(t, l.Close())
	return d, d.text(cfg.Path)
}

// split are the lines of a text, newlines included.
func split(text string) []string { return slices.Collect(strings.Lines(text)) }

// decoded are the records of a text.
func decoded(t testing.TB, text string) []Record {
	t.Helper()
	var out []Record
	for _, l := range split(text) {
		r, err := Decode([]byte(l))
		must(t, err)
		out = append(out, r)
	}
	return out
}

// kinds are those of a text's lines, checkpoints left out.
func kinds(t testing.TB, text string) string {
	t.Helper()
	var out []string
	for _, r := range decoded(t, text) {
		if r.Kind != KindCheckpoint {
			out = append(out, string(r.Kind))
		}
	}
	return strings.Join(out, " ")
}

// verified fails unless the text is a good log, or logs in order.
func verified(t testing.TB, texts ...string) Report {
	t.Helper()
	v, err := NewVerifier(testPub())
	must(t, err)
	for _, text := range texts {
		must(t, v.Add("", strings.NewReader(text)))
	}
	r := v.Report()
	if !r.OK() {
		t.Fatalf("not a good log: %+v\n%.4000s", r, strings.Join(texts, "---\n"))
	}
	return r
}
