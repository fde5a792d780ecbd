package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files")

func someFigures() []figure {
	return []figure{
		newFigure("a/cpu", "alone", 1234.5, micros),
		newFigure("a/p99", "beside", 3, millis).against(1.5),
		newFigure("a/kept", "within", 25, micros).against(10).within(25),
		newFigure("a/broken", "beyond", 25.01, micros).within(25),
		newFigure("a/negative", "less than the baseline's noise", -0.25, micros).within(5),
		newFigure("a/none", "to nothing", 7, count).against(0).within(0),
		newFigure("a/zero", "nothing failed", 0, count).within(0),
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		write func(*bytes.Buffer) error
	}{
		{"table.txt", func(b *bytes.Buffer) error { return writeTable(b, someFigures()) }},
		{"lines.jsonl", func(b *bytes.Buffer) error { return writeLines(b, someFigures()) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			if err := tt.write(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", tt.name)
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestFiguresThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if err := writeTable(full{}, someFigures()); !errors.Is(err, errFull) {
		t.Errorf("writeTable = %v", err)
	}
	if err := writeLines(full{}, someFigures()); !errors.Is(err, errFull) {
		t.Errorf("writeLines = %v", err)
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 1: "1", 0.1234: "0.123", 1.005: "1.00", 9.876: "9.88", 12.345: "12.3", 123.456: "123", 20000: "20000", -1.5: "-1.50",
	} {
		if got := plain(v); got != want {
			t.Errorf("plain(%v) = %q, want %q", v, got, want)
		}
	}
}
