package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// parseJSON parses the text of a JSON file into the same tree as YAML, with
// positions. (JSON is no subset of what the YAML parser reads: surrogate pairs
// are not.)
func parseJSON(text []byte) (*yaml.Node, *textProblem) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	p := jsonParser{text: text, decoder: json.NewDecoder(bytes.NewReader(text)), line: 1, column: 1}
	p.decoder.UseNumber()
	root, err := p.value(0)
	if err != nil {
		return nil, p.problem(err)
	}
	rest := p.tokenStart()
	if _, err := p.decoder.Token(); !errors.Is(err, io.EOF) {
		p.advance(rest)
		return nil, &textProblem{line: p.line, column: p.column, message: "a second value begins here", mend: "a JSON file holds one object"}
	}
	return root, nil
}

type jsonParser struct {
	text    []byte
	decoder *json.Decoder
	// offset, line and column are those of the last token's start.
	offset, line, column int
}

// errDepth ends a parse that goes too deep.
var errDepth = fmt.Errorf("is nested deeper than %d levels", maxDepth)

// errSurrogate ends a parse at a string that is no Unicode text.
var errSurrogate = errors.New("half a surrogate pair: this is no Unicode text")

func (p *jsonParser) value(depth int) (*yaml.Node, error) {
	token, node, err := p.next()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errDepth
	}
	switch t := token.(type) {
	case json.Delim:
		return p.container(t, node, depth)
	case string:
		node.Value, node.Tag, node.Style = t, "!!str", yaml.DoubleQuotedStyle
	case json.Number:
		node.Value, node.Tag = t.String(), "!!float"
	case bool:
		node.Value, node.Tag = strconv.FormatBool(t), "!!bool"
	case nil:
		node.Value, node.Tag = "null", "!!null"
	}
	return node, nil
}

func (p *jsonParser) container(open json.Delim, node *yaml.Node, depth int) (*yaml.Node, error) {
	node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
	if open == '{' {
		node.Kind, node.Tag = yaml.MappingNode, "!!map"
	}
	for p.decoder.More() {
		sub, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, sub)
	}
	_, err := p.decoder.Token()
	return node, err
}

// next reads a token, and returns a scalar node at its place for the caller to
// fill.
func (p *jsonParser) next() (json.Token, *yaml.Node, error) {
	start := p.tokenStart()
	token, err := p.decoder.Token()
	if err != nil {
		return nil, nil, err
	}
	p.advance(start)
	raw := p.text[start:p.decoder.InputOffset()]
	if s, ok := token.(string); ok && bytes.Count([]byte(s), []byte("\ufffd")) > bytes.Count(raw, []byte("\ufffd"))+bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`)) {
		return nil, nil, errSurrogate
	}
	return token, &yaml.Node{Kind: yaml.ScalarNode, Line: p.line, Column: p.column}, nil
}

// tokenStart is where the next token begins.
func (p *jsonParser) tokenStart() int {
	i := int(p.decoder.InputOffset())
	for i < len(p.text) && bytes.Contains([]byte(" \t\r\n,:"), p.text[i:i+1]) {
		i++
	}
	return i
}

// advance moves line and column on to an offset.
func (p *jsonParser) advance(offset int) {
	lines, column := position(p.text[p.offset:], offset-p.offset)
	if lines > 1 {
		p.column = column
	} else {
		p.column += column - 1
	}
	p.line += lines - 1
	p.offset = offset
}

func (p *jsonParser) problem(err error) *textProblem {
	if errors.Is(err, errDepth) || errors.Is(err, errSurrogate) {
		return &textProblem{line: p.line, column: p.column, message: err.Error()}
	}
	offset := len(p.text)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = max(0, int(syntax.Offset)-1)
		return at(p.text, offset, "is no JSON: "+syntax.Error(), "")
	}
	return at(p.text, offset, "is no JSON: it ends too early", "the file is cut off, or a bracket is not closed")
}
