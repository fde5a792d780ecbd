package audit

import "fmt"

// place is where a line stands.
type place struct {
	file string
	line int64
}

// seen is what is kept of a line that was read.
type seen struct {
	place
	seq       uint64
	prev, sum digest
	bad       bool // not a line of a log at all
}

func (s *seen) problem(f Fault, text string) Problem {
	return Problem{Fault: f, File: s.file, Line: s.line, Seq: s.seq, Text: text}
}

// verifyState is what of the lines before is needed for the next.
type verifyState struct {
	// last is the line before, before the one before that.
	last, before seen
	n            int64
	// open is a break that the next line tells more about.
	open *breach
	// gap are the seqs that the first problem says are missing; one that
	// turns up later was moved.
	gap struct{ from, to uint64 }
	// every is the last checkpoint's promise, bare the lines since any.
	every, bare int
	unsigned    int64
}

// breach is a line that does not follow the one before it.
type breach struct {
	last, line seen
}

// link holds s against the line before it.
func (v *Verifier) link(s *seen) {
	st := &v.state
	if st.open != nil {
		v.close(*st.open, s)
	}
	switch {
	case st.n == 0:
		v.first(s)
	case !s.bad && s.prev == st.last.sum && s.seq == st.last.seq+1:
	case !s.bad && st.n > 1 && s.prev == st.before.sum && s.seq == st.before.seq+1 && st.open == nil:
		// The chain goes round the line before this one.
		v.report.note(st.last.problem(FaultAdded, "the next line does not know this one"))
	case st.open == nil || !st.open.explains(s):
		v.returned(s)
		v.breach(s)
		st.before, st.last = st.last, *s
		st.n++
		return
	}
	st.open = nil
	st.before, st.last = st.last, *s
	st.n++
}

func (v *Verifier) breach(s *seen) { v.state.open = &breach{last: v.state.last, line: *s} }
