package audit

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Fault is what is wrong at a place of a log.
type Fault string

const (
	// FaultChanged is a line that is not as it was written.
	FaultChanged Fault = "changed"
	// FaultMissing is a line before which others were.
	FaultMissing Fault = "missing"
	// FaultMoved is a line that stood elsewhere.
	FaultMoved Fault = "moved"
	// FaultAdded is a line that the log never had.
	FaultAdded Fault = "added"
	// FaultSignature is a checkpoint that the key did not sign.
	FaultSignature Fault = "signature"
	// FaultUnsigned is the first of more lines without a checkpoint than the
	// last checkpoint allows. It is looked for until something is wrong.
	FaultUnsigned Fault = "unsigned"
)

// Problem is a place at which a log is not as it was written.
type Problem struct {
	Fault Fault `json:"fault"`
	// File is as Add was told; Line counts from 1 in it.
	File string `json:"file,omitempty"`
	Line int64  `json:"line"`
	// Seq is what the line says; 0: it is not a line of a log.
	Seq  uint64 `json:"seq,omitempty"`
	Text string `json:"text"`
}

// String is one line that is safe to show.
func (p Problem) String() string {
	at := place(p.File, p.Line)
	if p.Seq > 0 {
		at = fmt.Sprintf("%s (seq %d)", at, p.Seq)
	}
	return fmt.Sprintf("%s: %s: %s", at, p.Fault, p.Text)
}

func place(file string, line int64) string {
	if file == "" {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s:%d", Display(file, 0), line)
}

// maxProblems is how many a Report lists; the first is the one that matters.
const maxProblems = 20

// Report says what of a log is as it was written.
type Report struct {
	Lines int64 `json:"lines"`
	// First and Last are the first seq and the highest, at From and To.
	First uint64    `json:"first"`
	Last  uint64    `json:"last"`
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
	// Boots counts process starts, Checkpoints good signatures.
	Boots       int `json:"boots"`
	Checkpoints int `json:"checkpoints"`
	// SignedThrough is the seq of the last good checkpoint before anything
	// that is wrong: all from First to it is as it was written. 0: nothing is.
	SignedThrough uint64 `json:"signed_through"`
	// Unsigned is the number of lines after that checkpoint.
	Unsigned int64 `json:"unsigned"`
	// Closed is true when the last line is the checkpoint of a clean end. When
	// it is not, the log is being written, or its process crashed, or lines
	// were taken off its end: these look the same.
	Closed bool `json:"closed"`
	// Torn is the length of what follows the last newline, in bytes: a line
	// that is being written, or was when its process crashed.
	Torn int64 `json:"torn,omitempty"`
	// Problems are the first few, in order of place; Found is how many there
	// are. One change may be seen at more than one place.
	Problems []Problem `json:"problems,omitempty"`
	Found    int       `json:"found"`
}

// OK reports whether nothing is wrong and something is signed.
func (r *Report) OK() bool { return r.Found == 0 && r.SignedThrough > 0 }

// WriteText writes the report for a person.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.verdict())
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "  %s\n", p)
	}
	if more := r.Found - len(r.Problems); more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	r.writeSpan(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) verdict() string {
	switch {
	case r.Found > 0:
		return "not as it was written"
	case r.Lines == 0:
		return "empty"
	case r.SignedThrough == 0:
		return "not signed: nothing vouches for these lines"
	case r.Unsigned > 0:
		return "good up to the last checkpoint"
	}
	return "good"
}

func (r *Report) writeSpan(b *strings.Builder) {
	if r.First == 0 {
		return
	}
	fmt.Fprintf(b, "lines %d, seq %d to %d, %s to %s, boots %d, checkpoints %d\n", r.Lines, r.First, r.Last,
		r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.Boots, r.Checkpoints)
	if r.First > 1 {
		fmt.Fprintf(b, "begins at seq %d: what came before is in another file\n", r.First)
	}
	if r.SignedThrough > 0 {
		fmt.Fprintf(b, "signed from seq %d to %d\n", r.First, r.SignedThrough)
	}
	if r.Unsigned > 0 {
		fmt.Fprintf(b, "not signed: the last %d lines\n", r.Unsigned)
	}
	if r.Torn > 0 {
		fmt.Fprintf(b, "unfinished: %d bytes at the end\n", r.Torn)
	}
	if !r.Closed {
		b.WriteString("not closed: still being written, crashed, or cut at the end\n")
	}
}
