package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests, or this program: a run starts itself for its parts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		os.Exit(run())
	}
	goleak.VerifyTestMain(m)
}

// A quick run measures what it says, and writes the same to both places.
func TestQuickRun(t *testing.T) {
	t.Parallel()
	results := filepath.Join(t.TempDir(), "results.jsonl")
	var table, told bytes.Buffer
	o := options{only: "check", quick: true, seconds: 1, out: results}
	if err := measure(t.Context(), o, &table, &told); err != nil {
		t.Fatalf("%v\n%s", err, told.String())
	}
	raw, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(table.String()), "\n")[1:]
	var names []string
	for line := range bytes.Lines(raw) {
		var f figure
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		names = append(names, f.Name)
	}
	if len(rows) != len(names) {
		t.Fatalf("%d rows and %d lines", len(rows), len(names))
	}
	for i, n := range names {
		if !strings.HasPrefix(rows[i], n+" ") {
			t.Errorf("row %q, line of %s", rows[i], n)
		}
	}
	for _, want := range []string{"check/1/p50", "check/64/cpu", "check/64/allocs", "check/added-cpu", "check/added-p99", "check/end-cpu"} {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+want+" ") {
			t.Errorf("no figure %s in %v", want, names)
		}
	}
}

// A strict run whose cuts take too long prints its figures, and fails.
func TestStrict(t *testing.T) {
	t.Parallel()
	figures := []figure{newFigure("streams/10/relay/cut-one-p99", "", 51, millis).within(50)}
	for _, tt := range []struct{ args, want string }{
		{"-only streams", ""},
		{"-only streams -strict", "over budget: streams/10/relay/cut-one-p99 is 51 ms, of 50"},
	} {
		o, err := parse(strings.Fields(tt.args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var table, lines bytes.Buffer
		got := ""
		if err := o.conclude(&table, &lines, figures); err != nil {
			got = err.Error()
		}
		if name := figures[0].Name; got != tt.want || !strings.Contains(table.String(), name) || !strings.Contains(lines.String(), name) {
			t.Errorf("%s: %q, want %q, after\n%s%s", tt.args, got, tt.want, table.String(), lines.String())
		}
	}
}

// A run that cannot write its results says so before it measures.
func TestNoResultsNoRun(t *testing.T) {
	t.Parallel()
	o := options{only: "check", quick: true, seconds: 1, out: filepath.Join(t.TempDir(), "none", "results.jsonl")}
	if err := measure(t.Context(), o, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "keep results") {
		t.Errorf("measure = %v, want an error about the results", err)
	}
}

// An interrupted run says that alone, and leaves nothing behind it.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := options{only: "check", quick: true, seconds: 1, out: filepath.Join(t.TempDir(), "results.jsonl")}
	if err := measure(ctx, o, io.Discard, io.Discard); err == nil || err.Error() != "interrupted" {
		t.Errorf("measure = %v", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, args, want string // want: a part of the error; empty: none
	}{
		{"nothing", "", ""},
		{"two parts", "-only check,verify", ""},
		{"a part that is not there", "-only checks", `no part "checks"`},
		{"one of two", "-only check,", `no part ""`},
		{"no time", "-seconds 0", "above 0"},
		{"less than no time", "-seconds -1", "above 0"},
		{"no number", "-seconds x", "invalid value"},
		{"not a number", "-seconds NaN", "above 0"},
		{"an argument", "check", "flags alone"},
		{"an unknown flag", "-x", "not defined"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(strings.Fields(tt.args), io.Discard)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parse(%q) = %v, want %q", tt.args, err, tt.want)
			}
		})
	}
}

// Parts run in their own order, whatever the order they are named in.
func TestChoose(t *testing.T) {
	t.Parallel()
	parts, err := choose("routes,check")
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 2 || parts[0].name != "check" || parts[1].name != "routes" {
		t.Errorf("got %v", parts)
	}
	all, err := choose("")
	if err != nil || len(all) != len(partNames()) {
		t.Errorf("choose nothing = %v, %v", all, err)
	}
}
