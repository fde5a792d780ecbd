package audit

import "time"

// Style is how text is laid out for a person.
type Style struct {
	// Width is the terminal's, in columns; 0: lines are as long as they are.
	Width int
	// Color is for terminals only.
	Color bool
	// ASCII draws branches with plain characters.
	ASCII bool
	// Zone is that of the times; nil: UTC.
	Zone *time.Location
}

func (s Style) clock(t time.Time) string { return s.in(t).Format("15:04:05.000") }

func (s Style) date(t time.Time) string { return s.in(t).Format("2006-01-02 15:04:05 MST") }

func (s Style) in(t time.Time) time.Time {
	if s.Zone == nil {
		return t.UTC()
	}
	return t.In(s.Zone)
}

func (s Style) clip(line string) string { return clip(line, s.Width) }

// tint is a colour of a terminal (ECMA-48 section 8.3.117).
type tint string

const (
	tintNone   tint = ""
	tintRed    tint = "31"
	tintGreen  tint = "32"
	tintYellow tint = "33"
	tintBold   tint = "1"
	tintDim    tint = "2"
)

func (s Style) paint(t tint, text string) string {
	if !s.Color || t == tintNone || text == "" {
		return text
	}
	return "\x1b[" + string(t) + "m" + text + "\x1b[0m"
}

// markColumns is the width of the longest mark.
const markColumns = 5

// mark is the verdict in a word, so that it can be searched for.
func (r *Record) mark() (string, tint) {
	switch {
	case r.Kind == KindEnd:
		return "end", tintDim
	case r.Kind == KindBegin:
		return "allow", tintGreen
	case r.Kind == KindChange:
		return "again", tintDim
	case r.Kind == KindDeny && r.Verdict == VerdictAsk:
		return "ask", tintYellow
	case r.Kind == KindDeny:
		return "deny", tintRed
	}
	return "log", tintDim
}
