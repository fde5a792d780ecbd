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

// parseYAML parses the text of one document. Without content the node is nil.
func parseYAML(text []byte) (*yaml.Node, *textProblem) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) || err == nil && len(document.Content) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, yamlProblem(text, err)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, &textProblem{line: more.Line, column: more.Column, message: "a second document begins here", mend: `put a line "---" before it, ended by a line feed`}
	case !errors.Is(err, io.EOF):
		return nil, yamlProblem(text, err)
	}
	return root, nil
}

// yamlProblem reads the text of a parser's error, which has a line at best.
func yamlProblem(text []byte, err error) *textProblem {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	p := &textProblem{line: 1, column: 1}
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(message); m != nil {
		p.line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	if strings.HasPrefix(message, "unknown anchor") {
		// Its name may be a secret that was not put in quotes.
		message = "unknown anchor"
	}
	line := lineText(text, p.line)
	p.column += len(line) - len(bytes.TrimLeft(line, " "))
	p.message = "is no YAML: " + message
	p.mend = yamlMend(message, line)
	return p
}

// yamlMend says what most often leads to an error of the parser.
func yamlMend(message string, line []byte) string {
	indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
	switch {
	case bytes.Contains(indent, []byte("\t")):
		return "indent with spaces, not with tabs"
	case strings.HasPrefix(message, "mapping values are not allowed"):
		return `put a value that has ": " in it in quotes, or correct the indentation`
	case strings.HasPrefix(message, "could not find expected ':'"):
		return `a line like "name: value" is missing its colon, or a quote is not closed`
	case strings.HasPrefix(message, "did not find expected key"),
		strings.HasPrefix(message, "did not find expected '-' indicator"):
		return "align the line with those above it"
	case strings.HasPrefix(message, "found character that cannot start any token"):
		return "put the value in quotes"
	case strings.HasPrefix(message, "found unexpected end of stream"),
		strings.HasPrefix(message, "found unexpected document indicator"):
		return "close the quote"
	case strings.HasPrefix(message, "did not find expected ',' or"),
		strings.HasPrefix(message, "did not find expected node content"):
		return "close the bracket, or put the value in quotes"
	case strings.HasPrefix(message, "unknown anchor"):
		return `put a value that begins with "*" in quotes; an alias needs its anchor before it in the same document`
	}
	return ""
}
