package file

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// converter turns a tree of nodes into JSON values. What JSON does not have,
// and what two YAML versions read in two ways, is a problem. Where there are
// problems, the value holds what could be read. Problems never show a value:
// it may be that of a Secret.
type converter struct {
	problems     []textProblem
	nodes, bytes int
	// over is set when a bound was passed: nothing more is converted.
	over bool
}

// convert returns the value of a document. whole is false when a bound cut it
// short.
func convert(root *yaml.Node) (value any, problems []textProblem, whole bool) {
	var c converter
	value = c.value(root, 0)
	return value, limited(c.problems), !c.over
}

func (c *converter) fail(n *yaml.Node, message, mend string) {
	c.problems = append(c.problems, textProblem{line: n.Line, column: n.Column, message: message, mend: mend})
}

// spend counts a node, and says whether there is room for it.
func (c *converter) spend(n *yaml.Node, depth int) bool {
	c.nodes++
	c.bytes += len(n.Value)
	switch {
	case c.over:
		return false
	case depth > maxDepth:
		c.fail(n, fmt.Sprintf("is nested deeper than %d levels", maxDepth), "")
	case c.nodes > maxNodes, c.bytes > maxValueBytes:
		c.fail(n, "the document is too large with its aliases written out", "use fewer aliases, or make several documents of it")
	default:
		return true
	}
	c.over = true
	return false
}

func (c *converter) value(n *yaml.Node, depth int) any {
	if !c.spend(n, depth) {
		return nil
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str" {
		c.fail(n, "tags are not read", `remove the tag; put a value that begins with "!" in quotes`)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return c.mapping(n, depth)
	case yaml.SequenceNode:
		return c.sequence(n, depth)
	case yaml.AliasNode:
		// A node that holds an alias of itself ends at the depth.
		return c.value(n.Alias, depth+1)
	}
	return c.scalar(n)
}

func (c *converter) sequence(n *yaml.Node, depth int) any {
	out := make([]any, 0, len(n.Content))
	for _, item := range n.Content {
		out = append(out, c.value(item, depth+1))
		if c.over {
			break
		}
	}
	return out
}

func (c *converter) mapping(n *yaml.Node, depth int) any {
	out := make(map[string]any, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content) && !c.over; i += 2 {
		key, ok := c.key(n.Content[i], depth)
		value := c.value(n.Content[i+1], depth+1)
		if !ok {
			continue
		}
		if line, twice := lines[key]; twice {
			c.fail(n.Content[i], fmt.Sprintf("%q is there twice", key), "remove one of the two")
			c.problems[len(c.problems)-1].otherLine = line
			// Nobody knows which of the two is meant.
			delete(out, key)
			continue
		}
		lines[key] = n.Content[i].Line
		out[key] = value
	}
	return out
}

// key returns the name of a member. Only strings are names.
func (c *converter) key(n *yaml.Node, depth int) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if !c.spend(n, depth) {
		return "", false
	}
	switch {
	case n.Kind != yaml.ScalarNode:
		c.fail(n, "a list or a mapping is no name of a field", "write names as plain text")
	case n.Tag == "!!merge":
		c.fail(n, `the merge key "<<" is not read`, "write the fields out")
	case isPlain(n) && (ambiguous(n.Value) || n.Tag != "!!str" && n.Tag != "!!timestamp"):
		c.fail(n, fmt.Sprintf("the name of a field must be a string, %s is none", n.Value), "put it in quotes")
	case strings.ContainsRune(n.Value, 0):
		c.fail(n, "a NUL character", "remove it")
	default:
		return n.Value, true
	}
	return "", false
}

func (c *converter) scalar(n *yaml.Node) any {
	if strings.ContainsRune(n.Value, 0) {
		c.fail(n, "a NUL character", "remove it")
		return nil
	}
	if !isPlain(n) || n.Tag == "!!str" && n.Style&yaml.TaggedStyle != 0 {
		return n.Value
	}
	if ambiguous(n.Value) {
		c.fail(n, fmt.Sprintf("%s is a boolean to YAML 1.1 and a string to YAML 1.2", n.Value),
			fmt.Sprintf("write %q in quotes, or true or false", n.Value))
		return nil
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		return c.number(n)
	}
	return n.Value
}

// number reads JSON's numbers. Other spellings mean different things to
// different readers: 010 is eight to some.
func (c *converter) number(n *yaml.Node) any {
	if !json.Valid([]byte(n.Value)) {
		c.fail(n, "a number that is not in decimal", "write it in decimal, or put it in quotes")
		return nil
	}
	if !strings.ContainsAny(n.Value, ".eE") {
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			c.fail(n, "too large a number", "put it in quotes if it is a name")
			return nil
		}
		return i
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil {
		c.fail(n, "too large a number", "put it in quotes if it is a name")
		return nil
	}
	return f
}

// isPlain is true for scalars without quotes.
func isPlain(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// ambiguous is true for what YAML 1.1 (and with it kubectl) reads as a boolean
// and YAML 1.2 as a string.
func ambiguous(value string) bool {
	switch value {
	case "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO",
		"on", "On", "ON", "off", "Off", "OFF":
		return true
	}
	return false
}
