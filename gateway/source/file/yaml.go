package file

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxPrefixWork is how many bytes are parsed again to find where a broken
// document breaks.
const maxPrefixWork = 4 << 20

// errSecondDocument is for a marker that split does not see: YAML has line
// ends that no editor shows.
type errSecondDocument struct{ line, column int }

func (errSecondDocument) Error() string { return "a second document begins here" }

// parseYAML parses the text of one document. Without content the node is nil.
func parseYAML(text []byte) (*yaml.Node, *textProblem) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	root, err := decodeYAML(text)
	var second errSecondDocument
	switch {
	case err == nil:
		return root, nil
	case errors.As(err, &second):
		return nil, &textProblem{line: second.line, column: second.column, message: err.Error(), mend: `put a line "---" before it, ended by a line feed`}
	}
	return nil, yamlProblem(text, err)
}

func decodeYAML(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) || err == nil && len(document.Content) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, errSecondDocument{more.Line, more.Column}
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return root, nil
}

// yamlProblem is a problem at the line where a document breaks.
func yamlProblem(text []byte, err error) *textProblem {
	line, message := yamlMessage(err)
	readable, good := longestPrefix(text)
	if good >= 0 {
		line = good + 1
	}
	at := lineText(text, line)
	return &textProblem{
		line: line, column: 1 + len(at) - len(bytes.TrimLeft(at, " ")),
		message: "is no YAML: " + message, mend: yamlMend(message, at), readable: readable,
	}
}

// yamlMessage splits the text of a parser's error. Its line is often only near
// the fault. It must not quote the document, which may be a Secret.
func yamlMessage(err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	line = 1
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	if strings.HasPrefix(message, "unknown anchor") {
		message = "unknown anchor"
	}
	return line, message
}

// longestPrefix returns what parses of a broken document: the lines up to the
// one at which it breaks. It is -1 lines when that takes too long to find.
func longestPrefix(text []byte) (root *yaml.Node, lines int) {
	ends := []int{0}
	for line := range bytes.Lines(text) {
		ends = append(ends, ends[len(ends)-1]+len(line))
	}
	work := 0
	for n := len(ends) - 2; n > 0; n-- {
		if work += ends[n]; work > maxPrefixWork {
			return nil, -1
		}
		if root, err := decodeYAML(text[:ends[n]]); err == nil {
			return root, n
		}
	}
	return nil, 0
}

// yamlMend says what most often leads to an error of the parser.
func yamlMend(message string, line []byte) string {
	indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
	if bytes.Contains(indent, []byte("\t")) {
		return "indent with spaces, not with tabs"
	}
	for _, m := range []struct{ begins, mend string }{
		{"mapping values are not allowed", `put a value that has ": " in it in quotes, or correct the indentation`},
		{"could not find expected ':'", `a line like "name: value" is missing its colon, or a quote is not closed`},
		{"did not find expected key", "align the line with those above it"},
		{"did not find expected '-' indicator", "align the line with those above it"},
		{"found character that cannot start any token", "put the value in quotes"},
		{"found unexpected end of stream", "close the quote"},
		{"found unexpected document indicator", "close the quote"},
		{"did not find expected ',' or", "close the bracket, or put the value in quotes"},
		{"did not find expected node content", "close the bracket, or put the value in quotes"},
		{"unknown anchor", `put a value that begins with "*" in quotes; an alias needs its anchor before it in the same document`},
	} {
		if strings.HasPrefix(message, m.begins) {
			return m.mend
		}
	}
	return ""
}
