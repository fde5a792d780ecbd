package process

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestSplitLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, line, component, text string
		level                       slog.Level
	}{
		{"warning", "W|misc|a|b", "misc", "a|b", slog.LevelWarn},
		{"info", "I|main|started", "main", "started", slog.LevelInfo},
		{"critical", "C|main|no", "main", "no", slog.LevelError},
		{"debug", "D|http|headers", "http", "headers", slog.LevelDebug},
		{"a crash", "Caught Segmentation fault", "", "Caught Segmentation fault", slog.LevelWarn},
		{"odd level", "X|a|b", "", "X|a|b", slog.LevelWarn},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			level, component, text := splitLine(tc.line)
			if level != tc.level || component != tc.component || text != tc.text {
				t.Errorf("splitLine = %v %q %q", level, component, text)
			}
		})
	}
}

func TestFoldLogSurvivesLongLines(t *testing.T) {
	t.Parallel()
	last := &tail{}
	in := "W|a|" + strings.Repeat("x", 3*maxLine) + "\nW|a|after\n"
	foldLog(strings.NewReader(in), slog.New(slog.DiscardHandler), last)
	if got := last.String(); !strings.HasSuffix(got, "\nafter") || len(got) > maxLine+16 {
		t.Errorf("kept %d bytes, ending %q", len(got), got[max(0, len(got)-20):])
	}
}

func TestTailKeepsTheLast(t *testing.T) {
	t.Parallel()
	l := &tail{}
	for range 3 * tailLines {
		l.add("old")
	}
	l.add("new")
	if n := strings.Count(l.String(), "\n"); n != tailLines-1 || !strings.HasSuffix(l.String(), "new") {
		t.Errorf("tail has %d line ends: %q", n, l)
	}
}

// TestOurRangesAreQuiet: Envoy says the same of each, at every start.
func TestOurRangesAreQuiet(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	foldLog(strings.NewReader("W|misc|message is contained in proto file marked as work-in-progress. Beware\nW|misc|another\n"),
		slog.New(slog.NewTextHandler(&out, nil)), &tail{})
	if got := out.String(); strings.Contains(got, "work-in-progress") || !strings.Contains(got, "msg=another") {
		t.Errorf("the log has\n%s", got)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{
		1: 250 * time.Millisecond, 2: 500 * time.Millisecond, 3: time.Second, 6: 8 * time.Second, 7: 10 * time.Second, 1000: 10 * time.Second,
	} {
		if got := backoff(n); got != want {
			t.Errorf("backoff(%d) = %s, want %s", n, got, want)
		}
	}
}

// FuzzSplitLine: a line is given back whole, or without what logFormat put
// before it.
func FuzzSplitLine(f *testing.F) {
	for _, s := range []string{"W|misc|a|b", "", "|", "X|a|b", "E||"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		level, component, text := splitLine(line)
		if text != line && line[:2]+component+"|"+text != line {
			t.Errorf("splitLine(%q) = %v %q %q", line, level, component, text)
		}
	})
}
