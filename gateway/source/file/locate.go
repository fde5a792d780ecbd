package file

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// locate returns the place of a field in a document, or of the innermost
// parent of it that is there. The path is like spec.rules[0].name; names may
// hold dots, and may stand in brackets.
func locate(root *yaml.Node, path string) (line, column int) {
	node, at := root, first(root)
	for path != "" && node != nil {
		node = target(node)
		next, place, rest := step(node, path)
		if next == nil {
			break
		}
		node, at, path = next, place, rest
	}
	return at.Line, at.Column
}

// first is where an object begins: at its first name.
func first(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		return n.Content[0]
	}
	return n
}

func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// step goes one part of a path down: to the node, with the place to show and
// the rest of the path.
func step(n *yaml.Node, path string) (next, place *yaml.Node, rest string) {
	switch n.Kind {
	case yaml.MappingNode:
		return stepMember(n, strings.TrimPrefix(path, "."))
	case yaml.SequenceNode:
		number, after, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
		i, err := strconv.Atoi(number)
		if !ok || err != nil || i < 0 || i >= len(n.Content) {
			return nil, nil, ""
		}
		return n.Content[i], n.Content[i], after
	}
	return nil, nil, ""
}

// stepMember takes the longest name that the path begins with.
func stepMember(n *yaml.Node, path string) (next, place *yaml.Node, rest string) {
	longest := -1
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := target(n.Content[i]).Value
		after, ok := cutName(path, key)
		if ok && len(key) > longest {
			longest = len(key)
			next, place, rest = n.Content[i+1], n.Content[i], after
		}
	}
	return next, place, rest
}

func cutName(path, name string) (rest string, ok bool) {
	if rest, ok := strings.CutPrefix(path, "["+name+"]"); ok {
		return rest, true
	}
	rest, ok = strings.CutPrefix(path, name)
	return rest, ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
