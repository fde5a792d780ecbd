package audit

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// progressStep is how often Config.Progress hears of a long read, in bytes.
const progressStep = 64 << 20

// recovery is what a start found in the file.
type recovery struct {
	chain chain
	open  openHops
	// size is where the next line goes; torn is what lies after it.
	size, torn int64
	clean      bool
	note       string
}

// scanner reads the lines after a known place.
type scanner struct {
	chain    chain
	open     openHops
	clean    bool
	known    bool // chain is that of the line before
	broken   string
	progress func(done, total int64)
}

// findEnd finds the end of the log's chain and what was left open there.
func (w *writer) findEnd(progress func(done, total int64)) (recovery, error) {
	st, err := w.file.Stat()
	if err != nil {
		return recovery{}, fmt.Errorf("read audit log: %w", err)
	}
	s, begin := w.beginning(st.Size())
	s.progress = progress
	size, err := s.scan(w.file, begin.from, st.Size())
	if err != nil {
		return recovery{}, fmt.Errorf("read audit log: %w", err)
	}
	if s.chain.seq < begin.last.seq {
		// Going on behind the lines that were there leaves a gap in the file,
		// which is what Verify finds.
		s.chain, begin.note = begin.last, "lines that were written are gone"
	}
	r := recovery{chain: s.chain, open: s.open, size: size, torn: st.Size() - size}
	r.note = cmp.Or(begin.note, s.broken)
	r.clean = s.clean && r.torn == 0 && r.note == ""
	return r, nil
}

// anchor is where the search for the log's end begins.
type anchor struct {
	from int64
	// last is the place that the side file knows of.
	last chain
	note string
}

// beginning chooses where to begin to read: behind what the side file knows, if
// the file still has the line it names; else with the first line.
func (w *writer) beginning(size int64) (scanner, anchor) {
	s := scanner{open: openHops{}, clean: size == 0}
	st, err := readState(w.disk, w.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return s, anchor{}
	}
	if err != nil {
		return s, anchor{note: "the state file cannot be read"}
	}
	at := anchor{from: st.Offset, last: st.chain()}
	if !anchored(w.file, st, size) {
		at.from, at.note = 0, "the file is not as the last process left it"
		if size > 0 {
			return s, at
		}
		at.note = "the file before was taken away"
	}
	return scanner{chain: at.last, open: st.hops(), clean: st.Closed, known: true}, at
}

// anchored reports whether the file still has the state's last line, there.
func anchored(f io.ReaderAt, st *state, size int64) bool {
	if st.Offset == 0 {
		return follows(f, st)
	}
	if st.Offset > size {
		return false
	}
	b := make([]byte, st.Offset-st.Start)
	if _, err := f.ReadAt(b, st.Start); err != nil || len(b) == 0 || b[len(b)-1] != '\n' {
		return false
	}
	return sha256.Sum256(b[:len(b)-1]) == st.chain().prev
}

// follows reports whether the file's first line comes after the state's. One
// that is not whole says nothing against it.
func follows(f io.ReaderAt, st *state) bool {
	b, err := newLines(io.NewSectionReader(f, 0, maxLine+1)).next()
	if err != nil {
		return errors.Is(err, io.EOF)
	}
	l, err := parseLine(b)
	return err == nil && l.prev == st.chain().prev
}

// scan reads on from a place and returns where the last whole line ends.
func (s *scanner) scan(f io.ReaderAt, from, size int64) (int64, error) {
	lines := newLines(io.NewSectionReader(f, from, size-from))
	end, next := from, from+progressStep
	for {
		b, err := lines.next()
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return end, err
		}
		s.line(b, lines.sum)
		if end = from + lines.offset; end >= next && s.progress != nil {
			s.progress(end, size)
			next = end + progressStep
		}
	}
}

// line takes one whole line in. One that does not follow stays in the file: it
// is not ours to destroy, and Verify is to find it. The chain goes round it
// unless it may be a line of ours.
func (s *scanner) line(b []byte, sum digest) {
	l, err := parseLine(b)
	follows := err == nil && (!s.known || l.seq == s.chain.seq+1 && l.prev == s.chain.prev)
	if !follows && s.broken == "" {
		s.broken = fmt.Sprintf("the chain is broken after seq %d", s.chain.seq)
	}
	s.clean = false
	if err != nil || s.known && l.seq <= s.chain.seq {
		return
	}
	s.chain = chain{seq: l.seq, prev: sum, bare: s.chain.bare + 1}
	s.known = true
	s.follow(l.kind, b)
}

func (s *scanner) follow(kind Kind, b []byte) {
	if kind != KindBegin && kind != KindEnd && kind != KindDeny && kind != KindCheckpoint {
		return
	}
	r, err := Decode(b)
	if err != nil {
		return
	}
	switch {
	case kind == KindBegin:
		s.open.begin(&r)
	case kind == KindCheckpoint:
		s.chain.bare = 0
		s.clean = r.Checkpoint != nil && r.Checkpoint.Why == whyClose
	default:
		s.open.note(kind, r.Hop, nil)
	}
}
