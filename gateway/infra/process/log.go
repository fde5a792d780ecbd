package process

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// logFormat makes each line say its level and component first.
const logFormat = "%L|%n|%v"

// maxLine bounds a line of Envoy's log.
const maxLine = 16 << 10

// foldLog reads Envoy's log until it ends and writes it to ours. The last
// lines are kept: they say why an Envoy did not start.
func foldLog(r io.Reader, log *slog.Logger, last *tail) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		line, more, err := br.ReadLine()
		if err != nil {
			return
		}
		for more && err == nil {
			_, more, err = br.ReadLine()
		}
		foldLine(string(line), log, last)
	}
}

func foldLine(line string, log *slog.Logger, last *tail) {
	level, component, text := splitLine(line)
	if strings.Contains(text, "marked as work-in-progress") {
		level = slog.LevelDebug // the same line for each of our address ranges
	}
	last.add(text)
	log.LogAttrs(context.Background(), level, text, //nolint:sloglint // the words are Envoy's
		slog.String("from", "envoy"), slog.String("component", component))
}

// splitLine reads what logFormat wrote. A line of another shape (a crash, a
// second line of a message) is a warning.
func splitLine(line string) (slog.Level, string, string) {
	f := strings.SplitN(line, "|", 3)
	if len(f) != 3 {
		return slog.LevelWarn, "", line
	}
	switch f[0] {
	case "T", "D":
		return slog.LevelDebug, f[1], f[2]
	case "I":
		return slog.LevelInfo, f[1], f[2]
	case "W":
		return slog.LevelWarn, f[1], f[2]
	case "E", "C":
		return slog.LevelError, f[1], f[2]
	default:
		return slog.LevelWarn, "", line
	}
}

// tail keeps the last lines. It is safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

const tailLines = 8

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
