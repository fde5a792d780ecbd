package audit

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func liveEvents(t testing.TB) []Event {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	records := append([]Record{
		{Kind: KindBoot, Time: at, Boot: &Boot{Clean: true, Version: "v0.1.0"}},
		{Kind: KindBoot, Time: at, Boot: &Boot{Version: "v0.1.0", Lost: 2}},
		{Kind: KindBoot, Time: at, Boot: &Boot{Version: "v0.1.0", Note: "lines that were written are gone"}},
	}, story()[1:]...)
	records = append(records,
		Record{Kind: KindEnd, Time: at, Hop: hop(77), Agent: "some\x1b[2J agent", End: EndLost, Reason: "the gateway stopped before it ended"},
		Record{Kind: KindRotate, Time: at},
		Record{Kind: KindResume, Time: at, Resume: &Resume{Since: at, Refused: 12}},
		Record{Kind: "tomorrow", Time: at},
	)
	var c chain
	var events []Event
	for i := range records {
		var e encoder
		e.encode(&records[i], "ab")
		events = append(events, Event{Line: []byte(strings.TrimSuffix(string(c.add(nil, e.b)), "\n"))})
	}
	events[5].Missed = 3
	return append(events, Event{Missed: 2}, Event{})
}

func TestLive(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Style{
		"live.txt":       {},
		"live-90.txt":    {Width: 90},
		"live-color.txt": {Color: true, Zone: time.FixedZone("", 3600)},
	} {
		var b strings.Builder
		l := NewLive(&b, s, false)
		for _, e := range liveEvents(t) {
			must(t, l.Write(e))
		}
		golden(t, name, b.String())
		for _, line := range split(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if s.Width > 0 && width(line) > s.Width || !s.Color && !harmless(line) {
				t.Errorf("%s: %q", name, line)
			}
		}
		if len(l.hops) > 2 {
			t.Errorf("%d hops are kept", len(l.hops))
		}
	}
}

func TestLiveJSON(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l := NewLive(&b, Style{Color: true, Width: 10}, true)
	events := liveEvents(t)
	for _, e := range events {
		must(t, l.Write(e))
	}
	lines := split(b.String())
	if len(lines) != len(events) || lines[5] != "{\"missed\":3}\n" || lines[0] != string(events[0].Line)+"\n" {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	for _, line := range lines {
		if !harmless(strings.TrimSuffix(line, "\n")) {
			t.Errorf("%q", line)
		}
	}
}

func TestLiveErrors(t *testing.T) {
	t.Parallel()
	if err := NewLive(&strings.Builder{}, Style{}, false).Write(Event{Line: []byte("{")}); err == nil {
		t.Error("half a line is shown")
	}
	for _, json := range []bool{true, false} {
		l := NewLive(broken{}, Style{}, json)
		for _, e := range []Event{{Missed: 1}, {Line: lineOf(&Record{Kind: KindDeny})}} {
			if err := l.Write(e); !errors.Is(err, errDisk) {
				t.Errorf("json %v: %v", json, err)
			}
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errDisk }

// TestLiveBounded: hops that never end are not kept for ever.
func TestLiveBounded(t *testing.T) {
	t.Parallel()
	l := NewLive(&strings.Builder{}, Style{}, false)
	for i := range maxLive + 10 {
		r := begin(i + 1)
		must(t, l.Write(Event{Line: lineOf(&r)}))
	}
	if len(l.hops) > maxLive {
		t.Errorf("%d hops", len(l.hops))
	}
}
