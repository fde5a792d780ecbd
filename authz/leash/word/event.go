package word

import "bytes"

// Events follows a stream of server-sent events (WHATWG HTML section 9.2) to
// know where one more can be put. Comments are no part of an event: servers send
// them to keep a stream alive, often without an empty line.
type Events struct {
	// begun is true within a line, comment where that line is one.
	begun, comment bool
	// event is true once an event has a line.
	event bool
	// cr is true when the last byte was a CR, whose LF may follow.
	cr bool
}

// Pass takes note of bytes that go to the client.
func (e *Events) Pass(b []byte) {
	for len(b) > 0 {
		if !e.begun {
			b = e.begin(b)
			continue
		}
		end := lineEnd(b)
		if end < 0 {
			return
		}
		e.begun, e.event, e.cr = false, e.event || !e.comment, b[end] == '\r'
		b = b[end+1:]
	}
}

// begin takes the first byte of a line.
func (e *Events) begin(b []byte) []byte {
	switch c := b[0]; {
	case c == '\n' && e.cr:
		e.cr = false // it belongs to the CR
	case c == '\n' || c == '\r':
		e.event, e.cr = false, c == '\r'
	default:
		e.begun, e.comment, e.cr = true, c == ':', false
	}
	return b[1:]
}

// lineEnd is where the first CR or LF is; -1: there is none.
func lineEnd(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// Free reports whether an event can be put in now: none has been begun that it
// would become a part of, or end too early.
func (e *Events) Free() bool { return !e.begun && !e.event }

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
