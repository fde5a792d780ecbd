package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"
)

// Verify checks one log. An error is one of reading; what is wrong with the
// log is in the report.
func Verify(r io.Reader, pub ed25519.PublicKey) (Report, error) {
	v, err := NewVerifier(pub)
	if err != nil {
		return Report{}, err
	}
	err = v.Add("", r)
	return v.Report(), err
}

// Verifier checks the files of one log, oldest first, in constant memory. It
// is for one goroutine.
type Verifier struct {
	pub   ed25519.PublicKey
	keyID string
	walk  walk
	// report has what a line tells; what is wrong is the walk's until Report.
	report Report
	// every is the last checkpoint's promise, bare the lines since any.
	every, bare int
}

// NewVerifier returns one that believes the signatures of pub alone.
func NewVerifier(pub ed25519.PublicKey) (*Verifier, error) {
	if len(pub) != ed25519.PublicKeySize {
		return nil, errors.New("verify audit log: not an Ed25519 public key")
	}
	return &Verifier{pub: pub, keyID: KeyID(pub)}, nil
}

// Add checks the next file; name is for problems in it.
func (v *Verifier) Add(name string, r io.Reader) error {
	lines := newLines(r)
	for n := int64(1); ; n++ {
		b, err := lines.next()
		if errors.Is(err, io.EOF) {
			v.report.Torn += lines.torn
			return nil
		}
		if err != nil {
			return fmt.Errorf("read audit log %s: %w", Display(name, 0), err)
		}
		v.line(seen{file: name, line: n, sum: lines.sum}, b)
	}
}

// Report says what was found so far.
func (v *Verifier) Report() Report {
	r := v.report
	r.Problems, r.Found = v.walk.ended()
	return r
}

func (v *Verifier) line(s seen, b []byte) {
	l, err := parseLine(b)
	v.report.Lines++
	v.report.Unsigned++
	v.report.Closed = false
	v.bare++
	s.n, s.seq, s.prev, s.bad = v.report.Lines, l.seq, l.prev, err != nil
	if s.bad {
		s.seq = v.walk.tail.seq + 1
	}
	s.genuine = l.kind == KindCheckpoint && genuine(v.pub, l.signed, l.sig)
	v.walk.step(&s)
	if !s.bad {
		v.report.span(l)
	}
	if l.kind == KindCheckpoint {
		v.checkpoint(&s, b)
	}
	if v.every > 0 && v.bare > v.every && v.walk.clean() {
		v.walk.note(s.fault(FaultUnsigned, fmt.Sprintf("more than %d lines have no checkpoint", v.every)))
	}
}

// checkpoint follows what is signed.
func (v *Verifier) checkpoint(s *seen, b []byte) {
	v.bare = 0
	if !s.genuine {
		v.walk.note(s.fault(FaultSignature, v.forged(b)))
		return
	}
	v.report.Checkpoints++
	r, err := Decode(b)
	if err != nil || r.Checkpoint == nil {
		return
	}
	v.every = r.Checkpoint.Every
	v.report.Closed = r.Checkpoint.Why == whyClose
	if v.walk.clean() {
		v.report.SignedThrough, v.report.Unsigned = s.seq, 0
	}
}

func (v *Verifier) forged(b []byte) string {
	if !bytes.Contains(b, []byte(`"key":"`+v.keyID+`"`)) {
		return "another key than " + v.keyID + " signed this"
	}
	return fmt.Sprintf("the signature does not hold: this line, or one after seq %d that it signs, was changed", v.report.SignedThrough)
}

// span follows which lines there are, and when they were written.
func (r *Report) span(l line) {
	t, err := time.Parse(time.RFC3339Nano, string(l.time))
	if err == nil && r.From.IsZero() {
		r.From = t
	}
	if err == nil {
		r.To = t
	}
	if r.First == 0 {
		r.First = l.seq
	}
	r.Last = max(r.Last, l.seq)
	if l.kind == KindBoot {
		r.Boots++
	}
}
