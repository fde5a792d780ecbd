package word

import (
	"bytes"
	"slices"
)

// Events follows a stream of server-sent events (WHATWG HTML section 9.2) to
// know where one more can be put.
type Events struct {
	// tail is how the bytes so far end.
	tail tail
	// begun is true once there was a byte.
	begun bool
	// cr is true when the last byte was a CR, whose LF may follow.
	cr bool
}

// tail is how many line ends a stream ends with: two are the end of an event.
type tail uint8

const (
	inLine tail = iota
	afterLine
	afterEvent
)

// Pass takes note of bytes that go to the client.
func (e *Events) Pass(b []byte) {
	if len(b) == 0 {
		return
	}
	e.begun = true
	// Only the end counts: what is before the last byte that is no line end
	// says nothing.
	if i := lastText(b); i >= 0 {
		e.tail, e.cr, b = inLine, false, b[i+1:]
	}
	for _, c := range b {
		e.lineEnd(c)
	}
}

// lastText is where the last byte is that ends no line; -1: there is none.
func lastText(b []byte) int {
	for i, v := range slices.Backward(b) {
		if v != '\n' && v != '\r' {
			return i
		}
	}
	return -1
}

// lineEnd counts CR, LF and CRLF as one line end each.
func (e *Events) lineEnd(c byte) {
	if c == '\n' && e.cr {
		e.cr = false
		return
	}
	e.cr = c == '\r'
	if e.tail < afterEvent {
		e.tail++
	}
}

// Free reports whether an event can be put in now: none has been begun that it
// would become a part of, or end too early.
func (e *Events) Free() bool { return !e.begun || e.tail == afterEvent }

// Next is how many of b must pass until an event can be put in; -1: more than
// these.
func (e *Events) Next(b []byte) int {
	if e.Free() {
		return 0
	}
	at := *e
	for i := range b {
		at.Pass(b[i : i+1])
		if at.Free() {
			return i + 1
		}
	}
	return -1
}

// Event is an event of this name and data. An empty name is a message. A line
// end in data begins another data line, so that nothing in it can end the
// event.
func Event(name string, data []byte) []byte {
	var b bytes.Buffer
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	for line := range bytes.SplitSeq(normal(data), []byte("\n")) {
		b.WriteString("data: ")
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// normal has every line end be LF.
func normal(data []byte) []byte {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
}
