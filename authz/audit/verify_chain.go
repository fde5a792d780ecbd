package audit

import (
	"cmp"
	"fmt"
	"slices"
)

// seen is what is kept of a line that was read.
type seen struct {
	file string
	// line counts in its file, n over all files.
	line, n   int64
	seq       uint64
	prev, sum digest
	// bad is not a line of a log at all; genuine is a signed checkpoint.
	bad, genuine bool
}

// follows reports whether s was written right after p.
func (s *seen) follows(p *seen) bool {
	return !s.bad && s.prev == p.sum && s.seq == p.seq+1
}

// fault is a Problem with what it takes to order and to amend it.
type fault struct {
	Problem
	n int64
}

func (s *seen) fault(f Fault, text string) fault {
	out := fault{n: s.n, Problem: Problem{Fault: f, File: s.file, Line: s.line, Seq: s.seq, Text: text}}
	if s.bad {
		out.Seq = 0
	}
	return out
}

// walk holds each line against the one before it. A line that does not follow
// waits for the next, which tells whether it, or the one before it, is wrong.
type walk struct {
	// tail is the last line that stands, prior the one it follows.
	prior, tail seen
	// pending waits if its n is not zero.
	pending seen
	faults  []fault
	found   int
	// gap is what the first fault says is missing; what turns up later was
	// moved.
	gap struct{ from, to uint64 }
}

func (w *walk) note(f fault) {
	if w.found++; len(w.faults) < maxProblems {
		w.faults = append(w.faults, f)
	}
}

// clean reports whether nothing was wrong so far.
func (w *walk) clean() bool { return w.found == 0 && w.pending.n == 0 }

// step takes the next line.
func (w *walk) step(s *seen) {
	if p := w.pending; p.n > 0 {
		w.pending = seen{}
		if w.resolve(&p, s) {
			return
		}
	}
	switch {
	case w.tail.n == 0:
		w.first(s)
	case s.follows(&w.tail):
		w.advance(s)
	case s.sum == w.tail.sum:
		w.note(s.fault(FaultAdded, "this is the line before once more"))
	case w.prior.n > 0 && s.follows(&w.prior):
		w.note(w.tail.fault(FaultAdded, "the chain goes round this line"))
		w.tail = *s
	default:
		w.pending = *s
	}
}

func (w *walk) advance(s *seen) { w.prior, w.tail = w.tail, *s }

// first takes the first line of all. The log's very first has nothing before
// it; any other one is believed, for what is before it is in another file.
func (w *walk) first(s *seen) {
	if s.bad || s.seq == 1 && s.prev != (digest{}) {
		w.note(s.fault(FaultChanged, "this is not the first line of a log"))
	}
	w.tail = *s
}

// resolve decides what p, which does not follow the tail, is. s is the line
// after it; nil: there is none. It reports whether s is dealt with too.
func (w *walk) resolve(p, s *seen) bool {
	if s != nil && s.follows(&w.tail) {
		return w.intruder(p, s)
	}
	tail := w.tail
	w.advance(p)
	switch {
	case p.bad || p.prev == tail.sum || p.seq == tail.seq+1:
		w.changed(&tail, p, s)
		return w.skip(tail.seq, s)
	case p.seq > tail.seq:
		w.missing(&tail, p)
	default:
		w.moved(p)
	}
	return false
}

// intruder is a line between two that follow each other.
func (w *walk) intruder(p, s *seen) bool {
	if p.follows(s) {
		w.note(p.fault(FaultMoved, "this line belongs after the next"))
		w.prior, w.tail = *s, *p
		return true
	}
	if w.inGap(p) {
		w.moved(p)
	} else {
		w.note(p.fault(FaultAdded, "the chain goes round this line"))
	}
	w.advance(s)
	return true
}

// changed decides which of two lines is not as it was: only the hash of the
// earlier one, in the later one, tells.
func (w *walk) changed(tail, p, s *seen) {
	switch {
	case p.bad:
		w.note(p.fault(FaultChanged, "this is not a line of an audit log"))
	case p.prev == tail.sum:
		w.note(p.fault(FaultChanged, fmt.Sprintf("this line has seq %d in the place of %d", p.seq, tail.seq+1)))
	case tail.genuine:
		w.note(p.fault(FaultChanged, "this line does not follow the checkpoint before it"))
	case p.genuine || s != nil && s.follows(p):
		w.note(tail.fault(FaultChanged, "this is not the line that the next one follows"))
	case s == nil:
		w.note(tail.fault(FaultChanged, "this is not the line that the next one follows, or the next was changed"))
	default:
		w.note(p.fault(FaultChanged, "this line was changed, and the one before may have been"))
	}
}

// skip accepts the line after a changed one, which cannot follow it.
func (w *walk) skip(seq uint64, s *seen) bool {
	if s == nil || s.bad || s.seq != seq+2 {
		return false
	}
	w.advance(s)
	return true
}

func (w *walk) missing(tail, p *seen) {
	n := p.seq - tail.seq - 1
	if w.found == 0 {
		w.gap.from, w.gap.to = tail.seq+1, p.seq
	}
	w.note(p.fault(FaultMissing, fmt.Sprintf("%d lines before this one are gone", n)))
}

// inGap reports whether p is one of the lines that the first fault misses.
func (w *walk) inGap(p *seen) bool { return !p.bad && w.gap.from <= p.seq && p.seq < w.gap.to }

func (w *walk) moved(p *seen) {
	w.note(p.fault(FaultMoved, "this line does not belong here"))
	if w.inGap(p) {
		first := &w.faults[0]
		first.Fault = FaultMoved
		first.Text = fmt.Sprintf("a line that belongs before this one is at %s", place(p.file, p.line))
	}
}

// ended is the walk as it stands if no line comes any more.
func (w *walk) ended() (problems []Problem, found int) {
	end := *w
	end.faults = slices.Clone(w.faults)
	if p := end.pending; p.n > 0 {
		end.resolve(&p, nil)
	}
	slices.SortStableFunc(end.faults, func(a, b fault) int { return cmp.Compare(a.n, b.n) })
	for _, f := range end.faults {
		problems = append(problems, f.Problem)
	}
	return problems, end.found
}
