package file

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

// state is what became of a document.
type state int

const (
	// good: the document is an object.
	good state = iota
	// bad: it was meant to be one.
	bad
	// skipped: it is none of ours.
	skipped
)

// outcome is what one document came to. Lines are those of the file.
type outcome struct {
	chunk chunk
	// line is where the content begins, as far as that is known.
	line  int
	state state
	// object is set when good.
	object source.Object
	// id is what is known of the object.
	id identity
	// broken is the object that a bad document stands for where there is nothing
	// better; nil: nothing.
	broken   *source.Object
	problems []source.Problem
}

// documents reads documents of one file.
type documents struct {
	checker *schema.Checker
	// shown is the file's path for people, dir its folder's absolute path.
	shown, dir string
	json       bool
}

// read never fails: what goes wrong is in the outcome. That holds for what the
// libraries do not expect as well: a panic in one of them is a bad document.
func (d *documents) read(c chunk) (out outcome) {
	defer func() {
		if recover() != nil {
			out = d.unconverted(c, withKind(map[string]any{}, c.text), []textProblem{{
				message: "reading it ended in an internal error",
			}}, beginning)
		}
	}()
	if len(c.text) > maxDocumentBytes {
		return d.unreadable(c, &textProblem{
			line: 1, column: 1,
			message: fmt.Sprintf("the document has %d bytes, more than the %d of an object", len(c.text), maxDocumentBytes), mend: "split it",
		})
	}
	root, problem := d.parse(c.text)
	if problem != nil {
		return d.unreadable(c, problem)
	}
	if root == nil {
		return outcome{chunk: c, state: skipped}
	}
	value, problems, inFull := convert(root)
	obj, isMapping := value.(map[string]any)
	if !isMapping && len(problems) == 0 {
		problems = []textProblem{{line: root.Line, column: root.Column, message: "is no object", mend: "write apiVersion, kind, metadata and spec"}}
	}
	if len(problems) == 0 {
		return d.check(c, root, obj)
	}
	if v := readHeader(obj); inFull && isMapping && v.problem != nil && !v.meant {
		// Not one of ours: its problems are not ours either.
		return d.refused(c, root, obj, v)
	}
	return d.unconverted(c, obj, problems, gaps)
}

func (d *documents) parse(text []byte) (*yaml.Node, *textProblem) {
	if problem := checkText(text); problem != nil {
		return nil, problem
	}
	if d.json {
		return parseJSON(text)
	}
	return parseYAML(text)
}

// check goes on with a document that is JSON data.
func (d *documents) check(c chunk, root *yaml.Node, obj map[string]any) outcome {
	v := readHeader(obj)
	if v.problem != nil {
		return d.refused(c, root, obj, v)
	}
	id := identify(v.kind, obj, true)
	var keep map[string]any
	if closing(id.ref) {
		// The checker changes what it is given.
		keep = copied(obj, readDepth)
	}
	value, findings := d.checker.Check(v.kind, obj)
	out := outcome{chunk: c, line: c.line + root.Line - 1, id: id, problems: d.fromFindings(c, root, id.shown(), findings)}
	if value != nil {
		resolvePaths(value, d.dir)
		hash, err := contentHash(value)
		if err == nil {
			out.id = named(v.kind, value)
			out.object = source.Object{Ref: out.id.ref, Value: value, Hash: hash, Origin: d.origin(c, root)}
			return out
		}
		out.problems = append(out.problems, d.fromText(c, id.shown(), []textProblem{{message: err.Error()}})...)
	}
	out.state = bad
	out.broken = d.broken(out, keep, whole)
	return out
}

// named is the identity of an object that was accepted.
func named(k source.Kind, value source.Typed) identity {
	ref := source.Ref{Group: k.Group, Kind: k.Kind, Namespace: value.GetNamespace(), Name: value.GetName()}
	return identity{ref: ref, namespaceKnown: true, nameKnown: true}
}

// refused is for documents of which no kind is read.
func (d *documents) refused(c chunk, root *yaml.Node, obj map[string]any, v verdict) outcome {
	out := outcome{chunk: c, line: c.line + root.Line - 1, state: skipped}
	if v.meant {
		out.state = bad
	}
	out.id = identify(v.kind, obj, true)
	p := *v.problem
	p.File, p.Ref = d.shown, out.id.shown()
	line, column := locate(root, p.Field)
	p.Line, p.Column = c.line+line-1, column
	out.problems = []source.Problem{p}
	if out.state == bad {
		out.broken = d.broken(out, obj, whole)
	}
	return out
}

// unconverted is for YAML that is no JSON data. obj is what could be read.
func (d *documents) unconverted(c chunk, obj map[string]any, problems []textProblem, e extent) outcome {
	out := outcome{chunk: c, line: c.contentLine(), state: bad, id: identify(meantKind(obj), obj, false)}
	out.problems = d.fromText(c, out.id.shown(), problems)
	out.broken = d.broken(out, obj, e)
	return out
}

// unreadable is for text that does not parse.
func (d *documents) unreadable(c chunk, problem *textProblem) outcome {
	obj := prefix(c.text, problem)
	return d.unconverted(c, obj, []textProblem{*problem}, beginning)
}

func (d *documents) fromText(c chunk, ref source.Ref, problems []textProblem) []source.Problem {
	out := make([]source.Problem, 0, len(problems))
	for _, p := range problems {
		if p.otherLine > 0 {
			p.message += fmt.Sprintf(", first in line %d", c.line+p.otherLine-1)
		}
		out = append(out, source.Problem{
			Ref: ref, File: d.shown, Line: c.line + max(1, p.line) - 1, Column: max(1, p.column),
			Message: p.message, Mend: p.mend, Severity: source.Error,
		})
	}
	return out
}

func (d *documents) fromFindings(c chunk, root *yaml.Node, ref source.Ref, findings []schema.Finding) []source.Problem {
	var out []source.Problem
	for i, f := range findings {
		line, column := locate(root, f.Field)
		p := source.Problem{
			Ref: ref, File: d.shown, Line: c.line + line - 1, Column: column,
			Field: f.Field, Message: f.Message, Mend: f.Mend, Severity: f.Severity,
		}
		if i == maxDocumentProblems {
			p.Field, p.Message, p.Mend = "", fmt.Sprintf("and %d more problems", len(findings)-i), ""
			return append(out, p)
		}
		out = append(out, p)
	}
	return out
}

func (d *documents) origin(c chunk, root *yaml.Node) source.Origin {
	return source.Origin{File: d.shown, Line: c.line + root.Line - 1, Document: c.document}
}

// moved is the outcome of the same text at another place of the same file.
func (o outcome) moved(c chunk) outcome {
	shift := c.line - o.chunk.line
	if shift == 0 && c.document == o.chunk.document {
		return o
	}
	again := o
	again.chunk = c
	again.line += shift
	again.object.Origin.Line += shift
	again.object.Origin.Document = c.document
	if o.broken != nil {
		broken := *o.broken
		broken.Origin.Line += shift
		broken.Origin.Document = c.document
		again.broken = &broken
	}
	again.problems = make([]source.Problem, len(o.problems))
	for i, p := range o.problems {
		p.Line += shift
		again.problems[i] = p
	}
	return again
}

// resolvePaths makes the file references of an object absolute.
func resolvePaths(value source.Typed, dir string) {
	switch v := value.(type) {
	case *v1alpha1.TrustDomain:
		if v.Spec.KeySet.Type == v1alpha1.KeySetFile {
			v.Spec.KeySet.File = absolute(dir, v.Spec.KeySet.File)
		}
	case *v1alpha1.Credential:
		if v.Spec.Secret.Type == v1alpha1.SecretFile {
			v.Spec.Secret.File = absolute(dir, v.Spec.Secret.File)
		}
	}
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// contentHash is over the JSON of an object, which is the same for the same
// content: fields in the order of the type, maps sorted.
func contentHash(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	return textHash(text), nil
}

func textHash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// readDepth is how deep what is read of a bad document lies in mappings.
const readDepth = 4

// copied copies mappings that lie in each other, to a depth.
func copied(obj map[string]any, depth int) map[string]any {
	out := make(map[string]any, len(obj))
	for key, v := range obj {
		if inner, ok := v.(map[string]any); ok && depth > 1 {
			v = copied(inner, depth-1)
		}
		out[key] = v
	}
	return out
}

// firstError is the text of the first error, for a reason.
func firstError(problems []source.Problem) string {
	for _, p := range problems {
		if p.Severity == source.Error {
			if p.Field != "" {
				return p.Field + ": " + p.Message
			}
			return strings.TrimSpace(p.Message)
		}
	}
	return "is not accepted"
}
