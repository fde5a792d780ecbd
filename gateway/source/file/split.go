package file

import "bytes"

// chunk is the text of one document of a file.
type chunk struct {
	// line is the number of its first line in the file, from 1.
	line int
	// document is its number among those with content, from 1.
	document int
	text     []byte
}

// contentLine is the line of the file where the content begins.
func (c chunk) contentLine() int {
	line, marked := c.line, false
	for l := range bytes.Lines(c.text) {
		if rest, marker := cutMarker(l, "---"); marker {
			l, marked = rest, true
		}
		if hasContent(l) && (marked || l[0] != '%') {
			break
		}
		line++
	}
	return line
}

// split cuts a YAML stream into documents by its text alone: "---" and "..."
// at the start of a line are markers wherever they stand, inside a scalar too
// (YAML 1.2.2, 9.1.2). Documents without content are left out. Chunks share
// the memory of text.
func split(text []byte) []chunk {
	s := splitter{text: text, line: 1, startLine: 1}
	for line := range bytes.Lines(text) {
		s.add(line)
	}
	s.close()
	return s.chunks
}

type splitter struct {
	text   []byte
	chunks []chunk
	// end and line are where the next line begins.
	end, line int
	// start and startLine are where the open chunk begins.
	start, startLine int
	// marked: the open chunk has its "---". content: it holds something.
	marked, content bool
}

func (s *splitter) add(line []byte) {
	rest, begins := cutMarker(line, "---")
	if begins && (s.marked || s.content) {
		s.close()
	}
	_, ends := cutMarker(line, "...")
	if begins {
		s.marked = true
		s.content = hasContent(rest)
	} else if !ends && hasContent(line) {
		s.content = s.content || s.marked || line[0] != '%'
	}
	s.end += len(line)
	s.line++
	if ends {
		s.close()
	}
}

// close ends the open chunk before the next line.
func (s *splitter) close() {
	if s.content {
		s.chunks = append(s.chunks, chunk{s.startLine, len(s.chunks) + 1, s.text[s.start:s.end]})
	}
	s.start, s.startLine = s.end, s.line
	s.marked, s.content = false, false
}

// cutMarker returns what follows a document marker.
func cutMarker(line []byte, marker string) ([]byte, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	if !ok || len(rest) > 0 && !bytes.Contains([]byte(" \t\r\n"), rest[:1]) {
		return nil, false
	}
	return rest, true
}

// hasContent is false for blank lines and comments.
func hasContent(line []byte) bool {
	line = bytes.TrimLeft(line, " \t\r\n")
	return len(line) > 0 && line[0] != '#'
}
