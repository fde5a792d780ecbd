package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"
)

// Fault is what is wrong at a place of a log.
type Fault string

const (
	// FaultChanged is a line that is not as it was written.
	FaultChanged Fault = "changed"
	// FaultMissing are lines that were there before this one.
	FaultMissing Fault = "missing"
	// FaultMoved is a line that stood elsewhere.
	FaultMoved Fault = "moved"
	// FaultAdded is a line that the log never had.
	FaultAdded Fault = "added"
	// FaultSignature is a checkpoint that the key did not sign, though the
	// chain to it holds: it, or what it signs, was made by somebody else.
	FaultSignature Fault = "signature"
	// FaultUnsigned is the first of more lines without a checkpoint than the
	// last checkpoint allows.
	FaultUnsigned Fault = "unsigned"
)

// Problem is one place at which a log is not as it was written.
type Problem struct {
	Fault Fault `json:"fault"`
	// File is as Add was told; Line counts from 1 in it.
	File string `json:"file,omitempty"`
	Line int64  `json:"line"`
	Seq  uint64 `json:"seq"`
	Text string `json:"text"`
}

func (p Problem) String() string {
	at := fmt.Sprintf("line %d", p.Line)
	if p.File != "" {
		at = fmt.Sprintf("%s:%d", Display(p.File, 0), p.Line)
	}
	return fmt.Sprintf("%s (seq %d): %s: %s", at, p.Seq, p.Fault, p.Text)
}

// maxProblems is how many a Report lists; the first is the one that matters.
const maxProblems = 20

// Report says what of a log is as it was written.
type Report struct {
	Lines int64 `json:"lines"`
	// First and Last are the lowest and highest seq in order, at From and To.
	First uint64    `json:"first"`
	Last  uint64    `json:"last"`
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
	// Boots counts process starts, Checkpoints good signatures.
	Boots       int `json:"boots"`
	Checkpoints int `json:"checkpoints"`
	// SignedThrough is the seq of the last good checkpoint before the first
	// problem: all from First to it is as it was written. 0: nothing is.
	SignedThrough uint64 `json:"signed_through"`
	// Unsigned is the number of lines after that checkpoint.
	Unsigned int64 `json:"unsigned"`
	// Closed is true when the last line is the checkpoint of a clean end. When
	// false, the log is being written, or the gateway crashed, or lines after
	// the last checkpoint were taken off the end: these look the same.
	Closed bool `json:"closed"`
	// Torn is the length of an unfinished last line, in bytes.
	Torn int64 `json:"torn,omitempty"`
	// Problems are the first few in order, Found is how many there are.
	Problems []Problem `json:"problems,omitempty"`
	Found    int       `json:"found"`
}

// OK reports whether nothing is wrong and something is signed.
func (r *Report) OK() bool { return r.Found == 0 && r.SignedThrough > 0 }

// Verify checks one log. An error is one of reading; what is wrong with the
// log is in the report.
func Verify(r io.Reader, pub ed25519.PublicKey) (Report, error) {
	v, err := NewVerifier(pub)
	if err != nil {
		return Report{}, err
	}
	if err := v.Add("", r); err != nil {
		return v.Report(), err
	}
	return v.Report(), nil
}

// Verifier checks the files of one log, oldest first, in constant memory.
type Verifier struct {
	pub    ed25519.PublicKey
	keyID  string
	report Report
	state  verifyState
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
			v.report.Torn = lines.torn
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", Display(name, 0), err)
		}
		v.add(place{file: name, line: n}, b, lines.sum)
	}
}

// Report ends the check. Files may be added after it, and it be asked again.
func (v *Verifier) Report() Report {
	r := v.report
	r.Problems = append([]Problem(nil), r.Problems...)
	st := v.state
	if st.open != nil {
		r.note(st.open.resolve(nil))
	}
	r.Unsigned = st.unsigned
	return r
}

func (r *Report) note(p Problem) {
	r.Found++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, p)
	}
}

// add takes one line in.
func (v *Verifier) add(at place, b []byte, sum digest) {
	l, err := parseLine(b)
	s := seen{place: at, seq: l.seq, prev: l.prev, sum: sum, bad: err != nil}
	if s.bad {
		s.seq = v.state.last.seq + 1
	}
	v.report.Lines++
	v.state.unsigned++
	v.link(&s)
	if s.bad {
		v.report.Closed = false
		return
	}
	v.span(l)
	v.sign(l, b, &s)
}

// span follows which lines there are.
func (v *Verifier) span(l line) {
	r := &v.report
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

// sign follows what checkpoints say.
func (v *Verifier) sign(l line, b []byte, s *seen) {
	st := &v.state
	v.report.Closed = false
	if l.kind != KindCheckpoint {
		if st.bare++; st.every > 0 && st.bare == st.every+1 {
			v.report.note(s.problem(FaultUnsigned, fmt.Sprintf("more than %d lines without a checkpoint", st.every)))
		}
		return
	}
	st.bare = 0
	if why := v.judge(l, b); why != "" {
		v.report.note(s.problem(FaultSignature, why))
		return
	}
	v.report.Checkpoints++
	r, err := Decode(b)
	if err != nil || r.Checkpoint == nil {
		return
	}
	st.every = r.Checkpoint.Every
	v.report.Closed = r.Checkpoint.Why == whyClose
	if v.report.Found == 0 && st.open == nil {
		v.report.SignedThrough, st.unsigned = l.seq, 0
	}
}

// judge says why a checkpoint is not genuine; empty: it is.
func (v *Verifier) judge(l line, b []byte) string {
	if genuine(v.pub, l.signed, l.sig) {
		return ""
	}
	if !bytes.Contains(b, []byte(`"key":"`+v.keyID+`"`)) {
		return "the checkpoint is signed by another key than " + v.keyID
	}
	return "the signature does not hold"
}
