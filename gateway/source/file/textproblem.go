package file

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// textProblem is something wrong at a place in a document, before there is an
// object. Line and column count from 1, in the document.
type textProblem struct {
	line, column  int
	message, mend string
	// otherLine is a second place, when not 0.
	otherLine int
	// readable is the beginning of a document that breaks here, if it parses.
	readable *yaml.Node
}

// checkText refuses what is no text: NUL bytes, invalid UTF-8, UTF-16.
func checkText(text []byte) *textProblem {
	if len(text) >= 2 && (text[0] == 0xfe && text[1] == 0xff || text[0] == 0xff && text[1] == 0xfe) {
		return &textProblem{line: 1, column: 1, message: "is UTF-16", mend: "save it as UTF-8"}
	}
	for i := 0; i < len(text); {
		if text[i] == 0 {
			return at(text, i, "NUL byte: this is no text", "save it as UTF-8 text")
		}
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return at(text, i, fmt.Sprintf("byte 0x%02x is not UTF-8", text[i]), "save it as UTF-8 text")
		}
		i += size
	}
	return nil
}

// at is a problem at a byte of the text.
func at(text []byte, offset int, message, mend string) *textProblem {
	line, column := position(text, offset)
	return &textProblem{line: line, column: column, message: message, mend: mend}
}

// position is the line and column of a byte, the column in characters.
func position(text []byte, offset int) (line, column int) {
	text = text[:min(offset, len(text))]
	line = 1
	start := 0
	for i, b := range text {
		if b == '\n' {
			line++
			start = i + 1
		}
	}
	return line, utf8.RuneCount(text[start:]) + 1
}

// lineText is one line of the text, with its end; nil when there is none.
func lineText(text []byte, number int) []byte {
	for line := range bytes.Lines(text) {
		if number--; number == 0 {
			return line
		}
	}
	return nil
}

// limited cuts a list of problems where nobody reads on.
func limited(ps []textProblem) []textProblem {
	if len(ps) <= maxDocumentProblems {
		return ps
	}
	more := len(ps) - maxDocumentProblems
	last := ps[maxDocumentProblems]
	return append(slices.Clip(ps[:maxDocumentProblems]),
		textProblem{line: last.line, column: last.column, message: fmt.Sprintf("and %d more problems", more)})
}
