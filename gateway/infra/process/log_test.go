package process

import (
	"log/slog"
	"strings"
	"testing"
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
